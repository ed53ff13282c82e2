"""Cut Wikipedia's dump files into work units (docs/rules/sources.md 2.1).

A multistream dump is cut where one of its bzip2 streams begins with a page. Its index lists those
places, but the first bytes of the streams identify them too: the plan searches for a stream near
each cut. So it need not read an index of hundreds of megabytes, or trust that the index belongs to
the file.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, BinaryIO

from filters.wikipedia.sites import load_site
from pipelines.engine.errors import RunError
from pipelines.engine.units import Unit, one_per_file
from pipelines.readers.compressed import BZ2_MAGIC, first_bytes, stream_starts
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage
from pipelines.wikipedia.export import SiteInfo
from pipelines.wikipedia.records import read_siteinfo

STATUS_FILE = "dumpstatus.json"
# How far to search for a stream near a cut: a stream of 100 pages takes about half a megabyte.
_SEARCH_BYTES = 8 << 20
_MISSES = 3  # so many searches in a row without a result mean that a file is one stream
_HEAD_BYTES = 1 << 12  # the first page of a stream must begin within these first bytes
_FILE_NAME = re.compile(
    r"(?P<wiki>[a-z0-9_]+wiki)-(?P<date>\d{8})-"
    r"(?P<kind>pages-(?:articles|meta-current|meta-history)(?:-multistream)?)(?P<part>\d*)"
    r"\.xml(?:-p(?P<first>\d+)p(?P<last>\d+))?\b"
)
_WIKI = re.compile(r"(?P<wiki>[a-z0-9_]+wiki)\b")
_DATE = re.compile(r"-(?P<date>\d{8})-")
_LARGEST_ID = 10**18


@dataclass(frozen=True, slots=True)
class DumpFile:
    """The facts in a dump file's name: it is one part, or all, of a wiki's dump of a date."""

    name: str
    wiki: str
    date: str  # YYYYMMDD
    kind: str
    part: str  # "" for a dump in one file
    first: int  # page ids that its part may hold
    last: int

    @classmethod
    def parse(cls, name: str) -> "DumpFile | None":
        """Parse a name in Wikimedia's form; return None for a name in another form."""
        if not (match := _FILE_NAME.match(name)):
            return None
        wiki, date, kind, part, first, last = match.groups()
        span = (int(first), int(last)) if first else (0, _LARGEST_ID)
        return cls(name, wiki, date, kind, part, *span)


def is_dump(name: str) -> bool:
    """Tell a dump from the files beside it: indexes, checksums, tables.

    >>> is_dump("dawiki-20220801-pages-articles-multistream.xml.bz2")
    True
    >>> is_dump("dawiki-20220801-pages-articles-multistream-index.txt.bz2")
    False
    """
    return bool(re.search(r"\.xml\b", name)) and not re.search(
        r"-index|-abstract|-stub-|-pages-logging|-siteinfo|-rss\.", name
    )


def find_units(
    files: Sequence[storage.InputFile], *, unit_bytes: int
) -> tuple[list[Unit], dict[str, str]]:
    """Cut the dumps among the inputs into units.

    Args:
        files: the inputs, sorted; files that are not dumps are ignored.
        unit_bytes: approximate compressed bytes per unit.

    Returns:
        the units, and the dumps that cannot be read, each with the reason.

    Raises:
        RunError: there is no dump, none can be read, several hold the same pages, or the language
            of one is unknown.
    """
    dumps = [file for file in files if is_dump(storage.basename(file.path))]
    if not dumps:
        raise RunError(
            f"no dump among the {len(files)} inputs, such as {storage.basename(files[0].path)}. "
            "Give --input pages-articles dumps: WIKI-DATE-pages-articles-multistream.xml.bz2"
        )
    check_names([storage.basename(file.path) for file in dumps])

    def look(file: storage.InputFile) -> tuple[SiteInfo, list[int]] | UnreadableFile:
        name = storage.basename(file.path)
        try:
            with storage.open_input(file.path) as stream:
                return read_siteinfo(stream, name), find_cuts(stream, file.size, unit_bytes)
        except UnreadableFile as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        looks = list(pool.map(look, dumps))
    units: list[Unit] = []
    unreadable: dict[str, str] = {}
    for whole, seen in zip(one_per_file([(file, "dump") for file in dumps]), looks, strict=True):
        if isinstance(seen, UnreadableFile):
            unreadable[whole.path] = str(seen)
        else:
            units += _ranges(whole, *seen)
    if not units:
        raise RunError(f"no dump can be read: {'; '.join(list(unreadable.values())[:3])}")
    return units, unreadable


