"""Sample inputs in the real formats of GitHub, made from the files of installed packages.

Nothing is downloaded: the packages of the running environment and the standard library become an
export of BigQuery's `github_repos` (docs/rules/sources.md 1.1), beside a few repositories of ours
(``sample_code``). The samples are small and deterministic: the same environment gives the same
bytes. They serve the demonstration and the tests; a corpus is built from the real sources.
"""

import hashlib
import os
import re
import stat
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.github.licenses import spdx_id
from filters.github.paths import SYMLINK_MODE, language_of
from pipelines.github.tables import MAX_CONTENT_BYTES
from pipelines.samples.code import REPOSITORIES, CodeFile, CodeRepository

FILE_MODE, EXECUTABLE_MODE = 33188, 33261  # git's, decimal
REF = "refs/heads/main"
MAX_FILE_BYTES = 2 << 20  # larger files are left out, since their contents would be NULL
BINARY_COST_BYTES = 1000  # of the sample's size that a file without content takes
FILES_PER_LICENSE = 5  # taken in any case, of MAX_SURE_BYTES at most
MAX_SURE_BYTES = 32 << 10
REPOSITORY_SHARE = 0.1  # of the sample, at most: no single large package fills it
CONTENTS_SHARDS = 2

# Folders of the standard library that hold other packages, machine code, or broken test files.
STDLIB_SKIPPED = {"__pycache__", "dist-packages", "lib-dynload", "site-packages", "test", "tests"}
LEGAL_FILE = re.compile("licen[cs]e|copying|notice|authors", re.IGNORECASE)

# One family per row, of which the first match counts. Keys are those of GitHub's detector.
LICENSE_NAMES = (
    (
        (r"affero|agpl", "agpl-3.0"),
        (r"(lgpl|lesser general).*3", "lgpl-3.0"),
        (r"lgpl|lesser general", "lgpl-2.1"),
        (r"(gpl|general public).*3", "gpl-3.0"),
        (r"gpl|general public", "gpl-2.0"),
    ),
    ((r"apache", "apache-2.0"),),
    ((r"mozilla|\bmpl", "mpl-2.0"),),
    ((r"bsd[ -]?2|(2|two)[ -]clause|simplified", "bsd-2-clause"), (r"\bbsd", "bsd-3-clause")),
    ((r"\bmit\b", "mit"),),
    ((r"\bisc\b", "isc"),),
    ((r"unlicense", "unlicense"),),
    ((r"\bcc0", "cc0-1.0"),),
)

CONTENTS = pa.schema(
    [
        ("id", pa.string()),
        ("size", pa.int64()),
        ("content", pa.string()),
        ("binary", pa.bool_()),
        ("copies", pa.int64()),
    ]
)
FILES = pa.schema(
    [
        ("repo_name", pa.string()),
        ("ref", pa.string()),
        ("path", pa.string()),
        ("mode", pa.int64()),
        ("id", pa.string()),
        ("symlink_target", pa.string()),
    ]
)
LICENSES = pa.schema([("repo_name", pa.string()), ("license", pa.string())])
LANGUAGES = pa.schema(
    [
        ("repo_name", pa.string()),
        ("language", pa.list_(pa.struct([("name", pa.string()), ("bytes", pa.int64())]))),
    ]
)


