# ruff: noqa: RUF001  (signs of speech, and dashes)
"""Values that a sentence lost, and content that no rule knows but that stays."""

import pytest

from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

EN = load_site("en")
DE = load_site("de")
IT = load_site("it")


@pytest.mark.parametrize(
    ("wikitext", "lost"),
    [
        ("It has {{population|x}} inhabitants.", 1),
        ("Berlin hatte am {{date of|x}} insgesamt {{number of|x}} Einwohner.", 2),
        ("It lies at {{coord|1|2|N}}.", 1),
        ("(Pashto: {{word|x}}, b)", 1),
        ("computers{{dash}}following", 1),
        ("* {{land|x}} 1.707", 1),
        ("{{as told|x}} there are.", 1),
        ("A fact.{{citation needed|date=May 2010}} Next.", 0),
        ("A fact{{unknown note}} goes on.", 0),
        ("A fact {{sfn|Smith|2010}} goes on.", 0),
        ("A fact {{who|date=May 2010}} goes on.", 0),
        ("A fact. {{cite web|url=http://x.org|title=y}} Next.", 0),
        ("{{Infobox river|length=5}}\n'''A''' is b.", 0),
        ("a\n{{navigation}}\nb", 0),
        ("* {{flag icon|X}} Country", 0),
        ("* [http://x.org Page] {{de icon}}", 0),
        ("It has {{convert|5|km}} of road.", 0),
        ("It has {{convert|many|km}} of road.", 1),
        ("It has {{nowrap|{{unknown|x}}}} of road.", 1),
        ("{|\n| a {{x|y}} b\n|}\nc", 0),
        ("<ref>a {{x|y}} b</ref>c", 0),
        ("== A {{anchor|b}} c ==\nd", 0),
        ("of formula {{carbon}}<sub>n</sub>{{hydrogen}}<sub>2n+2</sub>", 0),
    ],
)
def test_lost_values_are_counted(wikitext: str, lost: int) -> None:
    """A value stands between blanks in a sentence; notes and boxes do not."""
    assert to_text(wikitext, EN).lost_values == lost


def test_a_sound_within_a_sentence_is_no_value() -> None:
    """An Italian article plays a sound after a word."""
    rendered = to_text("Da Roma {{Link audio|a.ogg|ascolta}} in poi.", IT)
    assert (rendered.text, rendered.lost_values) == ("Da Roma in poi.", 0)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("$5 (${{Inflation|x}} in {{CURRENTYEAR}} dollars) a", "$5 a"),
        ("$9 million (${{format price|{{Inflation|x}}}} today) a", "$9 million a"),
        ("a (pop. {{x|y}}) b", "a b"),
        ("a (at {{x|y}}) b", "a b"),
        ("a (born {{x|y}} in Rome) b", "a (born in Rome) b"),
        ("a ({{x|y}} Germany) b", "a (Germany) b"),
        ("a (about {{x|y}}, 1950) b", "a (about, 1950) b"),
        ("Berlin (/bɜː/, {{x|y}}) is", "Berlin (/bɜː/) is"),
    ],
)
def test_brackets_that_lost_their_value_go(wikitext: str, text: str) -> None:
    """With a sign or a small word in them; what has words of its own stays."""
    assert to_text(wikitext, EN).text == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("a:\n{{columns|2|\n* b\n* [[c]]\n}}\nd", "a:\nb\nc\nd"),
        ("== A ==\n{{columns|width=20em|\n* b\n}}", "A\n\nb"),
        ("{{columns|content=\n# b\n# c\n}}", "b\nc"),
        ("{{box of text|title=T|text=A b.\n\nC d.}}", "A b.\n\nC d."),
        ("{{columns|{{columns|\n* a\n* b\n}}}}", "a\nb"),
        ("{{columns|\n* a {{unknown|x}}\n* {{unknown}}\n* b}}", "a\nb"),
        ("x {{columns|\n* a\n* b}} y", "x\na\nb\ny"),
        ("{{Infobox band|members=\n* a\n* b}}c", "c"),
        ("{{band|a=1|b=2|c=3|d=4|e=5|f=6|members=\n* a\n* b}}c", "c"),
        ("{{map key|#ff0000|a}}b", "b"),
        ("{{columns|\n* {{unknown}}\n}}a", "a"),
        ("{{#if:x|\n* a\n* b}}c", "c"),
        ("{{unknown|a b c|d}}e", "e"),
    ],
)
def test_content_of_unknown_templates_stays(wikitext: str, text: str) -> None:
    """Lines of a list and paragraphs are content, unless a box holds them among its fields."""
    assert to_text(wikitext, EN).text == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("* {{cited page|title=A|url=http://x.org}} – 200 pages", "A – 200 pages"),
        ("* a\n* {{cited page|title=A|url=http://x.org}}", "a"),
        ("a {{cited page|title=A|url=http://x.org}} b", "a b"),
        ("* a {{cited book|title=A}} b", "a b"),
        ("* {{cited book|title=A}}, {{cited book|title=B}}", ""),
    ],
)
def test_a_work_that_an_item_speaks_of_is_named(wikitext: str, text: str) -> None:
    """A citation with a remark behind it gives its title."""
    assert to_text(wikitext, EN).text == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ('a<ref name="b"/ {{r|x}} and c.\n\nd<ref name=e>f</ref> g', "a and c.\n\nd g"),
        ('a<ref name="b" and c.', "a and c."),
        ("a<ref name=b {{cite|x}}</ref> c", "a c"),
        ("a<ref {{cite|x}}</ref> c", "a c"),
        ("a<ref>b</ref c", "a c"),
        ('<div class="x" a\n</div> b', "a\n\nb"),
        ("a<br b", "a\nb"),
        ("a <b and c", "a <b and c"),
        ("x<y and a<b", "x<y and a<b"),
    ],
)
def test_tags_that_are_cut_off(wikitext: str, text: str) -> None:
    """A known tag with attributes, or a reference, goes without its ">"."""
    assert to_text(wikitext, EN).text == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("{{{|foo", "|foo"),
        ("[[foo|", "foo|"),
        ("x [http://foo.com/a''Title'' by A] y", "x Title by A y"),
        ('x [http://foo.com/a"Title" by A] y', 'x "Title" by A y'),
        ("; See http://x.org/a:b : the page", "See http://x.org/a:b: the page"),
        ("; [[Star: Trek]] : a series", "Star: Trek: a series"),
        ("; [http://x.org A: b] : c", "A: b: c"),
        ("== A ==\n...\n== B ==\n* ...\n== C ==\nd ...", "C\n\nd ..."),
        ("== A ==\n...\nb", "A\n\n...\nb"),
    ],
)
def test_small_ones(wikitext: str, text: str) -> None:
    """Bars, addresses, colons in links, and sections that only hold a place."""
    assert to_text(wikitext, EN).text == text


def test_brackets_of_a_template_and_around_it_are_one_pair() -> None:
    """German articles write the brackets of a pronunciation, which the template has too."""
    assert to_text("Das '''A''' [{{IPA|x}}] ist", DE).text == "Das A [x] ist"
