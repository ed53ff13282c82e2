"""Rows of JSON lines, plain or gzipped, as BigQuery exports them (spec sources 1.1).

A line that is not a JSON object is a bad row; blank lines are not rows. A NULL column is absent.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from pipelines.readers.rows import (
    DETAIL_CHARS,
    BadRow,
    Row,
    Source,
    Unread,
    clip,
    decode,
    repair_texts,
    unreadable,
    without_surrogates,
)

MAX_LINE_BYTES = 64 << 20  # a text of 1 MiB, each byte escaped as \u00XX, is a tenth of this
HEAD_LINES = 64  # read ahead to learn the columns, since a NULL one is absent
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
        # Some stores unpack a .gz object on the way, so that plain lines under this name are fine.
        is_json = start.removeprefix(BOM).lstrip().startswith(b"{") or not start
        if name.endswith(".gz") and not gzipped and not is_json:
            unreadable(source, name, "is not gzip: was it damaged in a copy? Fetch it again")
        # GzipFile.readline hands out whole lines up to the damage; a larger buffer would not.
        self._stream: BinaryIO | gzip.GzipFile = (
            gzip.GzipFile(fileobj=source) if gzipped else source
        )
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
                row = _parse(len(self._head) - 1, line)
                if not isinstance(row, BadRow):
                    columns |= row[0].keys()
            if len(self._head) == HEAD_LINES or size > HEAD_BYTES:
                break
        return frozenset(columns)

    def rows(self, columns: Sequence[str], unread: Unread) -> Iterator[Row | BadRow]:
        """Yield the rows; a file is read once.

        Args:
            columns: the keys whose values are wanted.
            unread: those of which only the presence matters (``Unread``).
        """
        lines = self._all_lines()
        for number, line in enumerate(lines):
            if isinstance(line, BadRow):
                yield BadRow(number, line.reason, line.detail)
                continue
            parsed = _parse(number, line)
            if isinstance(parsed, BadRow):
                yield parsed
                continue
            record, replaced = parsed
            values = tuple(
                "" if key in unread and isinstance(value, str) else value
                for key in columns
                for value in (record.get(key),)
            )
            yield Row(number, values, replaced)

    def _all_lines(self) -> Iterator[bytes | BadRow]:
        yield from self._head
        self._head = []
        yield from self._lines

    def _read_lines(self) -> Iterator[bytes | BadRow]:
        """Yield the lines that are not blank; the rows of the ``BadRow`` are not yet numbered."""
        stream = self._stream
        start = BOM
        try:
            while line := stream.readline(MAX_LINE_BYTES):
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    shown = clip(decode(line[:DETAIL_CHARS])[0])
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(MAX_LINE_BYTES)
                    yield BadRow(0, "line_too_long", f"over {MAX_LINE_BYTES} bytes: {shown}")
                    continue
                line = line.removeprefix(start)  # a byte order mark, once
                start = b""
                if line and not line.isspace():
                    yield line
        except Exception as error:  # noqa: BLE001 -- zlib, gzip and EOF errors: damaged data
            self._source.raise_own_error()
            yield BadRow(0, "truncated_file", clip(f"{type(error).__name__}: {error}"))


def _parse(number: int, line: bytes) -> tuple[dict[str, Any], int] | BadRow:
    """Parse one line; returns the object and the replacements in it."""
    text, replaced = decode(line)
    try:
        record = json.loads(text)
        if "\\ud" in text or "\\uD" in text:
            record, surrogates = repair_texts(record, without_surrogates)
            replaced += surrogates
    except (ValueError, RecursionError) as error:
        return BadRow(number, "bad_json", f"{clip(str(error))}: {clip(text)}")
    if not isinstance(record, dict):
        return BadRow(number, "bad_json", f"not an object: {clip(text)}")
    return record, replaced
