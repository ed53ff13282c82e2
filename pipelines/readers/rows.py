"""Raw records and their conversion, bad rows, unreadable files and repaired text, for all readers.

A reader has two halves. The first is a generator that frames: it cuts a file into raw records,
each with its place, and determines only where a record begins and ends; it raises only
``UnreadableFile``. The second is a pure function that converts one raw record: it parses
everything that depends on the content. ``convert_each`` joins the two halves, and turns a record
whose conversion raises into a ``BadRow``, so that no record can end a run.

Bad data never raises (docs/rules/sources.md 0.2.1): a row that cannot be used becomes a ``BadRow``,
and only a file that cannot be opened at all raises ``UnreadableFile``. An error of the stream
itself, such as a lost connection, is neither: it is passed on, so that the unit is tried again and
a good file is not reported as damaged. ``Source`` distinguishes the two.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, NoReturn, Protocol, TypeVar

from tokenizer.errors import UserError

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
REPLACEMENT_UTF8 = REPLACEMENT.encode()
# The limit of one row of a table, in any format. `contents` holds texts below 1 MiB
# (docs/rules/sources.md 1.1), and JSON writes a byte as up to six bytes.
MAX_ROW_BYTES = 8 << 20
DETAIL_CHARS = 80  # of a line or a value: enough to recognise it in the rejects


class UnreadableFile(UserError):  # noqa: N818 -- named for what it says of the file
    """A file as a whole cannot be read; the message names it, what is wrong, and what to do."""


@dataclass(slots=True)
class BadRow:
    """A row that cannot be used: it is counted and reported, and the file is read on.

    Reasons: ``bad_json``, ``missing_field``, ``wrong_type``, ``too_large`` (docs/rules/sources.md
    0.2.5), ``failed:NAME`` (the conversion raised the exception NAME), and ``truncated_file``,
    which represents all rows that a damaged file may have held from there on.
    """

    row: int  # number of the row in its file, from 0
    reason: str
    detail: str  # the field or the error, and the start of the line


# These are failures of the machine, not of the data: they must never become verdicts on a record.
MACHINE_ERRORS = (OSError, MemoryError, ImportError)


class RawRecord(Protocol):
    """A record that a framing generator yields; its content is not parsed yet."""

    @property
    def row(self) -> int:
        """The place in the file, counted from 0, with bad rows included."""


Raw = TypeVar("Raw", bound=RawRecord)
Converted = TypeVar("Converted")


def convert_each(
    records: Iterable[Raw | BadRow], convert: Callable[[Raw], Converted | BadRow | None]
) -> Iterator[Converted | BadRow]:
    """Yield the result of ``convert`` for each raw record, and the bad rows unchanged.

    A record for which ``convert`` returns None is left out. A record for which it raises an
    exception becomes a ``BadRow`` with the reason ``failed:NAME``; ``MACHINE_ERRORS`` are raised.
    """
    for record in records:
        if (converted := convert_one(record, convert)) is not None:
            yield converted


def convert_one(
    record: Raw | BadRow, convert: Callable[[Raw], Converted | BadRow | None]
) -> Converted | BadRow | None:
    """Return the result of ``convert`` for one raw record, as ``convert_each`` yields it."""
    if isinstance(record, BadRow):
        return record
    try:
        return convert(record)
    except MACHINE_ERRORS:
        raise
    except Exception as error:  # noqa: BLE001 -- any other is the fault of the record
        return failed(record.row, error)


def failed(row: int, error: Exception) -> BadRow:
    """Return the bad row for a record whose conversion raised ``error``."""
    return BadRow(row, f"failed:{type(error).__name__}", clip(str(error)))


@dataclass(frozen=True)
class NullRule:
    """A rule that derives from cheaper columns in which rows the export defines a column as NULL.

    If the rule holds for as many rows as the file's own statistics count NULLs, those rows are
    the NULLs, and the column itself need not be fetched.
    """

    columns: tuple[str, ...]
    holds: Callable[..., bool]  # of the values of those columns


# Columns of which only the presence matters: their value is "" in rows that have a text.
Unread = Mapping[str, NullRule]


@dataclass(frozen=True)
class Layout:
    """The columns that are read from the rows of a table, and the checks on them."""

    columns: tuple[str, ...]  # the columns to return, in this order
    needed: tuple[str, ...] = ()  # the columns that must hold a text
    texts: tuple[str, ...] = ()  # the columns that must hold a text or NULL
    unread: Unread = field(default_factory=dict)

    @cached_property
    def texts_at(self) -> tuple[tuple[int, bool], ...]:
        """The places of the values that must be texts, and whether each is needed."""
        columns = (*self.needed, *self.texts)
        return tuple((self.columns.index(column), column in self.needed) for column in columns)


@dataclass(slots=True)
class RawRow:
    """One row of a table as its format frames it; ``bigquery.values_of`` converts it."""

    row: int  # number of the row in its file, from 0, counting bad rows
    layout: Layout  # shared by the rows of a file
    # A line of JSON, the fields of an Avro record, or the values of a Parquet row. Arrow decodes
    # column by column, so the values of a Parquet row have the order of ``layout.columns``.
    data: bytes | dict[str, Any] | tuple[Any, ...]
    replaced: int = 0  # how many U+FFFD replaced bytes that are not text, if the framing decodes


# The values of one row, in the order of the requested columns, with None for a column that is NULL
# or absent; and the number of U+FFFD that replaced bytes or surrogates that were not text.
Values = tuple[tuple[Any, ...], int]


class Source(io.BufferedReader):
    """A caller's stream, read from its start, that remembers an error of the stream itself.

    The caller's stream stays open when this one is closed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self._watched = _Watched(stream)
        super().__init__(self._watched, 1 << 16)

    def raise_own_error(self) -> None:
        """Raise the error that came from the stream again, if there was one."""
        if self._watched.error is not None:
            raise self._watched.error


