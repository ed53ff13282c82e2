"""JSON lines have the same rows with and without the faster libraries that may be installed."""

import gzip
import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.readers import gunzip, jsonlines
from pipelines.readers.jsonlines import JsonLines, values_of
from pipelines.readers.rows import BadRow, Layout, Source

LAYOUT = Layout(("id", "content", "size"))
UNREAD = Layout(("id", "content", "size"), unread={"content": None})  # type: ignore[dict-item] # no rule is asked

needs_simdjson = pytest.mark.skipif(
    jsonlines.simdjson is None, reason="pysimdjson is not installed: json parses all lines"
)
needs_isal = pytest.mark.skipif(
    gunzip.igzip is None, reason="isal is not installed: gzip inflates all files"
)


def both(line: bytes, layout: Layout = LAYOUT) -> tuple[Any, Any]:
    """Return the values of a line as read, and as ``json`` alone reads it; as text, for NaN."""
    found = repr(values_of(line, layout, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonlines, "_parse_strict", lambda _line: None)
        return found, repr(values_of(line, layout, 0))


# Values of ``content`` in which parsers of JSON differ, or which JSON does not allow.
DOUBTFUL = [
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-0",
    b"-0.0",
    b"1.0",
    b"18446744073709551615",
    b"18446744073709551616",
    b"123456789012345678901234567890.5",
    b"1" * 5000,
    b"01",
    b"1.",
    b"+1",
    b"0x1",
    b"tru",
    b'"\\ud83d"',
    b'"\\udc00x"',
    b'"\\ud83d\\ude00"',
    b'"\\uD83Dx"',
    b'"\\u00e9\\u0000\\/\\b"',
    b'"\\u12G4"',
    b'"\\x"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"\xe2\x80\xa8\x7f"',
    b'"a\tb"',
    b'"a\x01b"',
    b"'a'",
    b'"a",',
    b'"a"} {"b": 1',
    b'"a"}\x0b{',
    b'"a", "content": "b"',
    b'"a", "\\u0063ontent": ["b"]',
    b'"a", "\\ud800": 1',
    b'[{"content": "a"}], "x": {"content": "b"}',
    b"[" * 2000 + b"]" * 2000,
    b"null",
    b"",
]


@needs_simdjson
@pytest.mark.parametrize("value", DOUBTFUL, ids=lambda value: repr(value[:20]))
def test_doubtful_json_is_read_as_json_reads_it(value: bytes) -> None:
    """Also what is reported as bad has the same words."""
    line = b'{"id": "\xc3\xa9", "content": ' + value + b', "size": "3"}\n'
    for layout in (LAYOUT, UNREAD):
        found, expected = both(line, layout)
        assert found == expected


@needs_simdjson
@pytest.mark.parametrize(
    "line", [b"[1]", b"null", b'"x"', b"1", b"{}", b"\xef\xbb\xbf{}", b"{}{}", b"\x0c{}", b"{}\0"]
)
def test_lines_that_are_no_objects(line: bytes) -> None:
    """A byte order mark that is not the file's first is no JSON."""
    found, expected = both(line)
    assert found == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@needs_simdjson
@given(
    st.dictionaries(st.sampled_from(["id", "content", "size", "x"]) | st.text(), JSON),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_any_line_and_any_damage_to_it(
    record: dict[str, Any], escaped: bool, chance: random.Random
) -> None:
    """What ``json`` writes, and the same with a byte changed, taken out or put in."""
    line = json.dumps(record, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    place = chance.randrange(len(line))
    byte = bytes([chance.choice([*b'"\\{}[],:0eu\0\n', chance.randrange(256)])])
    taken = chance.choice([0, 1])
    put = chance.choice([b"", byte])
    for tried in (line, line[:place] + put + line[place + taken :]):
        found, expected = both(tried)
        assert found == expected


@needs_simdjson
def test_plain_rows_do_not_need_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this the other tests could pass on the slow way alone."""
    monkeypatch.setattr(json, "loads", None)
    line = '{"id": "é", "content": "a\\n\\u00e9😀", "size": "3"}\n'.encode()
    assert values_of(line, LAYOUT, 0) == (("é", "a\né😀", "3"), 0)


def rows(data: bytes) -> list[Any]:
    """Return what a reader finds in a file: lines, and bad rows."""
    return [
        row if isinstance(row, BadRow) else row.data
        for row in JsonLines(Source(io.BytesIO(data)), "x.json.gz").rows(LAYOUT)
    ]


def damaged(data: bytes) -> Iterator[bytes]:
    """Yield a gzip file cut short, with changed bytes, and with what may follow its end."""
    chance = random.Random(1)
    for _ in range(40):
        yield data[: chance.randrange(2, len(data))]
        place = chance.randrange(2, len(data))
        yield data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
    for end in (b"\0" * 100, b"\0x", b"garbage", data, data[:40], b"\x1f\x8b"):
        yield data + end


@needs_isal
@pytest.mark.parametrize("lines", [20, 20_000])
def test_damage_loses_the_same_lines(lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines before it, the number of the bad row, and the words are those of ``gzip``."""
    chance = random.Random(0)
    texts = [str(chance.getrandbits(200 * (n % 3 + 1))) for n in range(lines)]
    data = gzip.compress("".join(f'{{"id": "{text}"}}\n' for text in texts).encode(), mtime=0)
    files = [data, *damaged(data)] if lines < 100 else [data, *list(damaged(data))[:12]]
    found = [rows(file) for file in files]
    assert len(found[0]) == lines
    monkeypatch.setattr(gunzip, "igzip", None)
    assert found == [rows(file) for file in files]


@needs_isal
def test_an_error_of_the_stream_is_not_damage() -> None:
    """A lost connection is raised, so that the unit is tried again."""
    data = gzip.compress(b'{"id": "%s"}\n' % random.Random(0).randbytes(1 << 20).hex().encode())

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 1 << 19:
                raise ConnectionError("lost")
            return super().read(size)

    with pytest.raises(ConnectionError, match="lost"):
        list(JsonLines(Source(Lost(data)), "x.json.gz").rows(LAYOUT))
