"""What readers share: raw records and their conversion, bad rows, unreadable files, repaired text.

A reader has two halves. The first frames: it is a generator that cuts a file into raw records,
each with its place, and looks at nothing but where a record begins and ends; it raises
``UnreadableFile`` only. The second converts: it is a pure function of one raw record, in which
everything is parsed that depends on the content. ``convert_each`` joins the two halves, and makes
a ``BadRow`` of a record whose conversion raises, so that no record can end a run.

Bad data never raises (docs/rules/sources.md 0.2.1): a row that cannot be used becomes a ``BadRow``,
and only a file that cannot be opened at all raises ``UnreadableFile``. An error of the stream
itself, such as a lost connection, is neither: it is passed on, so that the unit is tried again and
no good file is written off as damaged. ``Source`` tells the two apart.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, NoReturn, Protocol, TypeVar

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
REPLACEMENT_UTF8 = REPLACEMENT.encode()
# Of one row of a table, in any format. `contents` holds texts below 1 MiB (docs/rules/sources.md
# 1.1); JSON writes a byte in up to six.
MAX_ROW_BYTES = 8 << 20
DETAIL_CHARS = 80  # of a line or a value, enough to recognise it in the rejects


class UnreadableFile(Exception):  # noqa: N818 -- named for what it says of the file
    """A file as a whole cannot be read; the message names it, what is wrong, and what to do."""


@dataclass(slots=True)
class BadRow:
    """A row that could not be used: it is counted and reported, the file goes on.

    Reasons: ``bad_json``, ``missing_field``, ``wrong_type``, ``too_large`` (docs/rules/sources.md
    0.2.5), ``failed:NAME`` (the conversion raised the exception NAME), and ``truncated_file``,
    which stands for all rows that a damaged file may have held after it.
    """

    row: int  # number of the row in its file, from 0
    reason: str
    detail: str  # the field or the error, and the start of the line


# Failures of the machine, not of the data: they must never become verdicts on a record.
MACHINE_ERRORS = (OSError, MemoryError, ImportError)


class RawRecord(Protocol):
    """What a framing generator yields: its content is not looked at yet."""

    @property
    def row(self) -> int:
        """Place in the file, counted from 0, bad rows included."""


Raw = TypeVar("Raw", bound=RawRecord)
Converted = TypeVar("Converted")


def convert_each(
    records: Iterable[Raw | BadRow], convert: Callable[[Raw], Converted | BadRow | None]
) -> Iterator[Converted | BadRow]:
    """Yield what ``convert`` makes of each raw record, and the bad rows as they are.

    A record of which it makes None is left out. A record for which it raises an exception becomes
    a ``BadRow`` with the reason ``failed:NAME``; ``MACHINE_ERRORS`` are raised.
    """
    for record in records:
        if isinstance(record, BadRow):
            yield record
            continue
        try:
            converted = convert(record)
        except MACHINE_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 -- any other is the fault of the record
            converted = failed(record.row, error)
        if converted is not None:
            yield converted


def failed(row: int, error: Exception) -> BadRow:
    """Return the bad row for a record whose conversion raised ``error``."""
    return BadRow(row, f"failed:{type(error).__name__}", clip(str(error)))


@dataclass(frozen=True)
class NullRule:
    """Where a column is NULL by the definition of the export, told by cheaper columns.

    When the rule holds for as many rows as the file's own statistics count NULLs, those rows are
    the NULLs, and the column itself need not be fetched to know which.
    """

    columns: tuple[str, ...]
    holds: Callable[..., bool]  # of the values of those columns


# Columns of which only the presence matters: "" stands where there is a text.
Unread = Mapping[str, NullRule]


@dataclass(frozen=True)
class Layout:
    """What is wanted of the rows of a table."""

    columns: tuple[str, ...]  # whose values are wanted, in this order
    needed: tuple[str, ...] = ()  # those that must hold a text
    texts: tuple[str, ...] = ()  # those that must hold a text or NULL
    unread: Unread = field(default_factory=dict)

    @cached_property
    def texts_at(self) -> tuple[tuple[int, bool], ...]:
        """Where the values stand that must be texts, and whether they are needed."""
        columns = (*self.needed, *self.texts)
        return tuple((self.columns.index(column), column in self.needed) for column in columns)


@dataclass(slots=True)
class RawRow:
    """One row of a table as its format frames it; ``bigquery.values_of`` converts it."""

    row: int  # number of the row in its file, from 0, counting bad rows
    layout: Layout  # shared by the rows of a file
    # A line of JSON, the fields of an Avro record, or the values of a Parquet row: Arrow decodes
    # column by column, so that these are in the order of ``layout.columns`` already.
    data: bytes | dict[str, Any] | tuple[Any, ...]
    replaced: int = 0  # U+FFFD put where bytes were not text, as far as the framing decodes


# The values of one row, in the order of the columns asked for, None where a column is NULL or
# absent; and how many U+FFFD were put where bytes or surrogates were not text.
Values = tuple[tuple[Any, ...], int]


class Source(io.BufferedReader):
    """A caller's stream, from its start, which remembers whether it failed by itself.

    Closing it leaves the caller's stream open.
    """

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self._watched = _Watched(stream)
        super().__init__(self._watched, 1 << 16)

    def raise_own_error(self) -> None:
        """Raise again the error that came from the stream, if one did."""
        if self._watched.error is not None:
            raise self._watched.error


class _Watched(io.RawIOBase):
    """Passes reads on and keeps the first error."""

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
    """Raise the stream's own error if it failed, else say that file ``name`` is unreadable."""
    source.raise_own_error()
    because = f" ({clip(str(error))})" if error else ""
    raise UnreadableFile(f"{name}: {problem}{because}") from error


def decode(data: bytes) -> tuple[str, int]:
    r"""Decode UTF-8, U+FFFD in place of what is not; returns the text and how many were put.

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
        the value, and the sum of the replacements that ``repair`` counted.

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
    """Put U+FFFD in place of lone surrogates, which no encoding can write; and count them."""
    return LONE_SURROGATE.subn(REPLACEMENT, text)


def clip(text: str) -> str:
    r"""Shorten ``text`` for a detail: ``DETAIL_CHARS`` characters, on one line.

    >>> clip("one\ntwo " + "x" * 100)[-10:]
    'xxxxxxxxx…'
    """
    text = " ".join(text[: 2 * DETAIL_CHARS].split())
    return text if len(text) <= DETAIL_CHARS else text[: DETAIL_CHARS - 1] + "…"


def show(columns: Iterable[str], values: Iterable[Any]) -> str:
    """Write the start of a row, whatever format it came from, for a detail."""
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
