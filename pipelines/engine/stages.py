"""Stages apply filters to the documents of a source.

A stage is called with a document, may change it, and returns whether it is kept. The ledger
(``ledger``) calls the stages of a unit in order and counts what they decide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document

# The size cap of one document (docs/rules/sources.md 0.2, rule 5): no book is as long.
MAX_CHARACTERS = 64_000_000


class Stage(Protocol):
    """One stage of a source, which may change a document and says whether it is kept.

    A stage may have ``notes``, a counter that is added to the notes of the unit's ledger, and
    ``tables``, counters by name that are added to its tables. It may have a method ``load()``,
    which is called before the first document. What ``load`` raises is a fault of the machine or of
    the unit's file, never of a document.
    """

    @property
    def name(self) -> str:
        """The name in the ledger and the report, e.g. ``github.quality``."""

    def __call__(self, document: Document) -> Verdict:
        """Return the verdict on the document; the stage may change it."""


def _places(columns: Sequence[str]) -> tuple[tuple[bool, str], ...]:
    """Return for each column whether it is a key of ``meta``, and its name there."""
    return tuple((name.startswith("meta."), name.removeprefix("meta.")) for name in columns)


def _values(places: Sequence[tuple[bool, str]], document: Document) -> list[Any]:
    meta = document.meta
    return [meta.get(name) if in_meta else getattr(document, name) for in_meta, name in places]


@dataclass(frozen=True)
class Keep:
    """Keep the documents that ``check`` keeps."""

    name: str
    check: Callable[..., Verdict]  # a module-level function or a partial of one, for pickling
    columns: tuple[str, ...] = ("text",)  # the arguments of ``check``: columns, or "meta.KEY"

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", _places(self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Return the filter's verdict on the document."""
        return self.check(*_values(self._places, document))  # type: ignore[attr-defined] # __post_init__


@dataclass(frozen=True)
class Rewrite:
    """Replace a column by the result of ``rewrite``."""

    name: str
    rewrite: Callable[..., str]
    columns: tuple[str, ...] = ("text",)  # the arguments; the first is the column to replace

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", _places(self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the column; every document stays."""
        value = self.rewrite(*_values(self._places, document))  # type: ignore[attr-defined] # as above
        setattr(document, self.columns[0], value)
        return KEEP


@dataclass(frozen=True)
class Score:
    """Write the result of ``score`` into a column, or into one or several ``meta`` keys."""

    name: str
    score: Callable[..., Any]
    into: str  # a column, "meta.KEY", or "meta" for a mapping of keys
    columns: tuple[str, ...] = ("text",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", _places(self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Score the document; every document stays."""
        value = self.score(*_values(self._places, document))  # type: ignore[attr-defined] # as above
        if self.into == "meta":
            document.meta.update(value)
        elif self.into.startswith("meta."):
            document.meta[self.into.removeprefix("meta.")] = value
        else:
            setattr(document, self.into, value)
        return KEEP


def check_text(
    text: str, *, max_characters: int = MAX_CHARACTERS, carriage_returns: bool = False
) -> Verdict:
    r"""Check the contract that the text of every document keeps (docs/rules/sources.md 0.1).

    A text is valid Unicode, has no NUL, ends its lines with ``\n``, and is not blank. A profile
    that repeats the work of others may allow ``carriage_returns``.

    >>> check_text("a\x00b").reason
    'nul_character'
    """
    if not text or text.isspace():
        return drop("empty")
    if len(text) > max_characters:
        return drop("too_large", f"{len(text)} characters")
    if "\0" in text:
        return drop("nul_character")
    if "\r" in text and not carriage_returns:
        return drop("carriage_return")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return drop("lone_surrogate", f"at character {error.start}")
    return KEEP
