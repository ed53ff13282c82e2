"""Marks of bold and italics, and the apostrophes among them."""

import pytest

from filters.wikipedia.apostrophes import strip_apostrophes
from filters.wikipedia.markers import APOSTROPHE
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

EN = load_site("en")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("''a'' '''b''' '''''c'''''", "a b c"),
        ("a ' b", "a ' b"),
        ("''''a'''", "'a"),
        ("l''''a''' di l'''b''", "l'a di l'b"),
        ("foo ''''bar'' baz", "foo ''bar baz"),
        ("Il''''''curl''''' x", "Il'curl x"),
        ("''''''''a'''''", "'''a"),
        ("l'''arbre''", "l'arbre"),
        ("a b'''c'' d'''e''' f", "a b'c de f"),
        ("ab'''c'' d'''e''' f", "abc d'e f"),
        ("ab '''c'' de'''f''' g", "ab c de'f g"),
        ("'''a'' b", "'a b"),
        ("''a", "a"),
        ("é '''b''", "é 'b"),
    ],
)
def test_lines(line: str, text: str) -> None:
    """By the rules of MediaWiki's parser."""
    assert strip_apostrophes(line).replace(APOSTROPHE, "'") == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("''[[A|''B'']]'' c", "B c"),
        ("''[[A|B]]''[[C|''D'']]", "BD"),
        ("''[[x]]''[[''y'']]", "xy"),
        ("'[[A|''B'']]' c", "'B' c"),
        ("''x''<sub>''n''</sub> is ''x''<sup>''k''</sup>", "xn is xk"),
        ("''<span>''A''</span>'' b", "A b"),
        ("<b>''A''</b>'''B''' ''<i>C</i>'' d", "AB C d"),
        ("''['Allo 'Allo!]''", "['Allo 'Allo!]"),
        ("''[['Allo 'Allo!]]'' and ''[['Tis]]''", "'Allo 'Allo! and 'Tis"),
        ("''[[A|B' ]]'' c", "B' c"),
        ("''{{small|''A''}}'' b", "A b"),
        ("''[http://x.org ''A'']'' b", "A b"),
        ("[http://x.org 'A']'s", "'A''s"),
        ("''a''<ref>x</ref>''b''", "a b"),
        ("a ''{{unknown|x}}'' b", "a b"),
        ("''A''{{'}}s", "A's"),
        ("[[A|l'''eau'']] '''b'''", "l'eau b"),
        ("''* a", "* a"),
        ("a\n''\nb", "a\nb"),
        ("''' a", "a"),
        ("'''== a ==", "== a =="),
    ],
)
def test_what_stands_between_two_marks_parts_them(wikitext: str, text: str) -> None:
    """A tag, a link, a template or a reference: its own marks are not those around it."""
    assert to_text(wikitext, EN).text == text
