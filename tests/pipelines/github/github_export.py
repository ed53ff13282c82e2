"""A tiny export of GitHub's tables, made by hand: every decision of the source occurs once."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.__main__ import main
from tests.pipelines.readers.exports import Rows, export

BODY = "def total(values):\n    return sum(values) + len(values)\n"
OTHER = "class Stack:\n    def push(self, item):\n        self.items.append(item)\n"
YEAR = "# Copyright 2015 Somebody\n\n" + BODY
LATER = "# Copyright 2019 Somebody\n\n" + BODY

CONTENTS: list[dict[str, Any]] = [
    {"id": "aa01", "size": 50, "content": YEAR, "binary": False, "copies": 1},
    {"id": "aa02", "size": 50, "content": LATER, "binary": False, "copies": 1},
    {"id": "aa03", "size": 50, "content": OTHER, "binary": False, "copies": 2},
    {"id": "aa04", "size": 9, "content": None, "binary": True, "copies": 1},
    {"id": "aa05", "size": 9_000_000, "content": None, "binary": False, "copies": 1},
    {"id": "aa06", "size": 50, "content": "gpl = True\n", "binary": False, "copies": 1},
    {"id": "aa07", "size": 1500, "content": "x = '" + "y" * 1500 + "'\n", "binary": False},
]
for _row in CONTENTS:
    _row.setdefault("copies", 1)


def _file(repo_name: str, path: str, blob_id: str, mode: int = 33188) -> dict[str, Any]:
    return {
        "repo_name": repo_name,
        "ref": "refs/heads/main",
        "path": path,
        "mode": mode,
        "id": blob_id,
        "symlink_target": "x" if mode == 40960 else None,
    }


FILES = [
    _file("mit/one", "total.py", "aa01"),
    _file("mit/two", "total.py", "aa02"),  # the same code with another year
    _file("mit/two", "stack.py", "aa03"),  # the same blob, and a larger path
    _file("mit/one", "stack.py", "aa03"),
    _file("mit/one", "image.py", "aa04"),
    _file("mit/one", "large.py", "aa05"),
    _file("mit/one", "lost.py", "bb99"),  # has no row in contents
    _file("gpl/one", "gpl.py", "aa06"),
    _file("none/one", "none.py", "aa06"),
    _file("mit/one", "link.py", "bb98", mode=40960),
    _file("mit/one", "vendor/stack.py", "aa03"),
    _file("mit/one", "photo.jpg", "aa04"),
    _file("mit/one", "long.py", "aa07"),
]
LICENSES = [
    {"repo_name": "mit/one", "license": "mit"},
    {"repo_name": "mit/two", "license": "mit"},
    {"repo_name": "gpl/one", "license": "gpl-3.0"},
]
LANGUAGES = [{"repo_name": "mit/one", "language": [{"name": "Python", "bytes": 120}]}]
TABLES: dict[str, Rows] = {
    "contents": CONTENTS,
    "files": FILES,
    "licenses": LICENSES,
    "languages": LANGUAGES,
}


def write_tables(folder: Path, form: str = "parquet") -> list[str]:
    """Write the tables, ``contents`` and ``files`` in two shards each; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, rows in TABLES.items():
        shards = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
        for number, shard in enumerate(shards if len(rows) > 3 else [rows]):
            path = folder / f"{name}-{number:012}.{form}"
            path.write_bytes(export(shard, form).getvalue())
            paths.append(str(path))
    return paths


def write_joined(folder: Path, form: str = "json") -> list[str]:
    """Write the rows that join ``contents``, ``files`` and ``licenses``; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    blobs = {row["id"]: row for row in CONTENTS}
    licenses = {row["repo_name"]: row["license"] for row in LICENSES}
    unknown = {"size": None, "content": None, "binary": False, "copies": None}
    rows = [
        {
            **{k: v for k, v in file.items() if k != "symlink_target"},
            **{k: v for k, v in blobs.get(file["id"], unknown).items() if k != "id"},
            "license": licenses.get(file["repo_name"]),
        }
        for file in FILES
    ]
    path = folder / f"joined-000000000000.{form}"
    path.write_bytes(export(rows, form).getvalue())
    return [str(path)]


def write_many(folder: Path, shards: int, files: int, characters: int = 2000) -> list[str]:
    """Write an export with ``shards`` of ``contents``, ``files`` different sources in each."""
    folder.mkdir(parents=True, exist_ok=True)
    named: list[dict[str, Any]] = []
    paths = []
    for shard in range(shards):
        rows = []
        for number in range(files):
            lines = [f"value_{shard}_{number}_{i} = {i}" for i in range(characters // 20)]
            text = "\n".join(lines) + "\n"
            name = f"{shard:02}{number:06}"
            named.append(_file("mit/one", f"f{name}.py", name))
            rows.append(
                {"id": name, "size": len(text), "content": text, "binary": False, "copies": 1}
            )
        paths.append(folder / f"contents-{shard:012}.parquet")
        paths[-1].write_bytes(export(rows, "parquet").getvalue())
    for table, rows in (("files", named), ("licenses", LICENSES)):
        paths.append(folder / f"{table}-000000000000.parquet")
        paths[-1].write_bytes(export(rows, "parquet").getvalue())
    return [str(path) for path in paths]


def curate(run: Path, inputs: list[str], *flags: str) -> int:
    """Give the command in this process; return its exit code."""
    return main(["github", "--input", *inputs, "--run", str(run), "--quiet", *flags])


def read(run: Path, folder: str = "documents") -> list[dict[str, Any]]:
    """Return the rows of a folder of a run, ``meta`` as a dictionary."""
    rows = [
        row
        for path in sorted((run / folder).glob("*.parquet"))
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return [{**row, "meta": json.loads(row["meta"])} for row in rows]


def texts(run: Path) -> list[str]:
    """Return the texts of the documents, sorted."""
    return sorted(row["text"] for row in read(run))


def content(run: Path) -> dict[str, bytes]:
    """Return every file that must be equal from run to run, and its bytes."""
    names = ["manifest.json", "stats.json", "COMPLETED"]
    found = [run / name for name in names]
    found += [*run.glob("documents/*"), *run.glob("rejects/*")]
    return {str(path.relative_to(run)): path.read_bytes() for path in found}
