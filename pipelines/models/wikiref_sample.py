"""Choose the pages that the classifier of Wikipedia's references is trained on.

The rules are docs/rules/web.md 8.3. Pages are joined with the references by 64-bit hashes of their
urls, in sorted arrays. Memory holds 8 bytes per reference (24 while they are sorted), 40 bytes per
cited page, and at most four times as many other pages as could be needed. That is about a gigabyte
for 40 million references and any number of pages. With 64 bits, the join of 10^8 pages with 4 x
10^7 references has a wrong match by chance once in 5,000 joins.
"""

import hashlib
import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from filters.urls import host_of, normalize_url, registered_domain
from pipelines.joins.keys import Keys, among
from pipelines.models.crawl_pages import CrawlPage, rank_of

Match = Literal["url", "host"]
_CHUNK = 65_536  # pages that are joined at a time

# A page that may be chosen: its number among all pages, and the hashes that decide it.
CANDIDATE = np.dtype(
    [("index", "<u8"), ("rank", "<u8"), ("url", "<u8"), ("digest", "<u8"), ("domain", "<u8")]
)
Candidates = npt.NDArray[np.void]


def key_of(text: str) -> int:
    """Return a 64-bit hash of a text."""
    content = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


@dataclass(frozen=True)
class References:
    """The urls and hosts that Wikipedia cites, as sorted keys."""

    urls: Keys
    hosts: Keys
    read: int  # how many references were read, repeats included

    @classmethod
    def of(cls, urls: Iterable[str]) -> "References":
        """Return the keys of urls as Wikipedia writes them, without what is no web address."""
        of_urls, of_hosts = array("Q"), set()
        read = 0
        for url in urls:
            read += 1
            if normalized := normalize_url(url):
                of_urls.append(key_of(normalized))
                of_hosts.add(key_of(host_of(url)))
        keys = np.unique(np.frombuffer(of_urls, np.uint64)) if of_urls else np.zeros(0, np.uint64)
        return cls(keys, np.array(sorted(of_hosts), np.uint64), read)


@dataclass
class Sample:
    """The chosen pages, by their numbers among all pages.

    Attributes:
        references: numbers of cited pages.
        others: numbers of pages that are not cited.
        random: numbers of a random sample of all pages, long or short, cited or not.
        counts: how many pages there were at each step.
    """

    references: list[int]
    others: list[int]
    random: list[int]
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class SampleRules:
    """How pages are chosen.

    Attributes:
        match: whether Wikipedia must cite the url of a page, or only its host.
        min_chars: characters of a page, at least.
        max_per_domain: cited pages of one registered domain, at most.
        max_references: cited pages in all, at most.
        ratio: other pages per cited page.
        random: size of the random sample.
        seed: each seed chooses other pages.
    """

    match: Match
    min_chars: int
    max_per_domain: int
    max_references: int
    ratio: float
    random: int
    seed: int

    @property
    def most_others(self) -> int:
        """The most pages that are not cited which may be needed."""
        return round(self.max_references * self.ratio)


def choose(pages: Iterable[CrawlPage], references: References, rules: SampleRules) -> Sample:
    """Choose the pages to train on, by hashes of their urls.

    Of several pages with the same url or the same digest, one is taken.
    """
    counts: Counter[str] = Counter()
    cited: list[Candidates] = []
    pool = np.zeros(0, CANDIDATE)
    random: list[tuple[int, int]] = []  # a heap of (-rank, -number)
    chunk: list[tuple[int, CrawlPage, str]] = []

    def join() -> None:
        nonlocal pool
        found, rest = _join(chunk, references, rules, counts)
        cited.append(found)
        pool = _lowest(np.concatenate([pool, rest]), 2 * rules.most_others)
        chunk.clear()

    for index, page in enumerate(pages):
        counts["pages"] += 1
        entry = (-rank_of(page.url, rules.seed, "random"), -index)
        if len(random) < rules.random:
            heapq.heappush(random, entry)
        elif random:
            heapq.heappushpop(random, entry)
        if len(page.text) < rules.min_chars:
            continue
        counts["long_enough"] += 1
        if normalized := normalize_url(page.url):
            # The text is no longer needed, and a chunk of texts would be large.
            chunk.append((index, CrawlPage(page.url, "", page.digest), normalized))
        if len(chunk) >= _CHUNK:
            join()
    join()
    chosen = _choose_cited(np.concatenate([np.zeros(0, CANDIDATE), *cited]), rules, counts)
    wanted = round(len(chosen) * rules.ratio)
    pool = pool[~among(pool["digest"], np.sort(chosen["digest"]))]
    others = _once(_once(pool, "url"), "digest")[:wanted]
    counts["others_chosen"] = len(others)
    return Sample(
        sorted(chosen["index"].tolist()),
        sorted(others["index"].tolist()),
        sorted(-index for _, index in random),
        counts,
    )


