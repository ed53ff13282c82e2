"""Books: Project Gutenberg and Books3 (LLaMA, section 2.1, "Gutenberg and Books3", 4.5 %).

The rules are docs/rules/sources.md 3. In order:

1. of the files of an ebook the best is read; what the catalogue says is no text, or is under
   copyright, is dropped;
2. the envelope of Project Gutenberg is removed;
3. texts that are short, damaged, or mostly no letters are dropped;
4. of books with more than 90 % of the smaller one's content in common, the longest is kept.

Books3 was withdrawn by those who published it: it is read from a path that the user gives, and
never fetched.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from filters.books.quality import REPLACEMENT
from filters.word_hashes import text_key
from pipelines.books.config import BooksConfig
from pipelines.books.files import GUTENBERG, find
from pipelines.books.records import converter, records
from pipelines.books.stages import stages
from pipelines.engine.documents import Document
from pipelines.engine.passes import Write
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Stage
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Unit
from pipelines.joins.overlap import Overlap


def book_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a book on its normalised text, and its rank among equally long ones.

    Project Gutenberg comes first, since its licence is clear; then fewer U+FFFD, then the id, by
    number where it is one.
    """
    name = document.id.partition(":")[2]
    rank = (
        "0" if document.source == GUTENBERG else "1",
        f"{document.text.count(REPLACEMENT):012d}",
        f"{int(name):012d}" if name.isdecimal() and len(name) < 12 else f"~{name}",
        document.id,
    )
    return {
        "claim_key": text_key(document.text),
        "claim_rank": "\0".join(rank).encode("utf-8", "replace"),
        "claim_count": 1,
    }


def document_id(rank: bytes) -> str:
    """Return the id at the end of a rank."""
    return rank.rpartition(b"\0")[2].decode()


def book_stages(config: BooksConfig, unit: Unit, _verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of the books of a unit."""
    return stages(config, gutenberg=unit.kind.startswith(GUTENBERG))


def phases(config: BooksConfig, _units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with books, in order."""
    overlap = Overlap(
        "books.overlap",
        book_claim,
        threshold=config.overlap,
        jaccard=config.similarity == "jaccard",
        describe=document_id,
    )
    read = Write("read", records, converter, partial(book_stages, config), staged=overlap.staged)
    return [read, overlap]


BOOKS = Source("books", BooksConfig, find, phases)
