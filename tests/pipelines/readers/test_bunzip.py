"""bzip2 by rapidgzip: the bytes and the damages are those of bz2 alone."""

import bz2
import io
import random

import pytest

from pipelines.readers import bunzip
from pipelines.readers.compressed import Damage, read_pieces

needs_rapidgzip = pytest.mark.skipif(
    bunzip.rapidgzip is None, reason="rapidgzip is not installed: bz2 decompresses"
)


def _text(seed: int, size: int) -> bytes:
    words = [b"%x" % (number * 40503 % 9973) for number in range(2000)]
    return b" ".join(random.Random(seed).choices(words, k=size))


STREAMS = [bz2.compress(_text(seed, size), 1) for seed, size in enumerate([30_000, 10, 60_000])]
FILE = b"".join(STREAMS)
STARTS = [0, len(STREAMS[0]), len(STREAMS[0]) + len(STREAMS[1])]


def _read(data: bytes, start: int = 0, end: int | None = None) -> list[bytes | Damage]:
    """Return the bytes between damages, whatever pieces they come in, and the damages."""
    found: list[bytes | Damage] = []
    for piece in read_pieces(io.BytesIO(data), "a.bz2", start, end):
        if found and isinstance(piece, bytes | bytearray) and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece if isinstance(piece, Damage) else bytes(piece))
    return found


def _by_bz2(data: bytes, start: int = 0, end: int | None = None) -> list[bytes | Damage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bunzip, "rapidgzip", None)
        return _read(data, start, end)


def _check(data: bytes, start: int = 0, end: int | None = None) -> None:
    assert _read(data, start, end) == _by_bz2(data, start, end)


@needs_rapidgzip
def test_sound_streams_need_no_bz2(monkeypatch: pytest.MonkeyPatch) -> None:
    """All streams, and a range of them, come from rapidgzip alone, in its own pieces."""
    texts = list(map(bz2.decompress, STREAMS))
    monkeypatch.setattr(bz2, "BZ2Decompressor", None)
    assert _read(FILE) == [b"".join(texts)]
    assert _read(FILE, STARTS[1], STARTS[2]) == [texts[1]]


@needs_rapidgzip
def test_a_large_stream_comes_whole() -> None:
    """A file of more bytes than are held back."""
    whole = _text(1, 30_000) * 120
    data = bz2.compress(whole)
    assert len(whole) > (bunzip._HELD_PIECES + 3) * bunzip._PIECE_BYTES
    assert _read(data) == [whole]
    damaged = data[: len(data) - 60] + b"\xff\x00\xff" + data[len(data) - 57 :]
    assert _read(damaged) == _by_bz2(damaged)
    assert isinstance(_read(damaged)[0], bytes)  # what was sent before the damage was found


@needs_rapidgzip
@pytest.mark.parametrize("seed", range(24))
def test_damage_is_what_bz2_says(seed: int) -> None:
    """Bits that changed, anywhere; rapidgzip's own error never shows."""
    draw = random.Random(seed)
    damaged = bytearray(FILE)
    for _ in range(draw.choice([1, 1, 3])):
        damaged[draw.randrange(4, len(FILE))] ^= 1 << draw.randrange(8)
    _check(bytes(damaged))


@needs_rapidgzip
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("at", [3, 4, 9, 10, 14, 17, -10, -7, -4, -3, -2, -1])
def test_heads_and_checksums(start: int, at: int) -> None:
    """The head of a stream and of its first block, and the checksum at its end."""
    place = start + at if at >= 0 or start else len(FILE) + at
    damaged = bytearray(FILE)
    damaged[place] ^= 4
    _check(bytes(damaged))


@needs_rapidgzip
@pytest.mark.parametrize("tail", [b"\0" * 700, b"\n", b"other", b"BZ", b"BZh9", FILE[:40]])
def test_bytes_behind_the_streams(tail: bytes) -> None:
    """Padding is passed over, other bytes are damage."""
    _check(FILE + tail)
    _check(FILE + tail + FILE)


@needs_rapidgzip
@pytest.mark.parametrize("size", [4, 10, 100, len(FILE) // 2, len(FILE) - 11, len(FILE) - 1])
def test_files_that_are_cut_off(size: int) -> None:
    """The blocks before the cut, and one damage."""
    _check(FILE[:size])
    _check(FILE, 0, size)


@needs_rapidgzip
def test_an_error_of_the_store_is_raised() -> None:
    """A connection that is lost is no damage, and passes through."""

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(FILE) // 2:
                raise ConnectionError("reset by peer")
            return super().read(size)

    with pytest.raises(ConnectionError, match="reset"):
        list(read_pieces(Lost(FILE * 40), "a.bz2"))