def _ranges(whole: Unit, site: SiteInfo, cuts: Sequence[int]) -> list[Unit]:
    name = storage.basename(whole.path)
    wiki = _wiki_of(name, site)
    date = _DATE.search(name)
    facts: dict[str, Any] = {
        "wiki": wiki,
        "lang": language_of(wiki, name),
        "date": date["date"] if date else "",
        "namespaces": {str(key): text for key, text in sorted(site.namespaces.items())},
    }
    if not cuts:
        return [replace(whole, extra=facts)]
    ranges = pairwise([0, *cuts, whole.size])
    return [
        Unit(
            f"{whole.name}-{number:05d}",
            whole.kind,
            (replace(whole.parts[0], size=end - start, start=start, end=_end(end, whole)),),
            facts,
        )
        for number, (start, end) in enumerate(ranges)
    ]


def _end(offset: int, whole: Unit) -> int | None:
    return None if offset == whole.size else offset


def _wiki_of(name: str, site: SiteInfo) -> str:
    """Return the wiki that the file's name states, else the one that the dump itself names.

    The name comes first, since a user who puts pages under another dump's head chooses the name.
    """
    match = _WIKI.match(name)
    wiki = match["wiki"] if match else site.dbname
    if not wiki:
        raise RunError(
            f"{name}: neither its name nor its head says which Wikipedia it is of. "
            "Name it as Wikimedia does: WIKI-DATE-pages-articles.xml.bz2, WIKI such as dewiki"
        )
    return wiki


def language_of(wiki: str, name: str) -> str:
    """Return the language of a Wikipedia.

    Raises:
        RunError: the package has no data about the wikitext of this language.
    """
    lang = wiki.removesuffix("wiki").replace("_", "-")
    try:
        load_site(lang)
    except ValueError as error:
        raise RunError(f"{name}: {error}. Leave it out of --input") from error
    return lang


def find_cuts(stream: BinaryIO, size: int, unit_bytes: int) -> list[int]:
    """Return where to cut a dump: the ascending offsets of bzip2 streams that begin with a page.

    Each unit but the last holds at least ``unit_bytes``.
    """
    stream.seek(0)
    if stream.read(len(BZ2_MAGIC)) != BZ2_MAGIC:
        return []
    cuts: list[int] = []
    misses = 0
    target = unit_bytes
    while target < size and misses < _MISSES:
        for start in stream_starts(stream, target, min(size, target + _SEARCH_BYTES)):
            if first_bytes(stream, start, _HEAD_BYTES).lstrip().startswith(b"<page>"):
                cuts.append(start)
                target, misses = start + unit_bytes, 0
                break
        else:
            target, misses = target + max(unit_bytes, _SEARCH_BYTES), misses + 1
    return cuts


def check_names(names: Iterable[str]) -> None:
    """Refuse dumps that hold the same pages according to their names.

    Raises:
        RunError: there are two dates, two kinds, or overlapping parts of one wiki; the message
            names the files and says what to do.
    """
    by_wiki: dict[str, list[DumpFile]] = defaultdict(list)
    for name in names:
        if dump := DumpFile.parse(name):
            by_wiki[dump.wiki].append(dump)
    for dumps in by_wiki.values():
        dumps.sort(key=lambda dump: (dump.first, dump.part, dump.name))
        for one, two in pairwise(dumps):
            _check_pair(one, two)


