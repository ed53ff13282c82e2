"""What readers of row files share: a row, a bad row, an unreadable file, and repaired text.

Bad data never raises (spec sources 0.2.1): a row that cannot be used becomes a ``BadRow``, and
only a file that cannot be opened at all raises ``UnreadableFile``. An error of the stream itself,
such as a lost connection, is neither: it is passed on, so that the unit is tried again and no
good file is written off as damaged. ``Source`` tells the two apart.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
REPLACEMENT_UTF8 = REPLACEMENT.encode()
DETAIL_CHARS = 80  # of a line or a value, enough to recognise it in the rejects


class UnreadableFile(Exception):  # noqa: N818 -- named for what it says of the file
    """A file as a whole cannot be read; the message names it, what is wrong, and what to do."""


@dataclass(slots=True)
class BadRow:
    """A row that could not be used: it is counted and reported, the file goes on.

    Reasons: ``bad_json``, ``missing_field``, ``wrong_type``, ``line_too_long``, and
    ``truncated_file``, which stands for all rows that a damaged file may have held after it.
    """

    row: int  # number of the row in its file, from 0
    reason: str
    detail: str  # the field or the error, and the start of the line


@dataclass(slots=True)
class Row:
    """The values of one row, in the order of the columns asked for."""

    number: int  # of the row in its file, from 0, counting bad rows
    values: tuple[Any, ...]  # None where the column is NULL or absent
    replaced: int = 0  # U+FFFD put where bytes or surrogates were not text


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
