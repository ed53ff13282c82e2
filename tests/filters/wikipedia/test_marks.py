"""The extension reads the marks of wikitext as the pattern does, and shows links as Python does."""

import bz2
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia import marks, sites
from filters.wikipedia.markers import BLOCK, clean_input
from filters.wikipedia.nodes import Renderer
from filters.wikipedia.scanner import Scan, scan
from filters.wikipedia.sites import load_site
from filters.wikipedia.tags import strip_tags
from filters.wikipedia.templates import Page, render_template

pytestmark = pytest.mark.skipif(
    not marks.AVAILABLE, reason="the extension filters.wikipedia._marks is not compiled"
)
SITE = load_site("en")
PIECES = [
    *("[[", "]]", "[", "]", "{{", "}}", "{", "}", "|", "{|", "|}", "\n", "\n\n", " ", "\t", BLOCK),
    *("a", "B c", "'", "''", ":", "=", ";", "*", "#", "\u200e", "\ufdd0", "\ufdef", "\ufdcf"),
    *("[[a]]", "[[a|b]]", "[[a:b]]", "[[a|b:c]]", "[[ a ]]", "[[a| b]]", "[[a|b=c]]", "[[a|]]"),
    *(
        "[[|b]]",
        "[[]]",
        "[[File:a|b",
        "{{lc:A}}",
        "{{nowrap|a}}",
        "\r",
        "_",
        "{{__a__",
        "<",
        ">",
        "{{{a|b}}}",
        "é",
        "Ж",
        "😀",
        "\0",
    ),
]


TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def _scan(text: str, *, extension: bool) -> tuple[Scan, list[str]]:
    """Return the scan of a text with or without the extension, and the dropped templates."""
    renderer = Renderer(SITE, Page("A", "A", "Wikipedia"), render_template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "AVAILABLE", extension)
        return scan(text, renderer), renderer.dropped


@given(TEXTS)
def test_a_scan_is_the_same_with_and_without(text: str) -> None:
    """Text, strays, doubts and dropped templates."""
    assert _scan(text, extension=True) == _scan(text, extension=False)


@given(TEXTS, st.integers(0, 40))
def test_the_marks_are_those_of_the_pattern(text: str, place: int) -> None:
    """From any place on; what decides nothing where no link or template is open is text."""
    place = min(place, len(text))
    found, end = marks.marks_of(text)(place)
    expected, expected_end = marks._read(text, place)
    assert (_joined(found), end) == (_joined(expected), expected_end)


def _joined(found: list[str | marks.Mark]) -> list[str | marks.Mark]:
    """Return texts and marks with neighbouring texts in one, and with plain marks as texts."""
    joined: list[str | marks.Mark] = [""]
    for item in found:
        if isinstance(item, str):
            shown = item
        elif item[0] == "\n" and item[2] == item[1] + 1:
            shown = "\n"
        elif _is_plain(item):
            shown = item[4] or item[3] or ""
        else:
            joined += [item, ""]
            continue
        joined[-1] = f"{joined[-1]}{shown}"
    return joined


def _is_plain(mark: marks.Mark) -> bool:
    """Tell by a pattern whether a link shows its label, or else its target, unchanged."""
    sign, _, _, target, label = mark
    if sign != "[" or target is None or ":" in target:
        return False
    edge = "[^ \t\n\ufdd0-\ufdef\u200e\u200f':=]"
    shown = target if label is None else label
    return re.fullmatch(f"{edge}(?:[^':=]*{edge})?", shown, re.DOTALL) is not None


@given(TEXTS)
def test_names_and_clean_texts_are_those_of_the_patterns(text: str) -> None:
    """The names of templates as `is_disambiguation` reads them; what `clean_input` removes."""
    names = set(sites._TEMPLATE_NAME.findall(text))
    assert marks._marks.template_names(text) == (names, "__" in text)
    dirty = re.search("[\0\r\ufdd0-\ufdef]", text)
    assert marks._marks.is_clean(text) == (dirty is None)


def test_long_names_are_cut() -> None:
    """At 200 characters, and another one may begin there."""
    for size in (199, 200, 201):
        text = "{{" + "a" * size + "{{b"
        names = set(sites._TEMPLATE_NAME.findall(text))
        assert marks._marks.template_names(text) == (names, False)
    for wrong in (None, b"a"):
        with pytest.raises(TypeError):
            marks._marks.template_names(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            marks._marks.is_clean(wrong)  # type: ignore[arg-type]


def test_many_marks_that_may_end_elsewhere_take_linear_time() -> None:
    """Each time the reader goes on behind the mark."""
    for text in ("[[a [b]]]" * 50_000, "\n|}}" * 50_000, "{{a\n|}}" * 50_000, "{{{{{" * 50_000):
        assert _scan(text, extension=True) == _scan(text, extension=False)


def test_a_wrong_place_is_refused() -> None:
    """A place outside the text, or another text."""
    page = marks._marks.open_page("abc")
    for text, place in (("abc", -1), ("abc", 4), ("ab", 0)):
        with pytest.raises(ValueError, match="the place or the text is wrong"):
            marks._marks.read_marks(page, text, place)


@pytest.mark.data
def test_real_pages_are_scanned_the_same(data: Path) -> None:
    """All pages of the sample dumps, of every namespace."""
    count = 0
    for path in sorted((data / "wikipedia").glob("*.bz2")):
        xml = bz2.decompress(path.read_bytes()).decode()
        for text in re.findall(r"<text[^>]*>([^<]*)</text>", xml):
            wikitext = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
            stripped = strip_tags(clean_input(wikitext.replace("&amp;", "&")))[0]
            assert _scan(stripped, extension=True) == _scan(stripped, extension=False)
            count += 1
    assert count > 500
