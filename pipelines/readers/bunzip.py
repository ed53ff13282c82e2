"""Decompress sound bzip2 with rapidgzip where it is installed, in two thirds of libbz2's time.

``rapidgzip`` checks the same checksums as ``bz2``. Where it meets damage, ``bz2`` reads the range
again, so that the bytes before the damage and the words about it do not depend on what is
installed.
"""

import io
from collections import deque
from collections.abc import Generator
from typing import Any

from pipelines.readers.rows import Source

rapidgzip: Any = None
try:
    import rapidgzip as _installed
except ImportError:  # there is no wheel for this machine, and libbz2 decompresses
    pass
else:
    rapidgzip = _installed

_PIECE_BYTES = 1 << 20  # decompressed, per piece
_READ_BYTES = 1 << 20  # compressed, per read
# rapidgzip may return bytes of a block before it checks the block, so the last ones are held back:
# a block is 900,000 bytes, or more if bytes repeat, and `bz2` holds up to 5 MiB of them back.
_HELD_PIECES = 8


def sound_pieces(
    source: Source, start: int, end: int | None
) -> Generator[bytes, None, tuple[int, bool]]:
    """Yield the decompressed bytes of a range of bzip2 streams, up to damage.

    Args:
        source: the file as it is stored, seekable.
        start: offset of a bzip2 stream.
        end: end of the range, or None for the end of the file.

    Returns:
        the number of bytes that were yielded, and whether they are all of the range. If not, the
        range is damaged, has other bytes behind its streams, or rapidgzip is not installed.
    """
    if rapidgzip is None:
        return 0, False
    window = _Window(source, start, end)
    held: deque[bytes] = deque()
    sent = 0
    try:
        stream = rapidgzip.IndexedBzip2File(window, parallelization=1)
        while piece := stream.read(_PIECE_BYTES):
            held.append(piece)
            if len(held) > _HELD_PIECES:
                sent += len(held[0])
                yield held.popleft()
        if stream.tell_compressed() != 8 * window.size:
            return sent, False
    except Exception:  # noqa: BLE001 -- bz2 decides what is wrong, and raises its own
        source.raise_own_error()
        return sent, False
    while held:
        sent += len(held[0])
        yield held.popleft()
    return sent, True


class _Window(io.RawIOBase):
    """A range of a file as a file of its own, for rapidgzip: it seeks before each small read."""

    def __init__(self, source: Source, start: int, end: int | None) -> None:
        self._source = source
        self._start = start
        self.size = (source.seek(0, io.SEEK_END) if end is None else end) - start
        self._at = 0
        self._buffer = b""
        self._buffered = 0  # place of the buffer's first byte

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes from the current place on; fewer only at the end."""
        wanted = max(0, self.size - self._at)
        wanted = wanted if size < 0 else min(size, wanted)
        skipped = self._at - self._buffered
        if not 0 <= skipped <= len(self._buffer) - wanted:
            self._source.seek(self._start + self._at)
            ahead = min(max(_READ_BYTES, wanted), self.size - self._at)
            self._buffer = self._source.read(ahead) if ahead > 0 else b""
            self._buffered, skipped = self._at, 0
        data = self._buffer[skipped : skipped + wanted]
        self._at += len(data)
        return data
