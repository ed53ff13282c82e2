"""Members of gzip files are the same pieces and the same damage with ISA-L and without it."""

import gzip
import io
import random
import struct
import zlib
from collections.abc import Iterator

import pytest

from pipelines.readers import members
from pipelines.readers.members import Damage, Piece, read_members

pytestmark = pytest.mark.skipif(members.isal_zlib is None, reason="isal is not installed")


def member(content: bytes, *, flags: int = 0, extra: bytes = b"") -> bytes:
    """Return a member with the given flags, and what they say stands behind its head."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0" * 6 + extra
    check = struct.pack("<II", zlib.crc32(content), len(content) % (1 << 32))
    return head + deflate.compress(content) + deflate.flush() + check


def read(content: bytes, step: int) -> list[Piece | Damage]:
    """Read a file of which a read of the stream returns ``step`` bytes."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(step, size) if size is not None and size >= 0 else step)

    return list(read_members(b"", Slow(content)))


def both(
    monkeypatch: pytest.MonkeyPatch, content: bytes, step: int = 1 << 18
) -> Iterator[list[Piece | Damage]]:
    """Return what is read with ISA-L and what without."""
    yield read(content, step)
    with monkeypatch.context() as patch:
        patch.setattr(members, "isal_zlib", None)
        yield read(content, step)


WHOLE = [
    member(b""),
    member(b"a page\n" * 900),
    member(random.Random(0).randbytes(30_000)),
    member(b"\0" * ((1 << 20) - 1)),
    member(b"\0" * (1 << 20)),
    member(b"long " * 700_000),
    member(random.Random(1).randbytes(1_300_000)),
    member(b"named", flags=0x08, extra=b"name\0"),
    member(b"checked", flags=0x02, extra=b"\x5e\x8c"),
    member(b"checked wrongly", flags=0x02, extra=b"\0\0"),
    member(b"reserved", flags=0x20),
    gzip.compress(b"by the library"),
]


@pytest.mark.parametrize("number", range(len(WHOLE)))
def test_whole_members(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Empty, ordinary, large on either side, with all that a head may hold."""
    content = WHOLE[1] + WHOLE[number] + WHOLE[1]
    with_it, without = both(monkeypatch, content)
    assert with_it == without
    assert with_it[0] == Piece(b"a page\n" * 900, ends_member=True)


def test_an_ordinary_member_is_not_left_to_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or nothing would be faster."""
    monkeypatch.setattr(members, "_inflate_member", None)
    assert read(WHOLE[1] + WHOLE[2], 1 << 18)[0] == Piece(b"a page\n" * 900, ends_member=True)


@pytest.mark.parametrize("seed", range(40))
def test_damage(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Bits flipped, bytes lost or put in, the end cut off: in any member, however bytes arrive."""
    choose = random.Random(seed)
    parts = [
        member(choose.randbytes(choose.randint(0, 9000)) * choose.randint(1, 9)) for _ in "12345"
    ]
    content = bytearray(b"".join(parts) + b"\0" * choose.choice([0, 0, 3]))
    for _ in range(choose.randint(1, 3)):
        place = choose.randrange(len(content))
        kind = choose.randrange(4)
        if kind == 0:
            content[place] ^= 1 << choose.randrange(8)
        elif kind == 1:
            del content[place : place + choose.choice([1, 2, 500, 5000])]
        elif kind == 2:
            content[place:place] = choose.randbytes(choose.choice([1, 9, 600]))
        elif choose.random() < 0.5:
            del content[place:]
        content = content or bytearray(b"\0")
    with_it, without = both(monkeypatch, bytes(content), choose.choice([7, 1000, 1 << 18]))
    assert with_it == without
