"""Conditionals (docs/rules/sources.md 4.4, 4.10)."""

import pytest

from filters.latex.conditionals import resolve_conditionals
from tests.filters.latex.papers import body_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\\iffalse b\\fi c", "ac"),
        ("a \\iffalse b\\else c\\fi d", "a cd"),
        ("\\iftrue a\\else b\\fi", "a"),
        ("\\x\\iffalse b\\fi c", "\\x c"),
        ("\\iffalse a \\iffalse b\\fi c\\fi d", "d"),
        ("\\iffalse a \\ifx\\b\\c d\\else e\\fi f\\fi g", "g"),
        ("\\iftrue a \\iffalse b\\fi c\\fi d", "a cd"),
        ("\\if0 a\\fi b", "b"),
        ("\\if1 a\\fi b", "ab"),
        ("\\if01 a\\else b\\fi", "b"),
        ("\\if00 a\\else b\\fi", "a"),
        ("\\if false a\\fi b", "b"),
        ("\\if0\\blind a\\fi", "\\if0\\blind a\\fi"),
        ("\\iffalse \\ifthenelse{a}{b}{c} \\ifbool{x}{y}{z} \\iff \\fi d", "d"),
        ("\\newif\\ifdraft \\iffalse a\\fi b", "\\newif\\ifdraft b"),
        ("\\let\\ifshort\\iffalse \\iffalse a\\fi b", "\\let\\ifshort\\iffalse b"),
        ("\\iffalse \\ifdefined\\x a\\fi b\\fi c", "c"),
        ("a\n\n\\iffalse b\\fi\n\nc", "a\n\n\n\nc"),
        ("a\\iffalse b\\fi\n\nc", "a\n\nc"),
        ("a\\iffalse b", "a\\iffalse b"),
        ("\\iffalse a\\fi b\\fi", "\\iffalse a\\fi b\\fi"),
        ("\\iffalse a\\else b\\else c\\fi", "\\iffalse a\\else b\\else c\\fi"),
        (
            "\\w{\\protect\\iffalse}a\\w{\\protect\\fi}",
            "\\w{\\protect\\iffalse}a\\w{\\protect\\fi}",
        ),
        ("\\iffalse \\noexpand\\fi a\\string\\else b\\fi c", "c"),
        ("\\noexpand\\iftrue a\\iffalse b\\fi c", "\\noexpand\\iftrue ac"),
        ("\\ifnum1<2 a\\fi", "\\ifnum1<2 a\\fi"),
    ],
)
def test_what_is_decided_by_its_name(text: str, expected: str) -> None:
    """The rest counts in the nesting, and a broken nesting is left alone."""
    assert resolve_conditionals(text) == expected


def test_a_command_of_the_paper_opens_nothing() -> None:
    """Its name only begins with if."""
    assert resolve_conditionals("\\iffalse \\ifff \\fi b", {"\\ifff"}) == "b"
    preamble = "\\newcommand{\\ifff}{iff}\n"
    assert body_of("\\iffalse a \\ifff{} \\fi b\\ifff", preamble) == "biff"


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        ("\\newif\\ifdraft\\drafttrue", "\\ifdraft a\\else b\\fi", "a"),
        ("\\newif\\ifdraft\\draftfalse", "\\ifdraft a\\else b\\fi", "b"),
        ("\\newif\\ifdraft\\draftfalse", "x\\ifdraft a\\fi y", "xy"),
        ("\\newif\\ifdraft", "\\ifdraft a\\else b\\fi", "\\ifdraft a\\else b\\fi"),
        ("\\newif\\ifa\\atrue\\newif\\ifb\\bfalse", "\\ifa\\ifb x\\else y\\fi\\else z\\fi", "y"),
        ("\\let\\iflong\\iffalse", "\\iflong a\\else b\\fi", "b"),
        ("\\newif\\ifa\\ifx\\b\\c\\atrue\\else\\afalse\\fi", "\\ifa x\\fi", "\\ifa x\\fi"),
        ("\\newif\\ifa\\atrue\\def\\x{\\ifa B\\else C\\fi}", "\\x", "B"),
        ("\\newtoggle{t}\\toggletrue{t}", "\\iftoggle{t}{a}{b}", "a"),
        ("\\newtoggle{t}", "\\iftoggle{t}{a}{b}", "\\iftoggle{t}{a}{b}"),
    ],
)
def test_a_flag_has_the_value_that_it_was_given_last(
    preamble: str, body: str, expected: str
) -> None:
    """One that was never set, or set in a branch that is not decided, is unknown."""
    assert body_of(body, preamble) == expected
