"""Settings of the books."""

from dataclasses import dataclass
from typing import Literal

from tokenizer.settings import setting


@dataclass(frozen=True)
class BooksConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    gutenberg: tuple[str, ...] = setting(
        (), help="Project Gutenberg: a mirror tree, PG-19, zip files, or JSON lines"
    )
    books3: tuple[str, ...] = setting(
        (), help="Books3 or other books that you have: a tree or a tar of texts, or JSON lines"
    )
    catalog: str = setting(
        "",
        help="rdf-files.tar.bz2, pg_catalog.csv or PG-19's metadata.csv; one in the tree is found",
    )
    versions: Literal["best", "all"] = setting(
        "best", help="files of an ebook: the best one (-0, pg, -8, plain), or all"
    )
    languages: tuple[str, ...] = setting((), help="languages to keep, such as en; all if not given")
    keep_copyrighted: bool = setting(False, help="keep ebooks under copyright in the USA")
    min_words: int = setting(1000, at_least=0, help="words of a book, at least")
    min_alnum_ratio: float = setting(
        0.5, at_least=0, at_most=1, help="alphanumeric share of the characters, at least"
    )
    max_damaged_ratio: float = setting(
        0.005, at_least=0, at_most=1, help="share of U+FFFD among the characters, at most"
    )
    unwrap: bool = setting(False, help="join the lines of paragraphs; verse stays as it is")
    drop_transcriber_notes: bool = setting(False, help="remove [Transcriber's Note: ...]")
    overlap: float = setting(
        0.9,
        at_least=0,
        at_most=1,
        help="drop a book that shares more than this share of its 13-word shingles",
    )
    similarity: Literal["containment", "jaccard"] = setting(
        "containment", help="the share is that of the smaller book, or that of both together"
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")