def write_github_export(directory: str | os.PathLike[str], *, megabytes: float = 4.0) -> list[Path]:
    """Write `contents`, `files`, `licenses` and `languages` as BigQuery would export them.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of text, about; a few files under each licence are there in any case.

    Returns:
        the files written, by name.

    Raises:
        ValueError: ``megabytes`` is not positive.
        OSError: the directory cannot be written.
    """
    if megabytes <= 0:
        raise ValueError(f"megabytes is {megabytes}: give the size of the sample, such as 4")
    repositories = [*REPOSITORIES, *_sample(_installed(), int(megabytes * 1e6))]
    blobs: dict[str, dict[str, Any]] = {}
    files: list[dict[str, Any]] = []
    languages: list[dict[str, Any]] = []
    for repository in sorted(repositories, key=lambda repository: repository.name):
        sizes: Counter[str] = Counter()
        for file in sorted(repository.files, key=lambda file: file.path):
            row = _file_row(repository.name, file)
            files.append(row)
            if row["symlink_target"] is not None:  # has no row in `contents`
                continue
            blob = blobs.setdefault(row["id"], _blob_row(row["id"], file))
            blob["copies"] += 1
            language = language_of(file.path)
            if language and not blob["binary"]:
                sizes[language] += blob["size"]
        ranked = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
        named = [{"name": name, "bytes": size} for name, size in ranked]
        languages.append({"repo_name": repository.name, "language": named})
    licenses = sorted((r.name, r.license) for r in repositories if r.license is not None)
    contents = [blobs[blob_id] for blob_id in sorted(blobs)]
    shard_rows = -(-len(contents) // CONTENTS_SHARDS)
    shards = [contents[i * shard_rows : (i + 1) * shard_rows] for i in range(CONTENTS_SHARDS)]
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    return [
        *(_write(folder, "contents", i, shard, CONTENTS) for i, shard in enumerate(shards)),
        _write(folder, "files", 0, files, FILES),
        _write(folder, "languages", 0, languages, LANGUAGES),
        _write(
            folder,
            "licenses",
            0,
            [{"repo_name": name, "license": key} for name, key in licenses],
            LICENSES,
        ),
    ]


def _write(
    folder: Path, table: str, shard: int, rows: Sequence[dict[str, Any]], schema: pa.Schema
) -> Path:
    path = folder / f"{table}-{shard:012}.parquet"
    part = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(list(rows), schema), part, compression="zstd")
    return part.replace(path)


