"""The sample export: real files of this installation, in the real tables, the same each time."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq
import pytest

from filters.github.licenses import check_license
from filters.github.paths import check_extension, check_path
from filters.github.quality import check_binary_like, check_source_file, normalize_source
from pipelines.github.records import (
    BadRow,
    Table,
    read_blobs,
    read_files,
    read_languages,
    read_licenses,
    table_of,
)
from pipelines.samples.code import REPOSITORIES, CodeFile
from pipelines.samples.github import (
    FILES_PER_LICENSE,
    _Installed,
    _sample,
    blob_id,
    license_key,
    write_github_export,
)

READERS: dict[Table, Callable[[BinaryIO, str], Iterator[Any]]] = {
    Table.CONTENTS: read_blobs,
    Table.FILES: read_files,
    Table.LICENSES: read_licenses,
    Table.LANGUAGES: read_languages,
}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A sample of a third of a megabyte."""
    return write_github_export(tmp_path_factory.mktemp("export"), megabytes=0.3)


def _rows(export: list[Path], table: str) -> list[dict[str, Any]]:
    paths = [path for path in export if path.name.startswith(table)]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_the_same_installation_gives_the_same_bytes(export: list[Path], tmp_path: Path) -> None:
    """A second call, over files of a first one."""
    write_github_export(tmp_path / "new", megabytes=0.1)
    again = write_github_export(tmp_path / "new", megabytes=0.3)
    assert [path.name for path in again] == [path.name for path in export]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in export]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [p.name for p in again]


def test_the_readers_take_every_table(export: list[Path]) -> None:
    """Each file is known by its columns, and no row is bad."""
    tables = []
    for path in export:
        with path.open("rb") as stream:
            table = table_of(stream, "part-0")
            rows = list(READERS[table](stream, path.name))
        tables.append(table)
        assert len(rows) == pq.read_metadata(path).num_rows
        assert not any(isinstance(row, BadRow) for row in rows)
    assert Counter(tables) == {
        Table.CONTENTS: 2,
        Table.FILES: 1,
        Table.LICENSES: 1,
        Table.LANGUAGES: 1,
    }


def test_the_tables_join(export: list[Path]) -> None:
    """Every file has its blob, every blob its files, every licence a repository."""
    files = _rows(export, "files")
    blobs = {row["id"]: row for row in _rows(export, "contents")}
    uses = Counter(row["id"] for row in files if row["symlink_target"] is None)
    assert {id_: row["copies"] for id_, row in blobs.items()} == dict(uses)
    repositories = {row["repo_name"] for row in files}
    assert {row["repo_name"] for row in _rows(export, "licenses")} < repositories
    assert {row["repo_name"] for row in _rows(export, "languages")} == repositories
    for table in ("contents", "files"):
        rows = _rows(export, table)
        keys = [(row.get("repo_name"), row.get("path"), row["id"]) for row in rows]
        assert keys == sorted(set(keys))


def test_a_blob_is_its_id(export: list[Path]) -> None:
    """The id is git's hash of the bytes, and binary files have no content."""
    for row in _rows(export, "contents"):
        if row["content"] is None:
            assert row["binary"]
        else:
            data = row["content"].encode()
            assert (row["id"], row["size"]) == (blob_id(data), len(data))


@pytest.mark.parametrize("megabytes", [0.3, 1.0])
def test_the_size_is_about_what_was_asked(tmp_path: Path, megabytes: float) -> None:
    """A few files of each licence come on top."""
    rows = _rows(write_github_export(tmp_path, megabytes=megabytes), "contents")
    text = sum(len((row["content"] or "").encode()) for row in rows)
    assert 0.5 * megabytes < text / 1e6 < 1.2 * megabytes + 0.3


def test_no_size_is_an_error(tmp_path: Path) -> None:
    """The message says what to give."""
    with pytest.raises(ValueError, match="megabytes is 0: give the size"):
        write_github_export(tmp_path, megabytes=0)


def _package(folder: Path, name: str, license_: str | None, files: int, size: int) -> _Installed:
    paths = {}
    for number in range(files):
        path = folder / f"{name}-{number}.py"
        path.write_text(f"# {name} {number}\n" + "x" * size)
        paths[f"{name}/{number}.py"] = path
    return _Installed(f"pypi/{name}", license_, paths)


