# ruff: noqa: RUF001  (signs of numbers)
"""Numbers: none is changed, none loses a digit, none is glued to another."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia.numerals import format_number, local_number
from filters.wikipedia.site_data import LANGUAGES
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

SITES = {lang: load_site(lang) for lang in LANGUAGES}
_LEVEL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")

whole = st.integers(0, 10**9).map(str)
value = whole | st.decimals(0, 10**6, places=2).map(str)
power = st.integers(-30, 30).map(str)


def digits(text: str) -> str:
    """Return the digits of a text, raised and lowered ones too."""
    return "".join(re.findall(r"[0-9]", text.translate(_LEVEL)))


@pytest.mark.parametrize(
    ("lang", "number", "text"),
    [
        ("en", "299792.458", "299,792.458"),
        ("de", "299792.458", "299.792,458"),
        ("it", "299792.458", "299.792,458"),
        ("fr", "8700471", "8 700 471"),
        ("es", "1234", "1234"),
        ("es", "12345", "12 345"),
        ("pl", "1234.5", "1234,5"),
        ("ru", "3644826", "3 644 826"),
        ("de", "-1234.5", "-1.234,5"),
        ("de", "1.234.567", "1.234.567"),
        ("de", "12345 m und 1234.5 m", "12.345 m und 1.234,5 m"),
        ("en", "2020-01-02", "2020-01-02"),
        ("en", "A1234, 1234B, 1/1234", "A1234, 1234B, 1/1234"),
        ("en", "", ""),
    ],
)
def test_formatnum(lang: str, number: str, text: str) -> None:
    """The marks of the language; what is no number stays."""
    assert to_text(f"{{{{formatnum:{number}}}}}", SITES[lang]).text == text


@pytest.mark.parametrize(
    ("lang", "number", "text"),
    [
        ("de", "12.345", "12.345"),
        ("de", "12.34", "12,34"),
        ("fr", "12.345", "12,345"),
        ("fr", "1234,5", "1 234,5"),
        ("en", "1234,5", "1234,5"),
        ("en", "1234.5", "1,234.5"),
        ("en", "12,345", "12,345"),
        ("it", "3.26", "3,26"),
        ("de", "−1234", "−1.234"),
    ],
)
def test_numbers_of_templates(lang: str, number: str, text: str) -> None:
    """What could be a decimal or a group stays as it is written."""
    assert local_number(number, lang) == text


@given(st.sampled_from(LANGUAGES), value)
def test_formatting_keeps_every_digit(lang: str, number: str) -> None:
    """Only marks come in, and they come between digits."""
    for text in (format_number(number, lang), local_number(number, lang)):
        assert digits(text) == digits(number)
        assert text[0].isdigit()
        assert text[-1].isdigit()


# A template, and what it reads as; the fields are three numbers and a power.
TEMPLATES = (
    ("formatnum:{0}", "{0}"),
    ("nts|{0}", "{0}"),
    ("val|{0}|{1}", "{0}{1}"),
    ("val|{0}|{1}|{1}", "{0}{1}{1}"),
    ("val|{0}|({2})|e={3}", "{0}{2}10{3}"),
    ("val|e={3}|u=K", "10{3}"),
    ("frac|{2}|{2}|{2}", "{2}{2}{2}"),
    ("convert|{0}|-|{1}|km", "{0}{1}"),
    ("chem|C|{2}|H|{2}", "{2}{2}"),
    ("sup|{3}", "{3}"),
    ("sub|{2}", "{2}"),
    ("nowrap|{0}<sup>{3}</sup>", "{0}{3}"),
)


@given(st.sampled_from(LANGUAGES), st.sampled_from(TEMPLATES), value, value, whole, power)
def test_no_digit_of_a_rendered_value_is_lost(  # each place has a number of its own
    lang: str, template: tuple[str, str], first: str, second: str, third: str, exponent: str
) -> None:
    """All of them are in the text, in order."""
    wikitext, expected = (text.format(first, second, third, exponent) for text in template)
    text = to_text(f"a {{{{{wikitext}}}}} b", SITES[lang]).text
    assert digits(text) == digits(expected)


@given(
    st.sampled_from(
        [
            "{{frac|1|4}}", "{{convert|5|km}}", "{{val|7}}", "{{unknown|5}}", "<sup>7</sup>",
            "<sub>7</sub>", "<sup>1/2</sup>", "<sub>1,2</sub>", "{{sup|7}}", "<ref/>",
            "<sup>''n''</sup>", "<sup>7", "{{nts|5}}", "{{age|1970|1|1|2000|1|1}}",
        ]
    ),
    whole,
)  # fmt: skip
def test_no_number_is_glued_to_another(construct: str, number: str) -> None:
    """A number before a value is still a number of its own."""
    text = to_text(f"a {number}{construct} 5", SITES["en"]).text
    found = re.match(r"a ([0-9]+)", text)
    assert found
    assert found[1] == number


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "1{{sfrac|1|4}} days", "1 1/4 days"),
        ("de", "5{{Bruch|1|2}} Zoll", "5 1/2 Zoll"),
        ("en", "'''1'''{{frac|1|4}}", "1 1/4"),
        ("en", "1{{nowrap|{{frac|1|4}}}}", "1 1/4"),
        ("en", "1{{small|000}}", "1000"),
        ("de", "{{Höhe|1234}}", "1.234 m"),
        ("it", "{{Euro|1234567}}", "1.234.567 €"),
        ("it", "{{a.C.|1234}}", "1234 a.C."),
    ],
)
def test_values_beside_numbers(lang: str, wikitext: str, text: str) -> None:
    """Mixed fractions, powers and uncertainties; wrappers change nothing."""
    assert to_text(wikitext, SITES[lang]).text == text
