"""Rows of JSON lines, plain or gzipped, as BigQuery exports them (docs/rules/sources.md 1.1).

A line that is not a JSON object is a bad row; blank lines are not rows. A NULL column is absent.
"""

import json
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from pipelines.readers.gunzip import Gunzip
from pipelines.readers.rows import (
    DETAIL_CHARS,
    MAX_ROW_BYTES,
    BadRow,
    Layout,
    RawRow,
    Source,
    Values,
    clip,
    decode,
    repair_texts,
    unreadable,
    without_surrogates,
)

try:
    import simdjson
except ImportError:  # there is no wheel for this machine, and json parses
    simdjson = None  # type: ignore[assignment] # json parses then

HEAD_LINES = 64  # are read ahead to learn the columns, since a NULL column is absent
HEAD_BYTES = 8 << 20
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


class JsonLines:
    """The rows of a JSON lines file; ``columns`` are the keys of its first rows.

    Raises:
        UnreadableFile: ``name`` ends in .gz, and the file is neither gzip nor JSON lines.
    """

    has_schema = False

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        start = source.peek(len(GZIP_MAGIC))
        gzipped = start.startswith(GZIP_MAGIC)
        # Some stores unpack a .gz object in transfer, so plain lines under this name are accepted.
        is_json = start.removeprefix(BOM).lstrip().startswith(b"{") or not start
        if name.endswith(".gz") and not gzipped and not is_json:
            unreadable(source, name, "is not gzip: was it damaged in a copy? Fetch it again")
        gunzip = Gunzip(source, MAX_ROW_BYTES) if gzipped else None
        self._readline = gunzip.readline if gunzip else partial(source.readline, MAX_ROW_BYTES)
        self._lines = self._read_lines()
        self._head: list[bytes | BadRow] = []
        self.columns = self._read_head()

    def _read_head(self) -> frozenset[str]:
        columns: set[str] = set()
        size = 0
        for line in self._lines:
            self._head.append(line)
            if isinstance(line, bytes):
                size += len(line)
                columns |= _keys(line)
            if len(self._head) == HEAD_LINES or size > HEAD_BYTES:
                break
        return frozenset(columns)

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Yield the lines; a file can be read only once."""
        for number, line in enumerate(self._all_lines()):
            if isinstance(line, BadRow):
                yield BadRow(number, line.reason, line.detail)
            else:
                yield RawRow(number, layout, line)

    def _all_lines(self) -> Iterator[bytes | BadRow]:
        yield from self._head
        self._head = []
        yield from self._lines

    def _read_lines(self) -> Iterator[bytes | BadRow]:
        """Yield the lines that are not blank; the row numbers of a ``BadRow`` are not yet set."""
        readline = self._readline
        start = BOM
        try:
            while line := readline():
                if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
                    shown = clip(decode(line[:DETAIL_CHARS])[0])
                    while line and not line.endswith(b"\n"):
                        line = readline()
                    yield BadRow(0, "too_large", f"over {MAX_ROW_BYTES} bytes: {shown}")
                    continue
                line = line.removeprefix(start)  # a byte order mark, on the first line only
                start = b""
                if line and not line.isspace():
                    yield line
        except Exception as error:  # noqa: BLE001 -- zlib, gzip and EOF errors: damaged data
            self._source.raise_own_error()
            yield BadRow(0, "truncated_file", clip(f"{type(error).__name__}: {error}"))


def _keys(line: bytes) -> frozenset[str]:
    try:
        record, _ = _parse(line)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(record)


def values_of(line: bytes, layout: Layout, row: int) -> Values | BadRow:
    """Return the values of one line, or a bad row that says why it cannot be used."""
    try:
        record, replaced = _parse(line)
    except (ValueError, RecursionError) as error:
        return BadRow(row, "bad_json", f"{clip(str(error))}: {clip(decode(line)[0])}")
    for key in layout.unread:
        if isinstance(record.get(key), str):
            record[key] = ""
    return tuple(map(record.get, layout.columns)), replaced


def _parse(line: bytes) -> tuple[dict[str, Any], int]:
    """Return the object of a line and the number of replacements in it.

    Raises:
        ValueError: the line is not JSON, or is not an object.
        RecursionError: the line is nested too deeply.
    """
    record = _parse_strict(line)
    return _parse_anything(line) if record is None else (record, 0)


class _Parsers(threading.local):
    """A parser for each thread: it keeps the memory that a line takes."""

    def __init__(self) -> None:
        self.parse = simdjson.Parser().parse if simdjson else None


_parsers = _Parsers()


def _parse_strict(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line that holds no doubtful JSON, in a third of the time of ``json``.

    ``simdjson`` takes only what the standard and UTF-8 allow, and ``json`` reads that to the same
    values. What else ``json`` takes (lone surrogates, NaN, integers of more than 64 bits, numbers
    too large for a float), what has to be repaired, and what is reported as bad is left to it.
    """
    parse = _parsers.parse
    if parse is None or line.startswith(BOM):  # simdjson skips a byte order mark
        return None
    try:
        record = parse(line, True)  # as dicts and lists, all the way down
    except (ValueError, RuntimeError):
        return None
    return record if isinstance(record, dict) else None


def _parse_anything(line: bytes) -> tuple[dict[str, Any], int]:
    """Do what ``_parse`` does with any line."""
    text, replaced = decode(line)
    record = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        record, surrogates = repair_texts(record, without_surrogates)
        replaced += surrogates
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 -- of data, like what json raises
    return record, replaced