class _Watched(io.RawIOBase):
    """A stream that passes reads on and keeps the latest error."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(len(buffer))
        except Exception as error:
            self.error = error
            raise
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self.stream.seek(offset, whence)
        except Exception as error:
            self.error = error
            raise

    def tell(self) -> int:
        return self.stream.tell()


def unreadable(source: Source, name: str, problem: str, error: Exception | None = None) -> NoReturn:
    """Raise the stream's own error if it failed, else report that file ``name`` is unreadable."""
    source.raise_own_error()
    because = f" ({clip(str(error))})" if error else ""
    raise UnreadableFile(f"{name}: {problem}{because}") from error


def decode(data: bytes) -> tuple[str, int]:
    r"""Decode UTF-8 with U+FFFD for invalid bytes; return the text and the number of U+FFFD.

    >>> decode(b"caf\xe9")
    ('caf\ufffd', 1)
    """
    try:
        return data.decode(), 0
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        return text, text.count(REPLACEMENT) - data.count(REPLACEMENT_UTF8)


def repair_texts(value: Any, repair: Callable[[str], tuple[str, int]]) -> tuple[Any, int]:
    r"""Apply ``repair`` to every string of a JSON-like value.

    Returns:
        the repaired value, and the sum of the replacements that ``repair`` counted.

    >>> repair_texts({"name": ["\ud83d"]}, without_surrogates)
    ({'name': ['\ufffd']}, 1)
    """
    if isinstance(value, str):
        return repair(value)
    if isinstance(value, list):
        pairs = [repair_texts(item, repair) for item in value]
        return [item for item, _ in pairs], sum(count for _, count in pairs)
    if isinstance(value, dict):
        items, count = repair_texts([[key, item] for key, item in value.items()], repair)
        return dict(items), count
    return value, 0


def without_surrogates(text: str) -> tuple[str, int]:
    """Replace lone surrogates, which no encoding can write, by U+FFFD, and count them."""
    return LONE_SURROGATE.subn(REPLACEMENT, text)


def clip(text: str) -> str:
    r"""Shorten ``text`` for a detail to one line of at most ``DETAIL_CHARS`` characters.

    >>> clip("one\ntwo " + "x" * 100)[-10:]
    'xxxxxxxxx…'
    """
    text = " ".join(text[: 2 * DETAIL_CHARS].split())
    return text if len(text) <= DETAIL_CHARS else text[: DETAIL_CHARS - 1] + "…"


def show(columns: Iterable[str], values: Iterable[Any]) -> str:
    """Format the start of a row of any format for a detail."""
    present = {
        column: value[:DETAIL_CHARS]
        if isinstance(value, str)
        else value
        if isinstance(value, int | float)
        else type(value).__name__
        for column, value in zip(columns, values, strict=True)
        if value is not None
    }
    return clip(json.dumps(present, ensure_ascii=False))
