"""The line rules of C4, by situation and counter (docs/rules/web.md 9.3 and 9.4)."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.c4.lines import PRESETS, LineRules, _all_lines, _line_by_line, clean_page
from filters.c4.sentences import english

GOOD = "This line has five words."


def clean(text: str, rules: LineRules = PRESETS["tfds"]) -> tuple[str | None, dict[str, int]]:
    """Clean a page."""
    page = clean_page(text, english().lines_have, rules=rules)
    return page.text, dict(page.counters)


@pytest.mark.parametrize(
    ("line", "counter"),
    [
        (f"Four words before {'x' * 1001}.", "line-filtered:too_long_word"),
        (f"Four words are before {'x' * 999}.", "line-passed"),
        ("A line without a mark at its end", "line-filtered:no_endmark"),
        ("A line that just goes on...", "line-filtered:no_endmark"),
        ("A line that just goes on\u2026", "line-filtered:no_endmark"),
        ("He said it in 'single' quotes.'", "line-filtered:no_endmark"),
        ("They said it \u201cin curly quotes.\u201d", "line-filtered:no_endmark"),
        ("(A line that is in brackets.)", "line-filtered:no_endmark"),
        ("A marker comes after a blank. [3]", "line-filtered:no_endmark"),
        ("A range of notes stays here.[1-3]", "line-filtered:no_endmark"),
        ("", "line-filtered:no_endmark"),
        ("Only four words here.", "line-filtered:too_short"),
        ("Only four words here [1].", "line-passed"),  # the full stop is a word then
        ("Not five words now[2] [1].", "line-passed"),
        ("You must enable JavaScript to read.", "line-filtered:javascript"),
        ("The javascript has a { in it.", "line-filtered:javascript"),
        ("A java[1]script hides in this line.", "line-filtered:javascript"),
        ("Please read our Privacy Policy before.", "line-filtered:policy"),
        ("Please read our terms of use.", "line-filtered:policy"),
        ("This site of ours uses cookies.", "line-filtered:policy"),
        ("We agree to the use of cookies.", "line-filtered:policy"),
        ("The privacy policies are many here.", "line-passed"),
        ("A closing } is of no matter.", "line-passed"),
        ('The line is a "quotation of five words"', "line-passed"),
        ("Is this a line that stays?", "line-passed"),
    ],
)
def test_the_first_rule_that_applies_decides(line: str, counter: str) -> None:
    """The other lines of the page stay."""
    page, counters = clean(f"{GOOD}\n{line}\n{GOOD}\n{GOOD}")
    assert page is not None
    assert counters.pop("passed") == 1
    expected = {"line-passed": 3}
    expected[counter] = expected.get(counter, 0) + 1
    assert counters == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("There is Lorem Ipsum in this line.", "loremipsum"),
        ("The function of it begins with {.", "squigglybracket"),
        ("The lorem ipsum comes before the {.", "loremipsum"),
    ],
)
def test_what_drops_a_page(line: str, reason: str) -> None:
    """The lines before it are counted, those after it are not."""
    page, counters = clean(f"{GOOD}\nMenu\n{line}\n{GOOD}")
    assert page is None
    assert counters == {
        "line-passed": 1,
        "line-filtered:no_endmark": 1,
        f"filtered:{reason}": 1,
    }


@pytest.mark.parametrize(
    "line", ["{ in a menu", "{ of few.", "Lorem ipsum and so on", "Enable javascript now, or {."]
)
def test_what_drops_a_page_must_stand_in_a_line_that_came_so_far(line: str) -> None:
    """A bracket in a line that another rule dropped before does not drop the page."""
    page, _ = clean(f"{GOOD}\n{GOOD}\n{GOOD}\n{line}")
    assert page is not None


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("One sentence is here. Two are now. Three are there now.", True),
        (
            "This first line has one sentence.\nThere are three...but it is just one sentence.",
            False,
        ),
        ("Dr. Roberts has one sentence here.\nMr. J. Smith of the U.S. has another.", False),
        ("Menu", False),
        ("", False),
    ],
)
def test_a_page_has_three_sentences(text: str, stays: bool) -> None:
    """They are counted line by line, abbreviations do not end them."""
    page, counters = clean(text)
    assert (page is not None) == stays
    assert counters.get("filtered:too_few_sentences", 0) == (not stays)


def test_citation_markers_go() -> None:
    """Digits or nothing in brackets, edit, citation needed; the line is not stripped again."""
    text = (
        "One[1] two[] three[edit] four five.[citation needed]\n[12] Two words more are here.[Edit]."
    )
    page, _ = clean(f"{text}\n{GOOD}\n{GOOD}")
    assert page is not None
    assert page.split("\n")[:2] == ["One two three four five.", " Two words more are here.[Edit]."]


def test_lines_end_at_all_boundaries_of_unicode() -> None:
    """Also at a vertical tab, a form feed, separators, NEL, and U+2028."""
    page, counters = clean(f"{GOOD}\x0bMenu\x0cMenu\x1cMenu\x85Menu\u2028Menu\x0b{GOOD}\x0b{GOOD}")
    assert page == "\n".join([GOOD] * 3)
    assert counters["line-filtered:no_endmark"] == 5


def test_presets_differ_where_publications_do() -> None:
    """jmlr: 5 sentences of 3 words; datatrove also ends lines with an apostrophe."""
    five = "\n".join(["Three short words."] * 4)
    last = "They said 'three words.'"
    assert clean(f"{five}\n{last}")[0] is None
    assert clean(f"{five}\n{last}", PRESETS["jmlr"])[0] is None
    assert clean(f"{five}\n{last}", PRESETS["datatrove"])[0] == f"{five}\n{last}"
    marked = "Two words [1]."  # the marker is a word of it
    assert "[1]" not in (clean("\n".join([marked] * 5), PRESETS["datatrove"])[0] or "[1]")


PIECES = ("one ", "two", ".", '"', "...", " ", "\n", "[1]", "[edit]", "x" * 1001, "\x85", "\u00e9 ")


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(sorted(PRESETS)))
def test_both_ways_through_a_page_agree(pieces: Sequence[str], preset: str) -> None:
    """All lines at once, and line by line."""
    text, rules = "".join(pieces), PRESETS[preset]
    kept, counters = _all_lines(text, rules)
    same, reason, _, counted = _line_by_line(text, rules)
    assert (kept, reason) == (same, "")
    assert {name: count for name, count in counters.items() if count} == counted


def test_the_quick_search_finds_all_that_the_rules_look_for() -> None:
    """Every phrase of the policy rule, and the others, lead to the reading line by line."""
    for phrase in ("terms of use", "cookie policy", "use cookies", "uses cookies"):
        assert (
            re.search(phrase, clean(f"A line with {phrase}.\n" * 2 + f"{GOOD}\n" * 3)[0] or "")
            is None
        )
