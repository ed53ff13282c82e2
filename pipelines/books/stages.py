"""The stages that a book goes through, in the order of docs/rules/sources.md 3."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from filters.books import layout, quality
from filters.books.envelope import drop_transcriber_notes, strip_envelope
from filters.verdict import KEEP, Verdict, drop
from pipelines.books.config import BooksConfig
from pipelines.engine.documents import Document
from pipelines.engine.stages import Keep, Rewrite, Stage


def stages(config: BooksConfig, *, gutenberg: bool) -> list[Stage]:
    """Return the stages of a book of Project Gutenberg, or of another collection."""
    catalogued = partial(
        quality.check_catalogue,
        languages=frozenset(config.languages),
        keep_copyrighted=config.keep_copyrighted,
    )
    rewriting: list[Stage] = [Rewrite("books.lines", layout.unify_lines)]
    if gutenberg:
        rewriting.append(RemoveEnvelope())
    if config.drop_transcriber_notes:
        rewriting.append(Rewrite("books.notes", drop_transcriber_notes))
    if config.unwrap:
        rewriting.append(Rewrite("books.unwrap", layout.unwrap))
    length = partial(quality.check_length, min_words=config.min_words)
    letters = partial(quality.check_letters, min_alnum_ratio=config.min_alnum_ratio)
    damage = partial(quality.check_damage, max_damaged_ratio=config.max_damaged_ratio)
    return [
        *([Keep("books.version", check_version, ("meta.chosen",))] if gutenberg else []),
        Keep("books.catalogue", catalogued, ("meta.rights", "meta.kind", "lang")),
        *rewriting,
        Keep("books.length", length),
        Keep("books.letters", letters),
        Keep("books.damage", damage),
    ]


def check_version(chosen: str | None) -> Verdict:
    """Drop a file of an ebook of which a better one is read."""
    return drop("other_version", f"{chosen} is read") if chosen else KEEP


@dataclass
class RemoveEnvelope:
    """Remove what Project Gutenberg put around a text, and count what was found of it."""

    name: str = "books.envelope"
    notes: Counter[str] = field(default_factory=Counter)

    def __call__(self, document: Document) -> Verdict:
        """Keep every document; one without an envelope stays as it is."""
        stripped = strip_envelope(document.text)
        document.text = stripped.text
        if not stripped.marked:
            self.notes["no_marker"] += 1
        self.notes["no_start_line"] += stripped.marked and not stripped.start
        self.notes["no_end_line"] += stripped.marked and not stripped.end
        self.notes["legal_spans_removed"] += stripped.legal
        self.notes["credits_removed"] += stripped.credits
        return KEEP