def blob_id(data: bytes) -> str:
    """Return the id that git gives a file of these bytes.

    >>> blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _file_row(repo_name: str, file: CodeFile) -> dict[str, Any]:
    return {
        "repo_name": repo_name,
        "ref": REF,
        "path": file.path,
        "mode": file.mode,
        "id": blob_id(file.data),
        "symlink_target": file.data.decode() if file.mode == SYMLINK_MODE else None,
    }


def _blob_row(id_: str, file: CodeFile) -> dict[str, Any]:
    binary = _is_binary(file.data) if file.binary is None else file.binary
    has_content = not binary and len(file.data) < MAX_CONTENT_BYTES
    return {
        "id": id_,
        "size": len(file.data),
        "content": file.data.decode() if has_content else None,
        "binary": binary,
        "copies": 0,
    }


def _is_binary(data: bytes) -> bool:
    try:
        return "\0" in data.decode()
    except UnicodeDecodeError:
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _Installed:
    """A package of this environment, or the standard library, as a repository."""

    name: str
    license: str | None
    files: dict[str, Path]  # path in the repository -> file


def _installed() -> list[_Installed]:
    """List the packages that record which files they installed, one per name."""
    found: dict[str, _Installed] = {}
    for distribution in metadata.distributions():
        about = distribution.metadata
        name = re.sub(r"[-_.]+", "-", _field(about, "Name") or "").lower()
        repo_name = f"pypi/{name}"
        # The project itself is left out: installed in place, it lists no files.
        if not name or name == "corpusmill" or repo_name in found:
            continue
        files = {
            path: Path(str(distribution.locate_file(file)))
            for file in distribution.files or ()
            if (path := _repository_path(file))
        }
        key = license_key(
            _field(about, "License-Expression"),
            _field(about, "License"),
            about.get_all("Classifier") or (),
        )
        found[repo_name] = _Installed(repo_name, key, files)
    library = Path(sysconfig.get_path("stdlib"))
    # GitHub's detector has no key for Python's licence.
    python = _Installed("pypi/python-standard-library", None, dict(_library_files(library)))
    return [*found.values(), python]


def _field(about: metadata.PackageMetadata, name: str) -> str | None:
    return next(iter(about.get_all(name) or ()), None)


def _repository_path(file: PurePosixPath) -> str | None:
    """Return the path of an installed file in its repository; None if the installer made it."""
    if file.is_absolute() or ".." in file.parts or "__pycache__" in file.parts:
        return None
    if not file.as_posix().isprintable():
        return None
    if file.parts[0].endswith((".dist-info", ".egg-info", ".data")):
        return file.name if LEGAL_FILE.match(file.name) else None
    return file.as_posix()


def _library_files(library: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in STDLIB_SKIPPED]
        for name in names:
            path = Path(folder, name)
            yield f"Lib/{path.relative_to(library).as_posix()}", path


def license_key(expression: str | None, text: str | None, classifiers: Iterable[str]) -> str | None:
    """Return the key that GitHub's detector would give a package, by its metadata.

    Args:
        expression: `License-Expression`, in SPDX's terms.
        text: `License`, a name or the whole text, whose first line then counts.
        classifiers: those of "License ::" count when the others say nothing.

    Returns:
        a key of BigQuery's `licenses`, such as "bsd-3-clause", which also stands for a BSD licence
        of no stated kind; None where there is no licence, several, or one without a key.

    >>> license_key("MIT", None, ()), license_key(None, "Apache License, Version 2.0", ())
    ('mit', 'apache-2.0')
    >>> license_key("Apache-2.0 OR MIT", None, ())
    """
    if expression:
        return _spdx_key(expression)
    if text and text.strip():
        key = _named_key(text.strip().splitlines()[0])
        if key:
            return key
    named = {_named_key(c.split("::")[-1]) for c in classifiers if c.startswith("License ::")}
    keys = named - {None}
    return keys.pop() if len(keys) == 1 else None


def _spdx_key(expression: str) -> str | None:
    key = re.sub("-(only|or-later)$", "", expression.strip(" ()").lower())
    return key if spdx_id(key) else None


def _named_key(name: str) -> str | None:
    if key := _spdx_key(name):
        return key
    found = {
        next(key for pattern, key in family if re.search(pattern, name, re.IGNORECASE))
        for family in LICENSE_NAMES
        if any(re.search(pattern, name, re.IGNORECASE) for pattern, _ in family)
    }
    return found.pop() if len(found) == 1 else None


def _sample(installed: Sequence[_Installed], max_bytes: int) -> list[CodeRepository]:
    """Choose files in the order of their hashes, with a few of each licence first."""
    candidates = sorted(
        ((repository, path) for repository in installed for path in repository.files), key=_order
    )
    taken: defaultdict[_Installed, dict[str, CodeFile]] = defaultdict(dict)
    by_license: Counter[str | None] = Counter()  # files
    for repository, path in candidates:
        if by_license[repository.license] < FILES_PER_LICENSE:
            file = _read(repository, path, MAX_SURE_BYTES)
            if file:
                taken[repository][path] = file
                by_license[repository.license] += 1
    spent = Counter({name: sum(map(_cost, files.values())) for name, files in taken.items()})
    share = int(REPOSITORY_SHARE * max_bytes)
    for repository, path in candidates:
        if spent.total() >= max_bytes:
            break
        room = min(share - spent[repository], MAX_FILE_BYTES)
        if room > 0 and path not in taken[repository]:
            file = _read(repository, path, room)
            if file:
                taken[repository][path] = file
                spent[repository] += _cost(file)
    return [
        CodeRepository(repository.name, repository.license, tuple(files.values()))
        for repository, files in taken.items()
        if files
    ]


def _order(candidate: tuple[_Installed, str]) -> bytes:
    """Return what sorts the files, which depends only on their names."""
    repository, path = candidate
    return hashlib.sha256(f"{repository.name}/{path}".encode()).digest()


def _cost(file: CodeFile) -> int:
    return BINARY_COST_BYTES if _is_binary(file.data) else len(file.data)


def _read(repository: _Installed, path: str, max_bytes: int) -> CodeFile | None:
    """Read an installed file; return None if it is missing, a link, or too large."""
    source = repository.files[path]
    try:
        status = source.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        mode = EXECUTABLE_MODE if status.st_mode & stat.S_IXUSR else FILE_MODE
        return CodeFile(path, source.read_bytes(), mode)
    except OSError:
        return None
