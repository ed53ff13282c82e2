"""Token shards: placement, bytes and checks (docs/rules/tokens.md 3 and 4.6)."""

import dataclasses
import hashlib
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenizer.layout import Layout
from tokenizer.megatron import decode_index, encode_index
from tokenizer.model import Tokenizer
from tokenizer.shards import (
    SHARD_CHARACTERS,
    TokenizedDocument,
    encode_shard,
    heldout_fraction,
    heldout_threshold,
    in_shard_order,
    placement,
    shard_count,
    tokenize_document,
)


def document(name: str, tokens: list[int]) -> TokenizedDocument:
    """A document of given tokens."""
    return TokenizedDocument(name, np.array(tokens, np.uint32), 10, hashlib.sha1(b"").hexdigest())  # noqa: S324 - provenance, not security


DOCUMENTS = [
    document("a", [1, 7, 8, 9, 2]),
    document("b", [2]),
    document("c", [1, 3, 4, 5, 6, 7, 2]),
]

MEGATRON_INDEX = bytes.fromhex(
    "4d4d494449445800 00"  # "MMIDIDX", two zeros
    "0100000000000000"  # version 1
    "08"  # uint16
    "0300000000000000"  # sequences
    "0400000000000000"  # document limits
    "05000000 01000000 07000000"  # lengths in tokens
    "0000000000000000 0a00000000000000 0c00000000000000"  # offsets in bytes
    "0000000000000000 0100000000000000 0200000000000000 0300000000000000"
)


def test_index_is_megatrons_byte_for_byte() -> None:
    """Documents of 5, 1 and 7 tokens (section 4.6, 9)."""
    assert encode_shard(DOCUMENTS, "uint16").idx == MEGATRON_INDEX


def test_uint32_tokens_are_megatrons_int32() -> None:
    """Megatron has no uint32; ids below 2^31 are the same bits."""
    content = encode_index(np.array([5, 1, 7]), "uint32")
    assert content[17] == 4
    assert content[46:70] == struct.pack("<3q", 0, 20, 24)


def test_index_is_read_back() -> None:
    """Lengths and offsets."""
    index = decode_index(MEGATRON_INDEX)
    assert (index.item_bytes, index.lengths.tolist(), index.offsets.tolist()) == (
        2, [5, 1, 7], [0, 10, 12],
    )  # fmt: skip


@pytest.mark.parametrize("position", [0, 9, 17, 18, 26, 34, 46, 70])
def test_another_index_is_refused(position: int) -> None:
    """Each field of the index is checked: one changed byte is an error."""
    content = bytearray(MEGATRON_INDEX)
    content[position] ^= 0x10
    with pytest.raises(ValueError):  # noqa: PT011 - each field has its own message
        decode_index(bytes(content))


@pytest.mark.parametrize("size", [0, 8, 33, len(MEGATRON_INDEX) - 1])
def test_a_cut_index_is_refused(size: int) -> None:
    """So is an index that is cut short."""
    with pytest.raises(ValueError, match=r"not a Megatron index|bytes for 3 sequences"):
        decode_index(MEGATRON_INDEX[:size])


def test_tokens_are_little_endian_and_nothing_else() -> None:
    """No header, so that one memmap reads the file."""
    assert encode_shard(DOCUMENTS[:2], "uint16").bin == struct.pack("<6H", 1, 7, 8, 9, 2, 2)
    assert encode_shard(DOCUMENTS[:2], "uint32").bin == struct.pack("<6I", 1, 7, 8, 9, 2, 2)


def test_provenance() -> None:
    """Offsets count tokens from the begin of the shard."""
    table = pq.read_table(pa.BufferReader(encode_shard(DOCUMENTS, "uint16").docs))
    assert table.drop_columns("sha1_text").to_pylist() == [
        {"id": "a", "n_tokens": 5, "offset": 0, "n_bytes_text": 10},
        {"id": "b", "n_tokens": 1, "offset": 5, "n_bytes_text": 10},
        {"id": "c", "n_tokens": 7, "offset": 6, "n_bytes_text": 10},
    ]


