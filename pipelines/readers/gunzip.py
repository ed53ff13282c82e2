"""Inflate gzip line by line, with ISA-L where it is installed, to the same lines either way.

``isal`` takes a third of zlib's time. Where it meets damage, ``gzip`` reads the file again, so that
the lines before the damage and the words about it do not depend on what is installed.
"""

import gzip

from pipelines.readers.rows import Source

try:
    from isal import igzip
except ImportError:  # there is no wheel for this machine, and zlib inflates
    igzip = None

BLOCK_BYTES = 1 << 17  # inflated at a time; Python's own readline looks for the end byte by byte


class Gunzip:
    """The lines of a gzip file.

    Args:
        source: the file, at its start; seekable.
        limit: the bytes of a line that are returned at a time.
    """

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._read = 0  # pieces that were returned
        self._block, self._at = b"", 0  # what was inflated last, and how much of it was returned
        self._is_exact = igzip is None
        self._stream: gzip.GzipFile = (
            gzip.GzipFile(fileobj=source) if igzip is None else igzip.IGzipFile(fileobj=source)
        )

    def readline(self) -> bytes:
        """Return the next line, or the next part of a long one; nothing at the end.

        Raises:
            Exception: whatever ``gzip`` raises about damaged data, or the stream about itself.
        """
        if not self._is_exact:
            try:
                line = self._next_line()
            except Exception:  # noqa: BLE001 -- gzip decides what is wrong, and raises its own
                self._begin_again()
            else:
                self._read += 1
                return line
        # GzipFile.readline returns whole lines up to the damage; a larger buffer would not.
        return self._stream.readline(self._limit)

    def _next_line(self) -> bytes:
        """Return what ``readline`` returns, from blocks where its end is found fast."""
        block, at = self._block, self._at
        end = block.find(b"\n", at, at + self._limit) + 1
        if end:
            self._at = end
            return block[at:end]
        parts = [block[at : at + self._limit]]
        wanted = self._limit - len(parts[0])
        self._at = at + len(parts[0])
        while wanted and (block := self._stream.read1(BLOCK_BYTES)):
            self._block = block
            self._at = block.find(b"\n", 0, wanted) + 1 or min(wanted, len(block))
            parts.append(block[: self._at])
            if parts[-1].endswith(b"\n"):
                break
            wanted -= self._at
        return b"".join(parts)

    def _begin_again(self) -> None:
        """Read the file with ``gzip`` up to the same place, in the same steps."""
        self._source.raise_own_error()
        self._is_exact = True
        self._source.seek(0)
        self._stream = gzip.GzipFile(fileobj=self._source)
        for _ in range(self._read):
            self._stream.readline(self._limit)
