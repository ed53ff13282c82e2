"""Keys of lines, and pages without their repeated lines (docs/rules/web.md 2.3, 4)."""

import base64
import hashlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.characters import PUNCTUATION
from filters.commoncrawl.paragraphs import (
    AVAILABLE,
    Deduplicated,
    check_length,
    hashed_lines,
    normalize,
    pack_line_ids,
    paragraph_keys,
    remove_paragraphs,
    unpack_line_ids,
)
from tests.filters.commoncrawl import ccnet_oracle as oracle
from tests.filters.odd_pages import PAGES


@pytest.mark.parametrize(("length", "reason"), [(0, "too_short"), (299, "too_short"), (300, "")])
def test_short_pages_are_dropped(length: int, reason: str) -> None:
    """300 characters are enough."""
    assert check_length("é" * length).reason == reason


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  Prix : \uff11\uff12 €, “Été” 2021… ", "prix : 00 €, été 0000"),
        ("", ""),
        (" \t\u3000", ""),
        ("2019", "0000"),
        ("\u0664\u0968\U0001d7d9", "000"),
        ("x² ½ Ⅳ", "x² ½ ⅳ"),
        ("Hello, world!", "hello, world!"),
        ("“Hello, world”", "hello, world"),
        ("a\tb\x07c\x7fd\x85e", "abcde"),
        ("a  b\u00a0c", "a  b\u00a0c"),
        ("cafe\u0301 CAFÉ", "cafe\u0301 café"),
        ("\u2018•\u2019", "\u2018•"),
        ("“ a ”", " a "),
        ("\u0130", "i\u0307"),
        ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
        ("\u0391\u03a3\u201c\u0391", "\u03b1\u03c2\u03b1"),
    ],
)
def test_normalize(line: str, expected: str) -> None:
    """Digits of any script, marks and controls; not ASCII punctuation, accents or inner spaces."""
    assert normalize(line) == expected


@pytest.mark.parametrize("mark", PUNCTUATION)
def test_every_mark_of_the_table_is_deleted(mark: str) -> None:
    """But for the full-width one, which is a digit first."""
    assert normalize(f"a{mark}b") == ("a0b" if mark == "\uff11" else "ab")


def test_lines_are_normalised_apart() -> None:
    """Nothing moves across a line end, and a sigma at the end of a line is a final one."""
    assert (
        normalize(" A \n\n \u201c \n\u039f\u0394\u039f\u03a3\n\u0391\r\n")
        == "a\n\n\n\u03bf\u03b4\u03bf\u03c2\n\u03b1\n"
    )


@pytest.mark.parametrize(
    ("line", "expected"), [("Café", "cafe"), ("cafe\u0301", "cafe"), ("한", "\u1112\u1161\u11ab")]
)
def test_accents_go_on_demand(line: str, expected: str) -> None:
    """As the paper says; the code, and the default, keep them."""
    assert normalize(line, strip_accents=True) == expected


@settings(deadline=None)  # a busy machine is no failure
@given(PAGES, st.booleans())
@example("\u03a3\n\u0391\u03a3\n\u03a3\u2019\u0391", False)
@example("\u0130\n\u0345Σ\n", True)
def test_a_page_at_once_is_its_lines_one_by_one(page: str, strip_accents: bool) -> None:
    """Equal to the plain rules, whatever the page holds."""
    plain = oracle.normalized_page(page, strip_accents=strip_accents)
    assert normalize(page, strip_accents=strip_accents) == plain


@settings(deadline=None)  # a busy machine is no failure
@given(PAGES, st.booleans())
def test_keys_without_the_extension_module_are_those_of_the_plain_rules(
    page: str, strip_accents: bool
) -> None:
    """As where Corpusmill was installed without a compiler."""
    keys = hashed_lines(page, strip_accents=strip_accents)
    lines = page.split("\n")
    assert keys.tolist() == [oracle.key(line, strip_accents=strip_accents) for line in lines]


@pytest.mark.skipif(not AVAILABLE, reason="the extension module was not built")
@pytest.mark.parametrize("strip_accents", [False, True])
def test_the_extension_module_gives_the_same_keys_for_every_character(strip_accents: bool) -> None:
    """At both ends of a line, where spaces are stripped, and within it; lines of any length.

    Each character is a page, so that irregular ones keep no other from the extension module.
    """
    odd = [code for code in range(0x11000) if not chr(code).isalnum() or code % 8 == 0]
    pages = [f"{chr(code)}a{chr(code)}b\n{chr(code)}" for code in odd]
    pages += ["x" * bytes_ for bytes_ in range(200)]  # of SHA-1's blocks, up to four
    for page in pages:
        keys = paragraph_keys(page, strip_accents=strip_accents)
        assert np.array_equal(keys, hashed_lines(page, strip_accents=strip_accents)), page


@settings(deadline=None)  # a busy machine is no failure
@given(PAGES, st.booleans())
def test_keys_are_those_of_the_plain_rules(page: str, strip_accents: bool) -> None:
    """One a line."""
    keys = paragraph_keys(page, strip_accents=strip_accents)
    lines = page.split("\n")
    assert keys.tolist() == [oracle.key(line, strip_accents=strip_accents) for line in lines]


