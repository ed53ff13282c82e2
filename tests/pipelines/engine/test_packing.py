"""Tables as raw arrays: what is packed comes back, in few bytes."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.packing import pack, unpack, words_of

WORDS = pa.dictionary(pa.int32(), pa.string())
VALUES: dict[pa.DataType, st.SearchStrategy[object]] = {
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int64(): st.none() | st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.none() | st.integers(-128, 127),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.bool_(): st.none() | st.booleans(),
    pa.binary(16): st.binary(min_size=16, max_size=16),
    pa.binary(): st.none() | st.binary(max_size=300),
    pa.large_binary(): st.none() | st.binary(max_size=300),
    pa.string(): st.none() | st.text(max_size=30),
    WORDS: st.none() | st.sampled_from(["mit", "isc", "ä", ""]),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table of any columns, and a slice of it."""
    types = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    rows = draw(st.integers(0, 20))
    columns = {
        f"c{number}": pa.array(draw(st.lists(VALUES[t], min_size=rows, max_size=rows)), t)
        for number, t in enumerate(types)
    }
    start = draw(st.integers(0, rows))
    return pa.table(columns).slice(start, draw(st.integers(0, rows - start)))


@given(tables(), st.booleans())
def test_what_is_packed_comes_back(table: pa.Table, compress: bool) -> None:
    """Types, values and nulls, of a slice as well."""
    found = unpack(pack(table, compress=compress))
    found.validate(full=True)
    assert found.schema.types == table.schema.types
    assert found.to_pylist() == table.to_pylist()


@given(st.lists(tables(), min_size=2, max_size=2))
def test_packed_tables_can_be_put_together(pair: list[pa.Table]) -> None:
    """A slice does not drag along what it was cut from."""
    assert len(pack(pair[0].slice(0, 0))) <= len(pack(pair[0]))


def test_a_message_of_few_claims_is_small() -> None:
    """Arrow's own stream takes more than a kilobyte for it."""
    claims = pa.table({"key": pa.array([b"0123456789abcdef"], pa.binary(16)), "row": [1]})
    assert len(pack(claims)) <= 128


def test_a_column_of_another_type_is_refused() -> None:
    """Rather than packed as something else."""
    with pytest.raises(KeyError):
        pack(pa.table({"key": pa.array([1.5], pa.float64())}))


def test_keys_are_compared_as_unsigned_integers() -> None:
    """The high bits of a digest come first."""
    digests = pa.chunked_array([pa.array([b"\xff" * 16, b"\0" * 15 + b"\1"], pa.binary(16))])
    assert words_of(digests).tolist() == [[2**64 - 1] * 2, [0, 1]]
    assert words_of(pa.chunked_array([], pa.binary(16))).shape == (0, 2)
    assert words_of(pa.chunked_array([], pa.uint64())).shape == (0, 1)
