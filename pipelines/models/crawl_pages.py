"""Pages of Common Crawl in one language, from which models are trained.

Inputs are complete runs of Common Crawl, or WET files. WET files are processed as CCNet does
(docs/rules/web.md 2 to 5): pages have at least 300 characters, paragraphs that occur in two pages
are removed, and the language is identified. Paragraphs are compared across all files that are named
together. That takes 8 bytes of memory per line, about 20 MB per WET file of 45,000 pages, so name
dozens of files and not a dump.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.commoncrawl.langid import identify
from filters.commoncrawl.paragraphs import paragraph_keys, remove_paragraphs
from filters.fasttext.model import load_fasttext
from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run, open_completed
from pipelines.joins.keys import Keys, UnitKeys, among, duplicated_keys
from pipelines.readers.rows import BadRow
from pipelines.readers.wet import WetPage, read_wet
from pipelines.setup.langid import find_langid
from pipelines.storage import files as storage
from tokenizer.files import sha256_of

SOURCE = "commoncrawl"
MIN_CHARS = 300  # in a page, before any other step (docs/rules/web.md 2.3)
# The stage that drops pages of other languages. Pages that later stages reject have the right
# language, and have a perplexity.
LANGUAGE_STAGE = "commoncrawl.language"
_BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class CrawlPage:
    """A page in the language asked for, after deduplication."""

    url: str
    text: str
    digest: str  # of the page as it was fetched, or of the text if the input has no digest
    bucket: str = ""  # perplexity bucket; "" for pages of WET files


@dataclass(frozen=True)
class CrawlPages:
    """The pages of some inputs, which each iteration reads again in the same order.

    Attributes:
        runs: complete runs of Common Crawl.
        files: WET files.
        lang: language of the pages.
        langid: path of the fastText model that identifies the language in WET files.
        min_score: lowest score of the language in WET files, 0 to 1.
        all_buckets: whether to include the pages of runs that were rejected for their perplexity
            or by a later stage.
    """

    runs: tuple[Run, ...]
    files: tuple[storage.InputFile, ...]
    lang: str
    langid: str
    min_score: float
    all_buckets: bool

    def identity(self) -> dict[str, Any]:
        """Return what identifies these pages: the manifests of runs and the sizes of files."""
        runs = [storage.read_bytes(run.at("COMPLETED")).decode().strip() for run in self.runs]
        files = [f"{storage.basename(file.path)} ({file.size} bytes)" for file in self.files]
        told: dict[str, Any] = {"lang": self.lang, "input": [*runs, *files]}
        if self.files:
            told |= {"langid_sha256": sha256_of(Path(self.langid)), "min_score": self.min_score}
        return told

    def __iter__(self) -> Iterator[CrawlPage]:
        """Yield the pages.

        Raises:
            UnreadableFile: a file has no record.
        """
        for run in self.runs:
            for folder in ("documents", "rejects") if self.all_buckets else ("documents",):
                for part in run.documents() if folder == "documents" else run.rejects():
                    yield from _of_rows(run.at(part.path), self.lang)
        if self.files:
            model = load_fasttext(self.langid)
            for file in self.files:
                for page in _long_pages(file.path):
                    if not (text := self._deduplicated(page.text)):
                        continue
                    found = identify(model, text)
                    if found.code == self.lang and found.score >= self.min_score:
                        yield CrawlPage(page.url, text, page.digest or digest_of(text))

    def _deduplicated(self, text: str) -> str:
        keys = paragraph_keys(text)
        left = remove_paragraphs(text, keys, among(keys, self._duplicates))
        return left.text if left else ""

    @cached_property
    def _duplicates(self) -> Keys:
        """The keys of the lines that occur in two pages, sorted."""
        claims = []
        for file in self.files:
            held = UnitKeys()
            for page in _long_pages(file.path):
                held.add(page.row, paragraph_keys(page.text))
            table = held.claims()
            claims.append((table["key"].to_numpy(), table["many"].to_numpy()))
        return duplicated_keys(claims)


def find_crawl_pages(
    inputs: Sequence[str], *, lang: str, langid: str, min_score: float, all_buckets: bool
) -> CrawlPages:
    """Find runs and WET files.

    Args:
        inputs: run directories, WET files, or patterns of them.
        lang: language of the pages.
        langid: path of the fastText model for WET files; "" takes the one of set-up.
        min_score: lowest score of the language in WET files, 0 to 1.
        all_buckets: whether to include the pages of runs that were rejected for their perplexity
            or by a later stage.

    Raises:
        RunError: an input is neither a run nor a WET file, or a run is not complete or does not
            hold its rejected pages.
        StorageError: an input does not exist.
        SetupError: there is no model that identifies languages.
    """
    is_run = {path: storage.exists(storage.join(path, "config.json")) for path in inputs}
    runs = tuple(open_completed(path) for path in sorted(inputs) if is_run[path])
    others = [path for path in inputs if not is_run[path]]
    files = tuple(storage.find_inputs(others)) if others else ()
    for run in runs:
        if run.source != SOURCE:
            raise RunError(f"{run.path} is a run of {run.source}; name one of {SOURCE}.")
        if all_buckets:
            _check_buckets(run)
    for file in files:
        if ".wet" not in storage.basename(file.path):
            raise RunError(
                f"{file.path}: neither a run of {SOURCE} nor a WET file (*.warc.wet.gz). Run "
                f"`python -m pipelines {SOURCE}` on other files first and name its run."
            )
    if files:
        langid = langid or str(find_langid())
    return CrawlPages(runs, files, lang, langid, min_score, all_buckets)


def _check_buckets(run: Run) -> None:
    """Refuse a run that did not keep all pages that it rejected."""
    config = run.read_json("config.json")["config"]
    if config.get("profile") != "cc_net" and config.get("rejects") != "all":
        raise RunError(
            f"{run.path} was made with --rejects {config.get('rejects')}, so pages of high "
            "perplexity are missing and the cutoffs would be too low. Name WET files, or a run "
            "made with --rejects all."
        )


def _of_rows(path: str, lang: str) -> Iterator[CrawlPage]:
    """Yield the pages of one language from a file of documents or rejects."""
    with storage.open_input(path) as stream:
        file = pq.ParquetFile(stream)
        columns = ["url", "text", "lang", "meta", "stage"]
        present = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(_BATCH_ROWS, columns=present, use_threads=False):
            wanted = pc.equal(batch["lang"], lang)
            if "stage" in present:
                wanted = pc.and_(wanted, pc.not_equal(batch["stage"], LANGUAGE_STAGE))
            for row in batch.filter(wanted).to_pylist():
                meta = json.loads(row["meta"])
                digest = str(meta.get("digest") or digest_of(row["text"]))
                bucket = str(meta.get("bucket") or "")
                yield CrawlPage(row["url"] or "", row["text"], digest, bucket)


def _long_pages(path: str) -> Iterator[WetPage]:
    with storage.open_input(path) as stream:
        for page in read_wet(stream, path):
            if not isinstance(page, BadRow) and len(page.text) >= MIN_CHARS:
                yield page


def digest_of(text: str) -> str:
    """Return the SHA-1 of a text, for pages without a digest."""
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def rank_of(text: str, seed: int, purpose: str) -> int:
    """Return the rank of a page in a random order of all pages: a 64-bit hash of its url.

    Args:
        text: the url.
        seed: each seed gives another order.
        purpose: orders for different purposes are independent of each other.
    """
    content = f"{seed}\n{purpose}\n{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
