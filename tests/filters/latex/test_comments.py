"""Comments, and what only looks like one (docs/rules/sources.md 4.4, 4.10)."""

import pytest

from filters.latex.comments import excluded_names, strip_comments, verbatim_names
from filters.latex.sealed import Sealed


def strip(text: str) -> str:
    """Return a text without comments, its verbatim parts in place."""
    sealed = Sealed()
    return sealed.open(strip_comments(text, sealed).text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100\\% of it", "100\\% of it"),
        ("a\\\\% c\nb", "a\\\\b"),
        ("a\\\\\\% c\nb", "a\\\\\\% c\nb"),
        ("foo%\n  bar", "foobar"),
        ("foo % c\nbar", "foo bar"),
        ("foo\n% whole line\nbar", "foo\nbar"),
        ("foo\n   % whole line\n  bar", "foo\n  bar"),
        ("foo\n% one\n% two\nbar", "foo\nbar"),
        ("foo % c\n\nbar", "foo \n\nbar"),
        ("foo % c\n% d\n\nbar", "foo \n\nbar"),
        ("foo\n% c\n\nbar", "foo\n\nbar"),
        ("foo\n\n% c\nbar", "foo\n\nbar"),
        ("% c", ""),
        ("foo % no line end", "foo "),
        ("%\n%\n%", ""),
        ("\\%% c\nx", "\\%x"),
        ("{%\n  x%\n}", "{x}"),
        ("\\vfill% c\nby", "\\vfill by"),
        ("\\vfill% c\n  by", "\\vfill by"),
        ("\\vfill% c\n\\by", "\\vfill\\by"),
        ("\\\\% c\nby", "\\\\by"),
        ("\\vfill % c\nby", "\\vfill by"),
    ],
)
def test_a_comment_takes_its_line_end_along(text: str, expected: str) -> None:
    """And the blanks of the next line, but no paragraph break."""
    assert strip(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\\verb|%| and \\verb*+50%+ x",
        "\\lstinline!a % b! x",
        "\\lstinline[language=C]{a % b} x",
        "\\mintinline{c}|a % b| x",
        "\\url{http://a.b/c%20d} x",
        "\\href{http://a.b/c%20d}{here} x",
        "\\path{a%b} \\nolinkurl{a%b}",
        *(
            f"\\begin{{{name}}}\na % b\n\\newcommand{{\\x}}{{y}}\n\\end{{{name}}}\nx"
            for name in ("verbatim", "verbatim*", "Verbatim", "lstlisting", "minted", "alltt")
        ),
    ],
)
def test_what_is_verbatim_is_none(text: str) -> None:
    """It stays as it was written."""
    assert strip(text) == text


def test_a_comment_environment_goes() -> None:
    """With its lines; one that is never closed stays."""
    assert strip("\\x\\begin{comment}b\\end{comment}c") == "\\x c"
    assert strip("a\n\\begin{comment}\nb % c\n\\end{comment}\nd") == "a\nd"
    assert strip("a \\begin{comment} b") == "a \\begin{comment} b"


def test_filecontents_goes_and_is_a_file() -> None:
    """Its content can be the target of an input."""
    stripped = strip_comments(
        "a\n\\begin{filecontents*}{x.tex}\nhello % c\n\\end{filecontents*}\nb", Sealed()
    )
    assert stripped.text == "a\nb"
    assert stripped.files == {"x.tex": "hello % c\n"}


def test_the_second_argument_of_href_has_comments() -> None:
    """Only the address is sealed."""
    assert strip("\\href{http://a/%20}{te% c\nxt}") == "\\href{http://a/%20}{text}"


def test_a_paper_declares_verbatim_environments() -> None:
    """By listings, fancyvrb and minted."""
    text = (
        "\\lstnewenvironment{code}{}{} \\DefineVerbatimEnvironment{V}{Verbatim}{}\\newminted{c}{}"
    )
    assert {"code", "V", "ccode"} <= verbatim_names([text])


def test_environments_may_be_declared_as_comments() -> None:
    """By the package of that name."""
    text = "\\excludecomment{hidden}"
    removed = strip_comments("a\n\\begin{hidden}x\\end{hidden}\nb", Sealed(),
                             excluded=excluded_names([text]))  # fmt: skip
    assert removed.text == "a\nb"


def test_a_definition_opens_no_verbatim_part() -> None:
    """Its brace follows at once."""
    text = "\\newcommand{\\bv}{\\begin{verbatim}}\\newcommand{\\ev}{\\end{verbatim}}"
    sealed = Sealed()
    assert strip_comments(text, sealed).text == text


def test_comments_are_counted() -> None:
    """One for each run of lines."""
    assert strip_comments("a % b\nc % d\n% e\n", Sealed()).comments == 2
