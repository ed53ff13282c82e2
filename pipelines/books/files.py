"""Where books lie: which files are books, which of them are one ebook, and units of many.

Project Gutenberg keeps an ebook in several encodings and earlier versions. The files of one number
are told by their names, and the best of them is read: ``-0`` (UTF-8), then ``pg`` (generated), then
``-8`` (ISO-8859-1), then plain (ASCII), and those under ``old/`` last (docs/rules/sources.md 3.1).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pipelines.books.catalogue import CATALOGUE_NAMES, Facts, read_catalogue
from pipelines.books.config import BooksConfig
from pipelines.engine.config import to_bytes
from pipelines.engine.errors import RunError
from pipelines.engine.plan import Inputs
from pipelines.engine.units import Unit, many_per_unit, one_per_file, unit_name
from pipelines.storage import files as storage

GUTENBERG: Final = "gutenberg"
BOOKS3: Final = "books3"
TEXTS, ROWS, TAR = "texts", "rows", "tar"  # kinds of units, after the name of their origin
FILES_PER_UNIT: Final = 256
BYTES_PER_UNIT: Final = 64_000_000

_PACKED: Final = re.compile(r"\.(?:gz|bz2)$")
_NUMBERED: Final = re.compile(r"(\d+)(?:-(\d))?$")
_GENERATED: Final = re.compile(r"pg(\d+)$")
_OLD: Final = "/old/"
PREFERENCE: Final = {"0": 0, "pg": 1, "8": 2, "": 3}  # of the files of an ebook
_OTHER_ENCODING: Final = 4
_ARCHIVES: Final = re.compile(r"\.(?:tar|tar\.gz|tgz|tar\.bz2)$")


class BookFile(NamedTuple):
    """A file, and where it lies below the path that the user gave."""

    file: storage.InputFile
    relative: str


def find(config: BooksConfig) -> Inputs:
    """Find the books, and choose a file for each ebook.

    Raises:
        StorageError: a path names nothing.
        RunError: no path was given, nothing there is a book, or the catalogue cannot be read.
    """
    if not (config.gutenberg or config.books3):
        raise RunError("give --gutenberg DIR, --books3 DIR, or both")
    if not 0 < config.overlap <= 1:
        raise RunError(f"--overlap={config.overlap}: give a share above 0 and up to 1, such as 0.9")
    left_out = Counter[str]()
    gutenberg, catalogue = _gutenberg(config, listed(config.gutenberg), left_out)
    units = [*gutenberg, *_others(listed(config.books3), left_out)]
    if not units:
        places = ", ".join(config.gutenberg + config.books3)
        raise RunError(f"no .txt, .zip, .tar or .jsonl file below {places}")
    named = [replace(unit, name=unit_name(number, unit.path)) for number, unit in enumerate(units)]
    facts = {"catalogue_sha256": catalogue, "files_left_out": dict(sorted(left_out.items()))}
    return Inputs(named, facts=facts)


def listed(paths: Sequence[str]) -> list[BookFile]:
    """Return the files at some paths, directories with all below them, sorted."""
    found: dict[str, BookFile] = {}
    for path in map(storage.absolute, paths):
        tree = [] if _names_a_file(path) else storage.list_tree(path)
        root = storage.join(path, "") if tree else ""
        for file in tree or storage.find_inputs([path]):
            relative = file.path.removeprefix(root) if root else storage.basename(file.path)
            if not any(part.startswith(".") for part in relative.split("/")):
                found.setdefault(file.path, BookFile(file, relative))
    return [found[path] for path in sorted(found)]


def _names_a_file(path: str) -> bool:
    return any(sign in path for sign in "*?[") or storage.basename(path).endswith(
        (".txt", ".gz", ".zip", ".jsonl", ".tar", ".tgz", ".bz2", ".json")
    )


def _plain_name(path: str) -> str:
    """Return the name of a file in small letters, without .gz."""
    return _PACKED.sub("", storage.basename(path).lower()).removesuffix(".utf8")


def kind_of(path: str) -> str:
    """Return what a file holds: texts (one, or a zip of them), rows, tar; "" if no book.

    >>> kind_of("1/2/12345-8.zip"), kind_of("12345-h.zip"), kind_of("books3.tar.gz")
    ('texts', '', 'tar')
    """
    if _ARCHIVES.search(storage.basename(path).lower()):
        return TAR
    name = _plain_name(path)
    if name.endswith((".jsonl", ".json")):
        return ROWS
    if name.endswith(".txt"):
        return TEXTS
    if name.endswith(".zip") and not re.search(
        r"-(?:h|m|x|t|p|page-images|rdf|pdf|epub)\.zip$", name
    ):
        return TEXTS
    return ""


def ebook_of(path: str) -> tuple[str, int]:
    """Return which ebook a file of Project Gutenberg is, and its place among the files of it.

    An ebook without a number, as the oldest were named, goes by the name of its file.

    >>> ebook_of("1/2/3/4/12345/12345-8.txt"), ebook_of("etext97/dvldc10.txt")
    (('12345', 4), ('dvldc10', 6))
    """
    stem = _plain_name(path).rsplit(".", 1)[0]
    zipped = _plain_name(path).endswith(".zip")
    if match := _GENERATED.match(stem):
        number, place = match[1], PREFERENCE["pg"]
    elif match := _NUMBERED.match(stem):
        number, place = match[1], PREFERENCE.get(match[2] or "", _OTHER_ENCODING)
    else:
        number, place = stem, PREFERENCE[""]
    old = _OLD in f"/{path.lower()}"
    return number, 2 * place + zipped + 100 * old


def best_files(paths: Iterable[str]) -> dict[str, str]:
    """Return for each ebook the path of the file that is read."""
    best: dict[str, tuple[int, str]] = {}
    for path in paths:
        ebook, place = ebook_of(path)
        best[ebook] = min(best.get(ebook, (place, path)), (place, path))
    return {ebook: path for ebook, (_, path) in best.items()}


def _gutenberg(
    config: BooksConfig, found: Sequence[BookFile], left_out: Counter[str]
) -> tuple[list[Unit], str]:
    """Return the units of Project Gutenberg, and the SHA-256 of what the catalogue says."""
    texts, rows, archives = _by_kind(found, left_out)
    named = {storage.basename(book.file.path): book.file.path for book in found}
    path = config.catalog or next((named[name] for name in CATALOGUE_NAMES if name in named), "")
    catalogue = read_catalogue(storage.absolute(path)) if path and found else {}
    beside = {
        match[1]: book.file.path
        for book in found
        if (match := re.search(r"pg(\d+)\.rdf$", book.file.path))
    }
    best = best_files(book.relative for book in texts)
    units = []
    relative = {book.file.path: book.relative for book in texts}
    for unit in _units(texts, f"{GUTENBERG}-{TEXTS}"):
        told = []
        for part in unit.parts:
            ebook, _ = ebook_of(relative[part.path])
            here, chosen = relative[part.path], best[ebook]
            told.append(
                _told(
                    ebook=ebook,
                    chosen=chosen if here != chosen and config.versions == "best" else "",
                    version=here if here != chosen else "",
                    relative=here,
                    facts=catalogue.get(ebook) or {},
                    rdf="" if ebook in catalogue else beside.get(ebook, ""),
                )
            )
        units.append(replace(unit, extra={"books": told}))
    # The numbers of rows and of members of a tar are known when they are read.
    place, every = storage.absolute(path) if catalogue else "", config.versions == "all"
    for book, kind in [*((book, ROWS) for book in rows), *((book, TAR) for book in archives)]:
        units += _one(book, f"{GUTENBERG}-{kind}", catalogue=place, all_versions=every)
    # What the catalogue says decides the bytes of a run: it must be the same when one goes on.
    return units, hashlib.sha256(to_bytes(catalogue)).hexdigest() if catalogue else ""


def _told(**values: Any) -> Facts:
    return {name: value for name, value in values.items() if value}


def _others(found: Sequence[BookFile], left_out: Counter[str]) -> list[Unit]:
    texts, rows, archives = _by_kind(found, left_out)
    relative = {book.file.path: book.relative for book in texts}
    units = [
        replace(unit, extra={"books": [{"relative": relative[part.path]} for part in unit.parts]})
        for unit in _units(texts, f"{BOOKS3}-{TEXTS}")
    ]
    for book, kind in [*((book, ROWS) for book in rows), *((book, TAR) for book in archives)]:
        units += _one(book, f"{BOOKS3}-{kind}")
    return units


def _units(books: Sequence[BookFile], kind: str) -> list[Unit]:
    files = [book.file for book in books]
    return many_per_unit(files, kind, max_files=FILES_PER_UNIT, max_bytes=BYTES_PER_UNIT)


def _one(book: BookFile, kind: str, **told: Any) -> list[Unit]:
    extra = {"books": [_told(relative=book.relative, **told)]}
    return [replace(unit, extra=extra) for unit in one_per_file([(book.file, kind)])]


def _by_kind(
    found: Iterable[BookFile], left_out: Counter[str]
) -> tuple[list[BookFile], list[BookFile], list[BookFile]]:
    kinds: dict[str, list[BookFile]] = {TEXTS: [], ROWS: [], TAR: []}
    for book in found:
        if storage.basename(book.file.path) in CATALOGUE_NAMES:
            continue
        if kind := kind_of(book.file.path):
            kinds[kind].append(book)
        else:
            left_out[storage.basename(book.file.path).rpartition(".")[2].lower()[:16]] += 1
    return kinds[TEXTS], kinds[ROWS], kinds[TAR]