def _join(
    chunk: list[tuple[int, CrawlPage, str]],
    references: References,
    rules: SampleRules,
    counts: Counter[str],
) -> tuple[Candidates, Candidates]:
    """Split the pages of a chunk into cited pages and others."""
    urls = np.array([key_of(url) for _, _, url in chunk], np.uint64)
    hosts = np.array([key_of(host_of(page.url)) for _, page, _ in chunk], np.uint64)
    by_url, by_host = among(urls, references.urls), among(hosts, references.hosts)
    counts["cited_by_url"] += int(by_url.sum())
    counts["on_cited_hosts"] += int(by_host.sum())
    is_cited = by_url if rules.match == "url" else by_host
    table = np.zeros(len(chunk), CANDIDATE)
    table["url"] = urls
    for row, (index, page, _) in enumerate(chunk):
        purpose = "reference" if is_cited[row] else "other"
        # Finding a domain is slow, and only the domains of cited pages are needed.
        domain = key_of(registered_domain(page.url)) if is_cited[row] else 0
        rank = rank_of(page.url, rules.seed, purpose)
        table[row] = (index, rank, urls[row], key_of(page.digest), domain)
    return table[is_cited], table[~is_cited]


def _choose_cited(cited: Candidates, rules: SampleRules, counts: Counter[str]) -> Candidates:
    cited = _once(cited, "url")
    counts["cited_once_by_url"] = len(cited)
    cited = _once(cited, "digest")
    counts["cited_once_by_digest"] = len(cited)
    cited = cited[_number_in_group(cited["domain"]) < rules.max_per_domain]
    counts["cited_within_domain_limit"] = len(cited)
    counts["domains"] = len(np.unique(cited["domain"]))
    chosen = cited[: rules.max_references]
    counts["references_chosen"] = len(chosen)
    return chosen


def _lowest(table: Candidates, limit: int) -> Candidates:
    """Return the ``limit`` rows of lowest rank with distinct urls and digests, or a few more."""
    if len(table) <= 2 * limit:  # do this rarely, and not for every chunk
        return table
    return _once(_once(table, "url"), "digest")[:limit]


def _once(table: Candidates, column: str) -> Candidates:
    """Return for each value of a column the row of lowest rank, sorted by rank."""
    table = table[np.lexsort((table["index"], table["rank"]))]
    _, first = np.unique(table[column], return_index=True)
    return table[np.sort(first)]


def _number_in_group(groups: Keys) -> npt.NDArray[np.int64]:
    """Return for each row how many earlier rows have the same value."""
    order = np.argsort(groups, kind="stable")
    in_order = groups[order]
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]][: len(groups)])
    lengths = np.diff(np.r_[starts, len(groups)])
    numbers = np.empty(len(groups), np.int64)
    numbers[order] = np.arange(len(groups)) - np.repeat(starts, lengths)
    return numbers


def read_chosen(
    pages: Iterable[CrawlPage], places: Iterable[int], take: Callable[[int, CrawlPage], None]
) -> None:
    """Read the pages again, and call ``take`` with those whose numbers are in ``places``."""
    wanted = set(places)
    for index, page in enumerate(pages):
        if index in wanted:
            take(index, page)
