"""BigCode's optional filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.bigcode import (
    check_characters_per_token,
    check_comment_ratio,
    check_data_size,
    check_html_text,
    check_not_xml,
    check_stars,
    comment_ratio,
)

MARKUP = ["<", ">", "<!--", "-->", "<script>", "</script"]
CODE = ["/*", "*/", "//", "#", "'", '"', '"""', "'''", "`", "\\", "\n", "a ", "é"]
MARKUP_OR_CODE = st.lists(st.sampled_from(MARKUP + CODE)).map("".join)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ('<?xml version="1.0"?>\n<a/>', False),
        (" " * 87 + "<?xml version=", True),
        (" " * 86 + "<?xml version=", False),
        ("<svg/>", True),
        ("", True),
    ],
)
def test_check_not_xml(text: str, keep: bool) -> None:
    """The declaration must end within the first 100 characters."""
    assert check_not_xml(text).keep is keep


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("<p>" + "a" * 100 + "</p>", True),
        ("<p>" + "a" * 99 + "</p>", False),
        ("<p class='" + "x" * 387 + "'>" + "a" * 101 + "</p>", True),
        ("<p class='" + "x" * 400 + "'>" + "a" * 100 + "</p>", False),
        ("<script>" + "a" * 200 + "</script><STYLE>" + "a" * 200 + "</STYLE >", False),
        ("<!--" + "a" * 200 + "-->", False),
        ("<p>" + "a" * 200 + "<!-- never closed " + "b" * 300, True),
        ("", False),
    ],
)
def test_check_html_text(text: str, keep: bool) -> None:
    """Scripts, styles, comments and tags are not visible."""
    assert check_html_text(text, "index.html").keep is keep
    assert check_html_text(text, "index.py").keep


@pytest.mark.parametrize(
    ("chars", "path", "keep"),
    [
        (99, "a.json", False),
        (100, "a.yml", True),
        (5000, "a.JSON", True),
        (5001, "a.yaml", False),
        (9, "a.py", True),
    ],
)
def test_check_data_size(chars: int, path: str, keep: bool) -> None:
    """Both bounds are kept."""
    assert check_data_size("x" * chars, path).keep is keep


@pytest.mark.parametrize(
    ("text", "path", "ratio"),
    [
        ("a # b", "x.py", 0.6),
        ("a '#'", "x.py", 0.0),
        ('"""doc"""\n', "x.py", 0.9),
        ("a// b", "x.js", 0.8),
        ('"//"', "x.java", 0.0),
        ("`//`", "x.js", 0.0),
        ("'\\'//'", "x.js", 0.0),
        ("a;/*b*/c;", "x.java", 5 / 9),
        ("/* b", "x.java", 1.0),
        ("", "x.py", None),
        ("// b", "x.go", None),
    ],
)
def test_comment_ratio(text: str, path: str, ratio: float | None) -> None:
    """A comment sign inside a string is no comment; a docstring is one."""
    assert comment_ratio(text, path) == ratio


@pytest.mark.parametrize(
    ("text", "keep"), [("#" * 4 + "\n", True), ("#" * 5 + "\n", False), ("a", False)]
)
def test_check_comment_ratio(text: str, keep: bool) -> None:
    """Neither comments only nor none."""
    assert check_comment_ratio(text, "x.py").keep is keep


@pytest.mark.parametrize(("stars", "keep"), [(5, True), (4, False), (None, False)])
def test_check_stars(stars: int | None, keep: bool) -> None:
    """Five stars are enough."""
    assert check_stars(stars).keep is keep


@pytest.mark.parametrize(
    ("text", "path", "keep"),
    [("abcde fg", "x.py", True), ("ab c", "x.py", False), ("ab c", "x.c", True)],
)
def test_check_characters_per_token(text: str, path: str, keep: bool) -> None:
    """Python files need 2.5 characters a token; languages without a row pass."""
    verdict = check_characters_per_token(text, path, count_tokens=lambda t: len(t.split()))
    assert verdict.keep is keep


@given(MARKUP_OR_CODE, st.sampled_from(["a.html", "a.py", "a.js", "a.java"]))
def test_never_raises(text: str, path: str) -> None:
    """A ratio is a ratio, whatever is left open."""
    check_html_text(text, path)
    ratio = comment_ratio(text, path)
    assert ratio is None or 0 <= ratio <= 1


@pytest.mark.parametrize(
    "part", ["<!--", "<script ", "<", "/*", '"""', "'''", '"', "`", "\\", '"\\']
)
def test_openers_without_closers_are_no_problem(part: str) -> None:
    """A million openers: the scan does not look for the closer from each of them."""
    for path in ("a.html", "a.py", "a.js"):
        check_html_text(part * 1_000_000, path)
        check_comment_ratio(part * 1_000_000, path)