def test_manifest_entry() -> None:
    """What the manifest says of a shard follows from its bytes."""
    files = encode_shard(DOCUMENTS, "uint16")
    info = files.info("heldout-00000-of-00001")
    assert (info.split, info.documents, info.tokens, info.text_bytes) == ("heldout", 3, 13, 30)
    assert {kind: file.bytes for kind, file in info.files.items()} == {
        "bin": 26, "idx": 102, "docs.parquet": len(files.docs),
    }  # fmt: skip
    assert info.files["bin"].sha256 == hashlib.sha256(files.bin).hexdigest()


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "at least one document"),
        ([document("a", [1]), document("b", [])], "1 to 2147483647 tokens, found 0 to 1"),
        ([document("a", [1]), document("b", [2]), document("a", [3])], "'a' is in the shard twice"),
        ([document("a", [1, 65_536])], "document 'a': id 65536 does not fit uint16"),
        ([TokenizedDocument("a", np.array([-1]), 0, "")], "'a': id -1 does not fit uint16"),
    ],
)
def test_what_cannot_be_stored_raises(documents: list[TokenizedDocument], message: str) -> None:
    """An id of 65,536 or more raises, never wraps (section 4.6, 7)."""
    with pytest.raises(ValueError, match=message):
        encode_shard(documents, "uint16")


def test_placement_is_as_specified() -> None:
    """Three little-endian u64 of BLAKE2b over "seed\\nid"."""  # noqa: D301 - a line end, escaped
    digest = hashlib.blake2b(b"7\nx", digest_size=24).digest()
    h0, h1, h2 = (int.from_bytes(digest[i : i + 8], "little") for i in (0, 8, 16))
    assert placement(7, "x", 1000) == (h0 % 1000, h1, h2)


def test_golden_placement() -> None:
    """Shards that exist must not be shuffled anew by a later version."""
    assert placement(0, "a", 7) == (6, 9306333199247729000, 8227229550807752390)


def test_documents_spread_evenly() -> None:
    """Each of 4 shards gets a quarter, and the held-out split its share, within 4 sigma."""
    places = [placement(0, str(i), 4) for i in range(10_000)]
    counts = np.bincount([place.shard for place in places])
    assert abs(counts - 2500).max() < 4 * (10_000 * 0.25 * 0.75) ** 0.5
    heldout = sum(place.heldout_rank < heldout_threshold(0.05) for place in places)
    assert abs(heldout - 500) < 4 * (10_000 * 0.05 * 0.95) ** 0.5


def test_a_layout_places_as_single_documents_are_placed() -> None:
    """All at once: by the first hash within the split that the third decides."""
    layout = Layout.of(90 * SHARD_CHARACTERS, 5)
    assert (layout.train_shards, layout.heldout_shards) == (90, 1)
    layout = dataclasses.replace(layout, heldout_shards=3, heldout_below=2**62)
    ids = [f"document {number}" for number in range(2000)]
    expected = []
    for name in ids:
        held_out = placement(5, name, 1).heldout_rank < 2**62
        of = layout.heldout_shards if held_out else layout.train_shards
        expected.append(placement(5, name, of).shard + (layout.train_shards if held_out else 0))
    assert layout.shards_of(ids).tolist() == expected
    assert layout.shards_of([]).tolist() == []


def test_shard_order() -> None:
    """By the second hash, whatever order the shuffle delivered."""
    expected = sorted(DOCUMENTS, key=lambda d: placement(3, d.id, 1).order)
    assert in_shard_order(DOCUMENTS, 3) == in_shard_order(DOCUMENTS[::-1], 3) == expected


def test_counts() -> None:
    """One shard per 250 M characters; a twentieth or about 8 M characters held out."""
    assert [shard_count(n) for n in (0, 1, 250_000_000, 250_000_001, 10**12)] == [1, 1, 1, 2, 4000]
    assert [heldout_fraction(n) for n in (0, 160_000_000, 320_000_000)] == [0.05, 0.05, 0.025]
    assert [heldout_threshold(f) for f in (0.0, 0.5, 1.0)] == [0, 2**63, 2**64]
    with pytest.raises(ValueError, match="within 0 to 1"):
        heldout_threshold(1.1)


def test_a_document_is_bos_ids_eos(tokenizer: Tokenizer) -> None:
    """A text with "</s>" does not end itself (section 4.6, 10)."""
    text = "é </s> <s>"
    made = tokenize_document(tokenizer, "x", text)
    assert made.tokens.tolist() == [1, *tokenizer.encode(text).tolist(), 2]
    assert not {1, 2} & set(made.tokens[1:-1].tolist())
    assert (made.text_bytes, made.text_sha1) == (
        11, hashlib.sha1(text.encode()).hexdigest(),  # noqa: S324 - provenance, not security
    )  # fmt: skip


def test_one_boundary_at_least(tokenizer: Tokenizer) -> None:
    """Neither bos nor eos: documents could not be told apart."""
    assert tokenize_document(tokenizer, "x", "", add_bos=False).tokens.tolist() == [2]
    with pytest.raises(ValueError, match="add_bos, add_eos or both"):
        tokenize_document(tokenizer, "x", "a", add_bos=False, add_eos=False)
