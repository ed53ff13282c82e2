"""Properties T1 to T10 of LLaMA's tokenizer (docs/rules/tokens.md 1.3)."""

import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenizer.model import PART_CHARS, Tokenizer
from tokenizer.properties import check_properties, describe_layout

TrainSmall = Callable[..., Path]

DIGITS = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Nd"]


def problems(tokenizer: Tokenizer) -> dict[str, str]:
    """What `inspect` finds wrong, by property."""
    return {found.number: found.problem for found in check_properties(tokenizer)}


def test_t1_special_ids_and_bytes(tokenizer: Tokenizer) -> None:
    """Unk 0, bos 1, eos 2, no pad; bytes are ids 3 to 258; the vocabulary is as asked."""
    ids = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    assert ids == (0, 1, 2, -1)
    assert tokenizer.vocab_size == 1500
    pieces = [piece.text for piece in tokenizer.spec.pieces[3:259]]
    assert pieces == [f"<0x{byte:02X}>" for byte in range(256)]
    assert problems(tokenizer)["T1"] == ""


def test_t2_digits_stand_alone(tokenizer: Tokenizer) -> None:
    """Four digits are four tokens after the space; so are digits of every script."""
    pieces = [tokenizer.processor.id_to_piece(i) for i in tokenizer.encode("1234").tolist()]
    assert pieces == ["▁", "1", "2", "3", "4"]
    one = {digit: tokenizer.encode("x" + digit).tolist() for digit in DIGITS}
    for digit, ids in one.items():
        assert tokenizer.encode("x" + digit * 3).tolist() == ids + 2 * ids[-(len(ids) - 1) :]
    assert describe_layout(tokenizer).digit_pieces == tuple(
        sorted("0123456789", key=tokenizer.processor.piece_to_id)
    )
    assert problems(tokenizer)["T2"] == ""


def test_t3_unknown_characters_are_bytes(tokenizer: Tokenizer) -> None:
    """The four bytes of an emoji, each id three more than its byte."""
    space, *ids = tokenizer.encode("😀").tolist()
    assert tokenizer.processor.id_to_piece(space) == "▁"
    assert bytes(number - 3 for number in ids) == "😀".encode()


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_t3_unk_never_occurs(tokenizer: Tokenizer, text: str) -> None:
    """Id 0 is in no encoding."""
    assert 0 not in tokenizer.encode(text)


@pytest.mark.parametrize(
    "text",
    [
        " leading", "trailing ", "  two  spaces  ", " ", "     ", "\t\tx\t", "a\r\nb\r\n", "\r",
        "a\n\n\nb\n", "\n", "\0a\0", "e\u0301", "👩‍👩‍👧‍👦", "\uff11\uff12",
        "a\u00a0b", "a\u2028b", "\ufeffa", "⁇", "\U0010ffff", " <s> a</s>",
    ],
    ids=ascii,
)  # fmt: skip
def test_t4_round_trip(tokenizer: Tokenizer, text: str) -> None:
    """Nothing is lost, alone or in the middle of a long document, with bos and eos or without."""
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(text, bos=True, eos=True)) == text
    long = f"{text}\n" * PART_CHARS
    assert tokenizer.decode(tokenizer.encode(long)) == long


@given(st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_t4_round_trip_of_any_text(tokenizer: Tokenizer, text: str) -> None:
    """All of Unicode but U+2581."""
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_t4_the_exception(tokenizer: Tokenizer) -> None:
    """U+2581 is how SentencePiece writes a space, and comes back as one."""
    assert tokenizer.decode(tokenizer.encode("a▁b")) == "a b"


def test_t5_empty_text(tokenizer: Tokenizer) -> None:
    """No ids, unless bos or eos are asked for."""
    assert tokenizer.encode("").tolist() == []
    assert tokenizer.encode("", bos=True, eos=True).tolist() == [1, 2]


@pytest.mark.parametrize("text", ["<s>", "</s>", "<unk>", "a</s>b", "<s>\n</s>", "<pad>"])
def test_t6_special_pieces_in_a_text_are_text(tokenizer: Tokenizer, text: str) -> None:
    """A document cannot end itself."""
    ids = tokenizer.encode(text).tolist()
    assert not {0, 1, 2} & set(ids)
    assert tokenizer.decode(ids) == text


def test_t7_indentation_is_cheap(train_small: TrainSmall, tmp_path: Path) -> None:
    """Sixteen spaces are one token where words are commoner than deep indentation."""
    indented = "\n".join(" " * 4 * depth + "x = x" for depth in range(1, 5))
    text = "x of x and x\n" * 50 + (indented + "\n") * 9
    path = train_small(tmp_path / "m.model", text, vocab_size=284)
    tokenizer = Tokenizer(path)
    pieces = [tokenizer.processor.id_to_piece(i) for i in tokenizer.encode(" " * 16 + "x").tolist()]
    assert pieces == ["▁" * 16, "▁x"]
    assert problems(tokenizer)["T7"] == ""


@pytest.mark.parametrize("text", ["ﬁ", "\uff21", "e\u0301", "é", "①", "ㄱ", "Å"])
def test_t8_no_normalisation(tokenizer: Tokenizer, text: str) -> None:
    """Compatibility characters and combining marks survive."""
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_t10_threads_do_not_matter(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Eight threads on one model give what one gives."""
    expected = [tokenizer.encode(text).tolist() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert [ids.tolist() for ids in pool.map(tokenizer.encode, texts)] == expected
    assert tokenizer.processor.encode(texts, num_threads=2) == expected


def test_all_properties_hold(tokenizer: Tokenizer) -> None:
    """T7 needs a text with deep indentation, see above."""
    assert [*problems(tokenizer)] == ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T10"]
    assert {number for number, problem in problems(tokenizer).items() if problem} <= {"T7"}


@pytest.mark.parametrize(
    ("options", "number", "problem"),
    [
        ({"byte_fallback": False}, "T3", r"'\U0010ffff' gives unk"),
        ({"remove_extra_whitespaces": True}, "T4", "' leading' comes back as 'leading'"),
        ({"user_defined_symbols": "</s>b", "eos_piece": "<end>"}, "T6", ""),
        ({"normalization_rule_name": "nfkc"}, "T8", r"'\ufb01' comes back as 'fi'"),
    ],
    ids=str,
)
def test_what_does_not_hold_is_told(
    train_small: TrainSmall, tmp_path: Path, options: dict[str, str], number: str, problem: str
) -> None:
    """Each by a setting that breaks it."""
    path = train_small(
        tmp_path / "m.model", "a b ab abc 12", vocab_size=300, hard_vocab_limit=False, **options
    )
    assert problem in problems(Tokenizer(path))[number]


def test_problems_are_named(train_small: TrainSmall, tmp_path: Path) -> None:
    """A model with other settings is told what it lacks."""
    path = train_small(
        tmp_path / "m.model", "12 12 123 12", vocab_size=20, byte_fallback=False,
        split_digits=False, hard_vocab_limit=False, pad_id=3,
    )  # fmt: skip
    found = problems(Tokenizer(path))
    assert found["T1"] == ("unk, bos, eos, pad are (0, 1, 2, 3); ids 3 to 258 are not the bytes")
    assert found["T2"] == (
        "6 pieces join a digit with more, such as '12'; no piece for 0 4 5 6 7 8 9"
    )
