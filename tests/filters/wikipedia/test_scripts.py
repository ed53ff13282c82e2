# ruff: noqa: RUF001  (minus signs)
"""Superscripts and subscripts, by tags and by templates."""

import pytest

from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

EN = load_site("en")

CASES = {
    "power": ("10<sup>7</sup> K", "10⁷ K"),
    "power of two": ("2<sup>128</sup>", "2¹²⁸"),
    "negative power": ("6·10<sup>−7</sup>, 10<sup>-7</sup>, 10<sup>–7</sup>", "6·10⁻⁷, 10⁻⁷, 10⁻⁷"),
    "power with an entity": ("10<sup>&minus;7</sup>", "10⁻⁷"),
    "power in a template": ("10{{sup|7}} and 10<sup>{{nowrap|−7}}</sup>", "10⁷ and 10⁻⁷"),
    "power in a link": ("10<sup>[[7]]</sup>", "10⁷"),
    "power in italics": ("2<sup>''n''</sup>, 2<sup>''n''−1</sup>", "2ⁿ, 2ⁿ⁻¹"),
    "power without superscripts": ("10<sup>3/2</sup>, 10<sup>1,5</sup>", "10^(3/2), 10^1,5"),
    "power of a letter": ("''e''<sup>−''x''</sup>, ''x''<sup>''k''</sup>", "e⁻ˣ, xk"),
    "power of a bracket": ("(a+b)<sup>2</sup>, (a)<sup>n/2</sup>", "(a+b)², (a)^(n/2)"),
    "power without an end": ("10<sup>7 K", "10^7 K"),
    "unit": ("5 cm<sup>−1</sup>, km<sup>2</sup>", "5 cm⁻¹, km²"),
    "isotope": ("<sup>14</sup>C, <sup>99m</sup>Tc", "¹⁴C, ⁹⁹ᵐTc"),
    "ion": ("CO<sub>3</sub><sup>2−</sup>, H<sup>+</sup>", "CO₃²⁻, H⁺"),
    "index": ("H<sub>2</sub>O, log<sub>10</sub>, x<sub>n</sub>", "H₂O, log₁₀, xn"),
    "index with a sign": ("''a''<sub>''n''+1</sub>", "aₙ₊₁"),
    "index behind a digit": ("5<sub>3,2</sub>", "5_3,2"),
    "ordinal": ("1<sup>st</sup>, 19<sup>e</sup>, n<sup>o</sup> 5", "1st, 19e, no 5"),
    "hours": ("12<sup>h</sup> 30<sup>m</sup>", "12h 30m"),
    "fraction": ("1<sup>1</sup>/<sub>2</sub> and <sup>3</sup>⁄<sub>4</sub>", "1 1/2 and 3/4"),
    "remark": ("2010<sup>[citation needed]</sup> a", "2010[citation needed] a"),
    "script in a script": ("2<sup>x<sub>1</sub></sup>", "2^(x₁)"),
    "empty": ("a<sup></sup>b", "ab"),
    "reference in a script": ("a<sup><ref>b</ref></sup> c", "a c"),
    "scripts over lines": ("<sup>a\nb</sup>", "a\nb"),
    "stray end": ("a</sup>b</sub>", "ab"),
    "formula": ("{{chem|H|2|O}} and {{chem2|CO3(2-)}}", "H₂O and CO₃²⁻"),
}


@pytest.mark.parametrize(("wikitext", "text"), CASES.values(), ids=CASES)
def test_script(wikitext: str, text: str) -> None:
    """A power stays one, and letters alone stay letters."""
    assert to_text(wikitext, EN).text == text