def _check_pair(one: DumpFile, two: DumpFile) -> None:
    if one.date != two.date:
        why = "are dumps of two dates"
    elif one.kind != two.kind:
        why = "are two kinds of the same dump"
    elif one.part == two.part or not (one.part and two.part):
        why = "are the same part of a dump" if one.part == two.part else "are a dump and its part"
        if one.part == two.part and one.part and one.last < two.first:
            return  # larger wikis split their parts again, by page ids
    elif one.last < two.first or one.last == _LARGEST_ID == two.last:
        return
    else:
        why = "hold overlapping page ids"
    raise RunError(
        f"{one.name} and {two.name} {why}, and so hold the same pages. "
        "Leave one of them out of --input"
    )


def are_distinct(units: Iterable[Unit]) -> bool:
    """Tell whether the names of the files guarantee that no page occurs twice (``check_names``)."""
    return all(DumpFile.parse(storage.basename(unit.path)) for unit in units)


def check_status(files: Sequence[storage.InputFile], *, verify: bool) -> None:
    """Compare the inputs with the ``dumpstatus.json`` beside them, if there is one.

    Args:
        files: the inputs.
        verify: also read the files whole and compare their checksums.

    Raises:
        RunError: a dump is not finished, a file differs, or ``verify`` finds no checksum.
    """
    folders: dict[str, list[storage.InputFile]] = defaultdict(list)
    for file in files:
        if is_dump(storage.basename(file.path)):
            folders[file.path.removesuffix(storage.basename(file.path))].append(file)
    wanted: list[tuple[storage.InputFile, Mapping[str, Any]]] = []
    for folder, dumps in folders.items():
        path = f"{folder}{STATUS_FILE}"
        listed = _listed(path) if storage.exists(path) else {}
        for file in dumps:
            name = storage.basename(file.path)
            if name in listed:
                wanted.append((file, listed[name]))
            elif verify:
                raise RunError(
                    f"--verify: no {STATUS_FILE} beside {name} lists it. Fetch it from the "
                    "directory of the dump, or leave --verify out"
                )
    for file, facts in wanted:
        _check_size(file, facts)
    if verify:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(_check_hash, *zip(*wanted, strict=True)))


def _listed(path: str) -> dict[str, dict[str, Any]]:
    """Return the files of a ``dumpstatus.json``, each with the job that makes it and its status."""
    try:
        jobs = json.loads(storage.read_bytes(path))["jobs"]
        return {
            name: {**facts, "job": job, "status": about.get("status")}
            for job, about in jobs.items()
            for name, facts in about.get("files", {}).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} cannot be read: fetch it again, or remove it") from error


def _check_size(file: storage.InputFile, facts: Mapping[str, Any]) -> None:
    name = storage.basename(file.path)
    if facts["status"] != "done":
        raise RunError(
            f"{name}: the dump is not finished ({facts['job']} is {facts['status']}, says "
            f"{STATUS_FILE}). Wait for it and fetch both again, or take an earlier date"
        )
    if facts.get("size", file.size) != file.size:
        raise RunError(
            f"{name} has {file.size:,} bytes, {STATUS_FILE} says {facts['size']:,}. Fetch it again"
        )


def _check_hash(file: storage.InputFile, facts: Mapping[str, Any]) -> None:
    kind = next((kind for kind in ("sha1", "md5") if kind in facts), None)
    if kind is None:
        raise RunError(f"--verify: {STATUS_FILE} has no checksum of {storage.basename(file.path)}")
    found = hashlib.new(kind, usedforsecurity=False)
    with storage.open_input(file.path) as stream:
        while piece := stream.read(1 << 22):
            found.update(piece)
    if found.hexdigest() != facts[kind]:
        raise RunError(
            f"{storage.basename(file.path)}: its {kind} is {found.hexdigest()}, {STATUS_FILE} says "
            f"{facts[kind]}. Fetch it again"
        )