def test_a_key_is_the_begin_of_sha1_little_endian() -> None:
    """Of the normalised line in UTF-8; the empty page has the key of the empty line."""
    digest = hashlib.sha1("été 0".encode(), usedforsecurity=False).digest()
    assert paragraph_keys("\u201cÉté 9\u201d").tolist() == [int.from_bytes(digest[:8], "little")]
    assert paragraph_keys("").tolist() == [
        int.from_bytes(bytes.fromhex("da39a3ee5e6b4b0d"), "little")
    ]


def test_keys_are_a_writable_array_of_their_own() -> None:
    """Not a view of twenty bytes a key."""
    keys = paragraph_keys("a\nb")
    assert keys.dtype == np.uint64
    assert keys.flags.c_contiguous
    assert keys.nbytes == 16


def remove(page: str, duplicated: list[bool], **options: bool) -> Deduplicated | None:
    """Remove lines by their flags."""
    return remove_paragraphs(page, paragraph_keys(page), np.array(duplicated, np.bool_), **options)


def test_fields_of_a_page_without_duplicates() -> None:
    """The lines stay as they were; numbers count lines and characters before and after."""
    assert remove("Menü\nOnce “1”\n\nTwice", [True, False, False, False]) == Deduplicated(
        text="Once “1”\n\nTwice",
        line_ids=[1, 2, 3],
        nlines=3,
        length=15,
        original_nlines=4,
        original_length=20,
    )


@pytest.mark.parametrize(
    ("page", "duplicated", "text"),
    [
        ("a\nb", [True, True], None),
        ("", [False], None),
        ("", [True], None),
        ("a\n\nb\n \nc", [False] * 5, "a\n\nb\nc"),
        ("a\n\nb\n \nc", [False, True, False, True, False], "a\nb\nc"),
        ("a 1\nb\nA 2", [False] * 3, "a 1\nb"),
        ("a\na", [True, True], None),
        ("a\n\n", [True, False, False], None),
        ("b\na\nb\nc", [False] * 4, "b\na\nc"),
    ],
)
def test_remove_paragraphs(page: str, duplicated: list[bool], text: str | None) -> None:
    """Flagged lines and repeats go; a page with nothing left is None (docs/rules/web.md 4.5)."""
    rest = remove(page, duplicated)
    assert (rest.text if rest else None) == text


def test_repeats_inside_a_page_may_stay() -> None:
    """An option."""
    rest = remove("a\na\nb", [False, False, True], within_document=False)
    assert rest
    assert rest.text == "a\na"


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.sampled_from("ab1 2\n”")), st.data(), st.booleans())
def test_remove_paragraphs_as_the_plain_rules_do(
    page: str, data: st.DataObject, within_document: bool
) -> None:
    """Whichever keys are duplicates."""
    keys = paragraph_keys(page)
    duplicates = data.draw(st.sets(st.sampled_from(sorted(keys.tolist()))))
    flags = np.array([number in duplicates for number in keys.tolist()], np.bool_)
    rest = remove_paragraphs(page, keys, flags, within_document=within_document)
    plain = oracle.deduplicate(page, duplicates, within_document=within_document)
    if rest is None:
        assert plain.text is None
    else:
        assert rest._asdict() == {name: getattr(plain, name) for name in rest._fields}


def test_flags_of_another_page_are_an_error() -> None:
    """A mistake of the caller, said so; not a page cut at random."""
    with pytest.raises(ValueError, match="2 lines, 2 keys and 1 flags: pass paragraph_keys"):
        remove("a\nb", [True])


def test_line_ids_have_a_packed_form() -> None:
    """Little-endian, 16 bits each."""
    assert pack_line_ids([1, 2]) == "AQACAA=="
    assert pack_line_ids([]) == ""
    assert pack_line_ids([65_535]) == "//8="
    assert pack_line_ids([65_536]) is None


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(0, 65_535)))
def test_packed_line_ids_come_back(line_ids: list[int]) -> None:
    """As they were."""
    packed = pack_line_ids(line_ids)
    assert packed is not None
    assert unpack_line_ids(packed) == line_ids


@pytest.mark.parametrize("packed", ["AQ==", "A", "no base64!", "é"])
def test_what_is_no_packed_form_gives_nothing(packed: str) -> None:
    """Bad data does not raise."""
    assert unpack_line_ids(packed) is None


def test_unpacked_numbers_are_not_signed() -> None:
    """The highest one is 65,535."""
    assert unpack_line_ids(base64.b64encode(b"\xff\xff").decode()) == [65_535]


@pytest.mark.parametrize("character", "a\n \u2019\u0663\u03a3\U0001d7d9\x00")
def test_large_odd_pages_are_no_problem(character: str) -> None:
    """A million characters of one kind: every pass is linear."""
    page = character * 1_000_000
    assert len(paragraph_keys(page)) == page.count("\n") + 1