def test_no_package_fills_the_sample_and_every_licence_is_in_it(tmp_path: Path) -> None:
    """A large package gets a tenth; a rare licence is there though the sample is full."""
    installed = [
        _package(tmp_path, "huge", "mit", 300, 1000),
        _package(tmp_path, "rare", "isc", 1, 10),
        _package(tmp_path, "gone", "epl-1.0", 1, 10),
        *(_package(tmp_path, f"other{i}", "mit", 20, 1000) for i in range(10)),
    ]
    (tmp_path / "gone-0.py").unlink()
    repositories = {r.name: r for r in _sample(installed, 100_000)}
    sizes = {name: sum(len(f.data) for f in r.files) for name, r in repositories.items()}
    assert sizes["pypi/huge"] <= 10_000
    assert 90_000 < sum(sizes.values()) <= 102_000
    assert len(repositories["pypi/rare"].files) == 1
    assert "pypi/gone" not in repositories
    full = {r.name: r for r in _sample(installed, 1)}
    assert sum(len(r.files) for r in full.values()) == FILES_PER_LICENSE + 1


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "key"),
    [
        ("MIT", None, [], "mit"),
        ("MIT-0", None, [], "mit-0"),
        ("GPL-3.0-or-later", None, [], "gpl-3.0"),
        ("Apache-2.0 OR BSD-2-Clause", None, [], None),
        ("PSF-2.0", "MIT", [], None),
        (None, "BSD", [], "bsd-3-clause"),
        (None, "3-Clause BSD License", [], "bsd-3-clause"),
        (None, "BSD 2-Clause", [], "bsd-2-clause"),
        (None, "MIT License\n\nCopyright (c) 2014", [], "mit"),
        (None, "Apache License, Version 2.0", [], "apache-2.0"),
        (None, "GNU LGPLv2.1+", [], "lgpl-2.1"),
        (None, "MPL-2.0", [], "mpl-2.0"),
        (None, "MIT and Apache", [], None),
        (None, "Copyright 2020", ["License :: OSI Approved :: MIT License"], "mit"),
        (None, " ", ["License :: OSI Approved :: BSD License", "Topic :: MIT"], "bsd-3-clause"),
        (None, None, ["License :: OSI Approved"], None),
        (
            None,
            "Dual License",
            ["License :: OSI Approved :: BSD License", "License :: OSI Approved :: MIT License"],
            None,
        ),
    ],
)
def test_licence_keys(
    expression: str | None, text: str | None, classifiers: list[str], key: str | None
) -> None:
    """What the metadata says, in the spelling of BigQuery's `licenses`; None when it is unclear."""
    assert license_key(expression, text, classifiers) == key


def _reason(license_: str | None, file: CodeFile) -> str:
    """Judge a file as the pipeline does, up to what it takes two files to see."""
    verdicts = [
        check_license(license_),
        check_path(file.path, file.mode),
        check_extension(file.path),
    ]
    text = normalize_source(file.data.decode(errors="replace"))
    verdicts += [check_binary_like(text), check_source_file(text)]
    return next((verdict.reason for verdict in verdicts if not verdict.keep), "kept")


def test_our_own_repositories_show_the_rules() -> None:
    """Each file meets the rule that it is there for (docs/rules/sources.md 1.2 to 1.5)."""
    reasons = {
        f"{repository.name.removeprefix('corpusmill/')}/{file.path}": _reason(
            repository.license, file
        )
        for repository in REPOSITORIES
        for file in repository.files
    }
    assert reasons == {
        "almanac/README.md": "kept",
        "almanac/almanac/leap.py": "kept",
        "almanac/tides.go": "kept",
        "almanac/tools/release.sh": "kept",
        "almanac/latest": "symlink",
        "almanac/LICENSE": "license_file",
        "almanac/vendor/pad/pad.js": "vendored",
        "almanac/web/app.min.js": "minified",
        "almanac/web/bundle.js": "max_line_length",
        "almanac/notes/marks.md": "alnum_ratio",
        "almanac/almanac/table.sql": "binary_like",
        "almanac/almanac/__init__.py": "empty",
        "almanac/data/moons.json": "extension_not_allowed",
        "almanac/web/icon.png": "extension_not_allowed",
        "almanac-fork/src/tides.go": "kept",
        "almanac-fork/src/leap.py": "kept",
        "almanac-fork/src/Day.java": "kept",
        "almanac-fork/src/names.xml": "kept",
        "orrery/orrery.c": "license_not_allowed",
        "sundial/shadow.py": "license_not_allowed",
        "hourglass/sand.rb": "no_license",
    }


def test_our_own_duplicates(export: list[Path]) -> None:
    """One blob is in two repositories; a link is a row of `files` alone."""
    rows = _rows(export, "files")
    ids = {(row["repo_name"], row["path"]): row["id"] for row in rows}
    assert ids["corpusmill/almanac", "tides.go"] == ids["corpusmill/almanac-fork", "src/tides.go"]
    (link,) = [row for row in rows if row["symlink_target"]]
    assert (link["mode"], link["symlink_target"]) == (40960, "almanac/leap.py")
    assert link["id"] not in {row["id"] for row in _rows(export, "contents")}
