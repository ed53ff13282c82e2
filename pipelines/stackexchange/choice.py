"""Which sites are kept: those that are named, or the largest (docs/rules/sources.md 5.2).

Posts are counted where more dumps are given than may stay. A count reads a whole dump, so dumps are
counted side by side (decompression leaves the interpreter free), those that are too small to matter
are not counted, and counts are kept in the cache of this machine: a run that goes on does not count
again.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from filters.stackexchange import sites
from pipelines.engine.errors import RunError
from pipelines.readers.sevenzip import read_member
from pipelines.setup.cache import cache_folder
from pipelines.stackexchange.dumps import STREAM, Dump, open_pieces
from pipelines.storage import files as storage
from tokenizer.settings import nearest

# What is in every row of the kind, and in no body, where quotes and "<" are references.
QUESTION_OR_ANSWER = (b' PostTypeId="1"', b' PostTypeId="2"')
ROW = (b"<row ",)


@dataclass(frozen=True)
class Chosen:
    """The sites of a run, largest first where they were ranked."""

    dumps: Sequence[Dump]  # by site
    sites: Sequence[str]
    posts: dict[str, int]  # of the sites that were counted
    left_out: Sequence[str]


def choose(
    dumps: Sequence[Dump], wanted: Sequence[str], number: int, *, redpajama: bool = False
) -> Chosen:
    """Return the dumps of the sites that are wanted, or of the largest.

    Sites about sites (``*.meta.*``) are none of the largest; RedPajama v1 ranks them with the
    others, and counts all rows. Posts are counted only where there are more sites than may stay.

    Raises:
        RunError: a site that is wanted is not among the dumps.
        UnreadableFile: a dump cannot be read to be counted.
    """
    by_site = {dump.site: dump for dump in dumps}
    if wanted:
        for site in wanted:
            if site not in by_site:
                raise RunError(f"--sites: no dump of '{site}' in --input{nearest(site, by_site)}")
        chosen, posts = list(dict.fromkeys(wanted)), dict[str, int]()
    else:
        candidates = [dump for dump in dumps if redpajama or not sites.is_meta(dump.site)]
        chosen, posts = [dump.site for dump in candidates], {}
        if len(candidates) > number:
            posts = count_sites(candidates, number, ROW if redpajama else QUESTION_OR_ANSWER)
            chosen = sites.largest(posts, number)
    left_out = sorted(by_site.keys() - set(chosen))
    return Chosen([by_site[site] for site in sorted(chosen)], chosen, posts, left_out)


def count_sites(dumps: Sequence[Dump], number: int, needles: Sequence[bytes]) -> dict[str, int]:
    """Return the posts of each site that may be among the largest.

    Args:
        dumps: of all sites.
        number: of the largest sites.
        needles: what stands for a post: one of them is in its row, once.

    Raises:
        UnreadableFile: a dump cannot be read.
    """
    ordered = sorted(dumps, key=lambda dump: (-dump.size, dump.site))
    posts: dict[str, int] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in (ordered[:number], ordered[number:]):
            counted = [
                dump
                for dump in batch
                if dump.kind == STREAM or sites.may_be_among(dump.size, posts, number)
            ]
            counts = pool.map(partial(_known_count, needles), counted)
            posts |= zip((dump.site for dump in counted), counts, strict=True)
    return posts


def _known_count(needles: Sequence[bytes], dump: Dump) -> int:
    """Return the count of a dump from the cache, or count it."""
    file = dump.file
    named = json.dumps([file.path, file.size, file.version, dump.member, repr(needles)])
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
    path = cache_folder("stackexchange-posts") / digest
    with contextlib.suppress(OSError, ValueError):
        if file.version:
            return int(path.read_text("utf-8"))
    count = count_posts(dump, needles)
    with contextlib.suppress(OSError):
        if file.version:
            storage.write_bytes(str(path), str(count).encode())
    return count


def count_posts(dump: Dump, needles: Sequence[bytes]) -> int:
    """Return how often one of some strings of one length is in a Posts.xml."""
    tail = b""
    found = 0

    def take(data: bytes) -> None:
        nonlocal tail, found
        window = tail + data
        found += sum(window.count(needle) for needle in needles)
        tail = window[-len(needles[0]) + 1 :]  # too short to hold one

    with storage.open_input(dump.file.path) as stream:
        if dump.member:
            read_member(stream, dump.file.path, dump.member, take)
        else:
            for piece in open_pieces(stream, dump.file.path):
                if isinstance(piece, bytes):
                    take(piece)
    return found
