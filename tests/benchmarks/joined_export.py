"""Join the tables of a GitHub export as the reference query does, to make inputs of any size.

Run as ``python -m tests.benchmarks.joined_export TABLES TARGET COPIES [FORM]``; prints rows and
bytes of text. The query (docs/rules/sources.md 1.1) joins contents, files, licenses and languages,
keeps the licences that begin with mit, bsd or apache, and leaves out NULL contents. A copy has
other repositories and the same blobs, since forks and vendored code are most of what GitHub holds.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.pipelines.readers.exports import export

LICENSES = ("mit", "bsd", "apache")  # the beginnings that the query accepts


def joined_rows(tables: Path, copy: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one copy of the join, in the order of ``files``.

    Args:
        tables: a directory with Parquet tables of ``github_repos``.
        copy: its number, which begins the name of every repository.
    """
    contents = {row["id"]: row for row in _rows(tables, "contents")}
    licenses = {row["repo_name"]: row["license"] for row in _rows(tables, "licenses")}
    languages = {row["repo_name"]: row["language"] for row in _rows(tables, "languages")}
    for file in _rows(tables, "files"):
        name = file["repo_name"]
        blob = contents.get(file["id"], {})
        license_key = licenses.get(name, "")
        if blob.get("content") is None or not license_key.startswith(LICENSES):
            continue
        yield {
            **{key: blob[key] for key in ("id", "size", "content", "binary", "copies")},
            **{key: file[key] for key in ("ref", "path", "mode", "symlink_target")},
            "repo_name": f"{copy}-{name}" if copy else name,
            "license": license_key,
            "language": languages.get(name) or [],
        }


def write_joined(tables: Path, target: Path, copies: int, form: str = "json.gz") -> tuple[int, int]:
    """Write one file per copy, in one of the forms of ``tests.pipelines.readers.exports``.

    Returns:
        the rows, and the bytes of their texts.
    """
    target.mkdir(parents=True, exist_ok=True)
    count = text_bytes = 0
    for copy in range(copies):
        rows = list(joined_rows(tables, copy))
        count += len(rows)
        text_bytes += sum(len(row["content"].encode()) for row in rows)
        (target / f"joined-{copy:012d}.{form}").write_bytes(export(rows, form).getvalue())
    return count, text_bytes


def _rows(tables: Path, name: str) -> list[dict[str, Any]]:
    return [
        row for path in sorted(tables.glob(f"{name}-*")) for row in pq.read_table(path).to_pylist()
    ]


if __name__ == "__main__":
    print(*write_joined(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
