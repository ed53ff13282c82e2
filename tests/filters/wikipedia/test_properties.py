"""Whatever the wikitext: no exception, an end, and text as the contract says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia.scanner import MAX_DEPTH
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

EN = load_site("en")

_PIECES = [
    *("{{", "}}", "{{{", "}}}", "{", "}", "[[", "]]", "[", "]", "|", "=", "==", "'''", "''", "'"),
    *("\n", "\n\n", "\n{|", "\n|}", "\n|-", "\n*", "\n;", ":", "\n==", "\n----", " ", "__TOC__"),
    *("<ref>", "</ref>", "<ref/>", "<!--", "-->", "<br>", "<div>", "</div>", "<table>", "</table>"),
    *("<poem>", "</poem>", "<gallery>", "</gallery>", "<includeonly>", "</includeonly>", "<", ">"),
    *(
        "File:X",
        "Category:X",
        "de:",
        "thumb",
        "convert|5|km",
        "nowrap|",
        "http://x.org",
        "-{",
        "}-",
    ),
    *("(", ")", ",", ".", '"', "&lt;", "&nbsp;", "&#10;", "&#32;", "a", "b c", "é", "文"),
]
_CODE = ["<nowiki>", "</nowiki>", "<pre>", "</pre>", "<math>", "</math>", "<code>", "</code>"]
_FORBIDDEN = re.compile(r"[\ufdd0-\ufdef\0\r]|\n\n\n|[ \t]\n|[ \t]\Z|\A\s")

wikitext = st.lists(st.sampled_from(_PIECES), max_size=60).map("".join)
with_code = st.lists(st.sampled_from(_PIECES + _CODE), max_size=60).map("".join)


@given(wikitext)
def test_the_contract_of_text(page: str) -> None:
    """No marker of ours, no third line end in a row, no blank at the end of a line (2.6)."""
    assert not _FORBIDDEN.search(to_text(page, EN).text)


@given(with_code)
def test_markers_never_leave(page: str) -> None:
    """What was put aside came back, whatever stands around it."""
    assert not re.search("[\ufdd0-\ufdef]", to_text(page, EN).text)


@given(wikitext)
def test_marks_of_templates_and_links_never_leave(page: str) -> None:
    """Marks go with their constructs, or alone (2.7)."""
    page = page.replace("&lt;", "")
    assert not re.search(r"\{\{|\[\[|<ref>|<br>|<!--", to_text(page, EN).text)


@given(st.text(max_size=200))
def test_any_text(page: str) -> None:
    """Any characters at all."""
    to_text(page, EN, title=page[:10])


@pytest.mark.parametrize(
    "mark",
    [
        *("{{", "[[", "\n{|", "<ref>", "'''", "<!--", "{{{", "[http://", "}}", "]]", "|", "("),
        *("<table>", "<nowiki>", "<math", "<", "&", "=", "\n=", "__", "-{", "{{a|", "[[a|", "\n*"),
        *("[http://a [", "{{a}}", "[[a]]", "<b>", "\n;a:", " ", ",", "\n \n", "''a'", "[[File:"),
        *("{{a|[[b|{|\n", "<!-- --> ", "([[", "<ref>\n\n", "{{}}", "{{}}(", " {{}}", "''{{}}"),
    ],
)
def test_a_megabyte_of_one_mark_ends(mark: str) -> None:
    """No construct is read again and again: a quadratic step would take hours here."""
    rendered = to_text(mark * (1_000_000 // len(mark)) + "\n\nNext", EN)
    assert rendered.text.endswith("Next") or mark in {"<nowiki>", "<math"}


def test_five_megabytes_of_mixed_marks_end() -> None:
    """Nothing is dropped but marks: the words between them stay."""
    marks = "{{ [[ \n{| <ref> ''' <!-- {{{ [http:// "
    rendered = to_text("word " + marks * (5_000_000 // len(marks)) + "\n\nNext", EN)
    assert rendered.path == "fallback"
    assert rendered.text.startswith("word")
    assert rendered.text.endswith("Next")


def test_a_long_target_is_read_once() -> None:
    """Not at each paragraph of its caption."""
    page = "[[File:" + "x" * 1_000_000 + "|" + "\n\ny" * 300_000
    assert to_text(page, EN).text.endswith("y")


@given(st.integers(1, MAX_DEPTH))
def test_what_nests_within_the_limit_is_closed(depth: int) -> None:
    """Links in labels of links, up to the limit."""
    assert to_text("[[a|" * depth + "b" + "]]" * depth + "c", EN).text == "bc"
