"""The extension pairs apostrophes and splits lines as the Python modules do."""

import bz2
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia import apostrophes, blocks, gaps
from filters.wikipedia.apostrophes import pair_apostrophes
from filters.wikipedia.blocks import join_blocks
from filters.wikipedia.gaps import repair_gaps
from filters.wikipedia.layout import _tidy
from filters.wikipedia.markers import (
    APOSTROPHE,
    BREAK,
    COLON,
    EMPTY,
    EQUALS,
    JOINT,
    REMOVED,
    VERBATIM,
)

pytestmark = pytest.mark.skipif(
    not blocks.AVAILABLE, reason="the extension filters.wikipedia._lines is not compiled"
)
PIECES = [
    *("'", "''", "'''", "''''", "'''''", "''''''", "l'''", " '''b''", "\n", "\n\n", "\n\n\n"),
    *("=", "==", "===", "=======", "== A ==", "==A==b", "===A==", "\n== B ==\n", "=\n", " ="),
    *("*", "#", ":", ";", "* ", ";: ", "\n* a", "\n; t : d", "\n: ", "#:", "*;", ": * "),
    *(" ", "  ", "\t", "\n ", "\n\t", "-", "----", "\n-----", "--", "|", "\n|", "|a|", "|\u00a0|"),
    *("a", "B c", "a.", "...", "–", "…", "\u2003", "\x1f", "\x0b", "\u0085", "1"),  # noqa: RUF001
    *("http://a.b:", "&amp;", "{{", "{|", "[[", "[", "{", "]]"),
    *(REMOVED, BREAK, EMPTY, EQUALS, JOINT, APOSTROPHE, COLON, VERBATIM, "\ufdef"),
    *("é", "Ж", "😀", "\0", "\ud800", "\ufeff"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def _in_python(text: str) -> tuple[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apostrophes, "AVAILABLE", False)
        patch.setattr(blocks, "AVAILABLE", False)
        return pair_apostrophes(text), join_blocks(text, frozenset())[0]


def _closed_in_python(text: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaps, "AVAILABLE", False)
        return repair_gaps(text)


def _check(text: str) -> None:
    assert repair_gaps(text) == _closed_in_python(text)
    paired, joined = _in_python(text)
    assert pair_apostrophes(text) == paired
    found, untidy = join_blocks(text, frozenset())
    assert found == joined
    assert untidy or found.strip() == _tidy(found)


@given(TEXTS)
def test_lines_are_the_same_with_and_without(text: str) -> None:
    """Every mark beside every other one."""
    _check(text)


GAP_PIECES = [
    *([REMOVED] * 12),
    *(" ", "  ", "\t", "\n", "(", ")", "[", "]", ",", ";", ":", ".", "!", "?", "-", "–", "—", "/"),  # noqa: RUF001
    *("«", "»", "„", "“", "”", '"', "*", "#", ";;", "*" * 19, "a", "1", "é", "Ж", "²", "\u2003"),
    *("·", " · ", "(, ", " ;)", "\n* ", " – ", "\ud800", "\0", "😀", "\u0301"),  # noqa: RUF001
]


@given(st.lists(st.sampled_from(GAP_PIECES), max_size=40).map("".join))
def test_gaps_are_closed_the_same_with_and_without(text: str) -> None:
    """Removals beside everything that belongs to a gap, and to other removals."""
    assert repair_gaps(text) == _closed_in_python(text)


def test_many_gaps_take_linear_time() -> None:
    """A text of removals, blanks and brackets."""
    for piece in (REMOVED, f"{REMOVED} ", f"({REMOVED})", f"({REMOVED}", f"a {REMOVED}, "):
        text = piece * 50_000
        assert repair_gaps(text) == _closed_in_python(text)


def test_every_character_that_is_white_space_may_fill_a_placeholder() -> None:
    """A section with one character, for all characters."""
    for first in range(0, 0x11000, 256):
        text = "".join(f"\n==A==\n{chr(code)}" for code in range(first, first + 256))
        found, _ = join_blocks(text, frozenset())
        assert found == _in_python(text)[1], hex(first)


@pytest.mark.data
@pytest.mark.parametrize("lang", ["en", "it", "ru"])
def test_cuts_of_real_pages(data: Path, lang: str) -> None:
    """Lines of real pages, cut anywhere, as wikitext: with all their marks."""
    path = data / "wikipedia" / f"{lang}wiki-sample-pages-articles.xml.bz2"
    xml = bz2.decompress(path.read_bytes()).decode()
    draw = random.Random(lang)
    for source in re.findall(r"<text[^>]*>([^<]*)", xml)[:60]:
        text = source.replace("&lt;br", BREAK).replace("&lt;", JOINT).replace("&quot;", REMOVED)
        text = text.replace("[[", EMPTY).replace("http", EQUALS)
        for size in (50, 500, 50_000):
            start = draw.randrange(len(text) + 1)
            _check(text[start : start + size])


def test_errors_of_the_python_functions_are_raised() -> None:
    """And anything but the right type is a TypeError."""

    def fail(_: str) -> str:
        raise ValueError("wrong")

    lines = blocks._lines
    with pytest.raises(ValueError, match="wrong"):
        lines.pair_apostrophes("''a'''", fail)
    with pytest.raises(ValueError, match="wrong"):
        lines.join_lines(f"a{BREAK}", str, fail, bool)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        lines.join_lines("; a", len, list, bool)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        lines.join_lines(f"a{BREAK}", str, tuple, bool)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        lines.join_lines(b"a", str, list, bool)  # type: ignore[arg-type]
