# ruff: noqa: RUF001  (signs and letters of 20 languages are what is tested)
"""Kinds of templates whose text the data of the languages brings back: lists, signs, places.

A case is a language, a piece of a page, and its text.
"""

import pytest

from filters.wikipedia.site_data import LANGUAGES
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text


def text_of(lang: str, wikitext: str) -> str:
    """Return the text of a page of a Wikipedia."""
    return to_text(wikitext, load_site(lang)).text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "A:\n{{columns-list|colwidth=20em|\n* b\n* c\n}}\nD", "A:\nb\nc\nD"),
        ("en", "A:\n{{Columns-list|3|\n* b\n* c\n}}", "A:\nb\nc"),
        ("en", "{{columns|width=200px|col1=\n* a\n* b\n|col2=\n* c\n}}", "a\nb\nc"),
        ("en", "A:\n{{plainlist|\n* b\n* c\n}}", "A:\nb\nc"),
        ("en", "{{plainlist}}\n* b\n{{endplainlist}}", "b"),
        ("en", "Used for: {{ordered list|start=2|a|b}} c", "Used for:\na\nb\nc"),
        ("en", "{{bulleted list|a|{{bulleted list|b}}}}", "a\nb"),
        ("en", "one of {{hlist|a|b|c}}.", "one of a · b · c."),
        ("en", "at x: {{hlist|{{no|1}}|{{no|2}}|{{no|3}}}}\nY", "at x:\nY"),
        ("en", "one of {{hlist|{{no|1}}|b|{{no|2}}|{{no|3}}|c|{{no}}}}.", "one of b · c."),
        ("en", "{{hlist|{{no|1}}|b|c}} and d", "b · c and d"),
        ("en", "{{collapsible list|title=T|a|b}}", "T\na\nb"),
        ("en", "* {{unbulleted list|a|b}}\n* c", "a\nb\nc"),
        ("de", "A:\n{{Mehrspaltige Liste|breite=20em|liste=\n* b\n* c\n}}", "A:\nb\nc"),
        ("nl", "A:\n{{Kolommen lijst|breedte=20|inhoud=\n* b\n* c\n}}", "A:\nb\nc"),
        ("fr", "A :\n{{colonnes|taille=20|\n* b\n* c\n}}", "A :\nb\nc"),
        ("fr", "A :\n{{colonnes|nombre=2|1=\n* b\n}}", "A :\nb"),
        ("es", "A:\n{{lista de columnas|3|\n* b\n* c\n}}", "A:\nb\nc"),
        ("pl", "A:\n{{Układ wielokolumnowy|liczba=3|\n* b\n* c\n}}", "A:\nb\nc"),
        ("it", "A.\n{{cassetto|titolo=T|testo=\n* b\n* c\n}}\nD", "A.\n\nT\n\nb\nc\n\nD"),
        ("it", "A.\n{{Nota|titolo=T|contenuto=Viene da ''x''.}}\nD", "A.\n\nT\n\nViene da x.\n\nD"),
        ("it", "A.\n{{nota|contenuto=Viene da x.}}\nD", "A.\n\nViene da x.\n\nD"),
        ("it", "A.\n{{nota|titolo=T|larghezza=300px}}\nD", "A.\n\nD"),
        ("ru", "А:\n{{скрытый|T|\n* b\n}}", "А:\nT\nb"),
    ],
)
def test_wrappers_of_lists(lang: str, wikitext: str, text: str) -> None:
    """The list stays, its items on lines of their own; numbers and widths of columns do not."""
    assert text_of(lang, wikitext) == text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_heading_keeps_its_list(lang: str) -> None:
    """English names of wrappers are used in all languages."""
    page = "== H ==\n{{columns-list|2|\n* a\n* b\n}}\n\nc {{hlist|d|e}}"
    assert text_of(lang, page) == "H\n\na\nb\n\nc d · e"


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("it", "Dice:\n{{Q|Il sé|Autore|orig|lingua=sa}}\nPoi.", "Dice:\n\nIl sé\n\nPoi."),
        ("en", "x\n{{rquote|left|text|who}}", "x\ntext"),
        ("en", "x{{mdashb}}y{{endash}}z{{--}}a", "x—y–z—a"),
        ("en", "HA {{eqm}} B in A{{music|flat}}, {{music|time|4|4}}", "HA ⇌ B in A♭, 4/4"),
        ("en", "a{{break}}b, [{{IPA-de|x}}]", "a\nb, [x]"),
        ("de", "Ampere [{{IPA|amˈpɛɐ̯}}] mit", "Ampere [amˈpɛɐ̯] mit"),
        ("it", "({{colore|maroon|9}}/{{colore|navy|80}})", "(9/80)"),
        ("en", "({{nq|افغانستان}}, {{script/Arabic|ا}})", "(افغانستان, ا)"),
        ("ru", "«{{langi|la|Litva}}» и {{lang|la|b}}", "«Litva» и b"),
        ("fr", "A ({{en langue|de|Österreich}})", "A (en allemand : Österreich)"),
        ("de", "({{ruS|Москва|Moskwa}}; {{enS|x}})", "(Москва, Moskwa; x)"),
        ("en", "{{nihongo|strikes|打ち|uchi}}, {{nihongo||x|y}}", "strikes (打ち, uchi), x (y)"),
        ("en", "{{nihongo3|English|漢|kan}}, {{ruby|漢|かん}}", "kan (漢, English), 漢 (かん)"),
        ("ru", "{{нихонго|а|漢|канdзи}}", "а (漢, канdзи)"),
        ("fr", "{{japonais|a|漢|kan}}", "a (漢, kan)"),
        ("en", "{{linktext|三|星}}", "三星"),
        ("en", "{{key press|Ctrl|C}}, {{unichar|263A|SMILE}}", "Ctrl+C, U+263A SMILE"),
        ("en", "{{abs|x}}, {{floor|y}}, {{mset|1|2}}, {{bra-ket|a|b}}", "|x|, ⌊y⌋, {1, 2}, ⟨a|b⟩"),
        ("en", "A [{{IPAblink|p}}] and {{IPAslink|b}}", "A [p] and /b/"),
        ("de", "{{Taste|Strg|C}}", "Strg+C"),
        ("en", "({{respell|bur|LIN}})", "(bur-LIN)"),
    ],
)
def test_words_and_signs(lang: str, wikitext: str, text: str) -> None:
    """Quotations, dashes, foreign words with their originals and readings."""
    assert text_of(lang, wikitext) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "about 4.6{{e|9}} years, 6 {{ e |-24 }} g", "about 4.6×10⁹ years, 6×10⁻²⁴ g"),
        ("ru", "6,022&nbsp;{{e|23}} моль", "6,022×10²³ моль"),
        ("uk", "1,66 {{e|-24}} г та {{10^|7}}", "1,66×10⁻²⁴ г та 10⁷"),
        ("ru", "10{{esp|−7}}", "10⁻⁷"),
        ("it", "10{{apici|9}} e 5{{apici|a}}", "10⁹ e 5a"),
        ("fr", "10{{exp|9}} et XIX{{exp|e}}", "10⁹ et XIXe"),
        (
            "en",
            "{{gaps|6.022|14|e=23|u=kg}} and {{gaps|1|234|lhs=N}}",
            "6.022 14×10²³ kg and N = 1 234",
        ),
        ("en", "5.2{{±|0.3}} or 5{{±|2|1}}", "5.2±0.3 or 5 +2 −1"),
        ("en", "more than {{currency|13&nbsp;billion|USD}} in", "more than US$13 billion in"),
        ("en", "{{currency|1,000|JPY}}, {{currency|5|CHF}}, {{US$|3}}", "¥1,000, CHF 5, US$3"),
        ("en", "$5 (${{Inflation|US|5|1919}} today) and (£{{x}} in 1919).", "$5 and (£ in 1919)."),
        ("en", "density of {{pop density|5000|100|km2}} in", "density of 50/km² in"),
        ("en", "{{pop density|12|8|sqmi|prec=2}}{{pop density|a|0|km2}}", "1.50/sq mi"),
        ("en", "{{height|ft=5|in=8}}, {{height|m=1.7}}, {{ordinal|22}}", "5 ft 8 in, 1.7 m, 22nd"),
        ("de", "auf {{Höhe|28|DE-NHN}} und {{Höhe|5|CH}}", "auf 28 m ü. NHN und 5 m ü. M."),
    ],
)
def test_amounts(lang: str, wikitext: str, text: str) -> None:
    """Powers of ten, money, and what is given per area."""
    assert text_of(lang, wikitext) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        (
            "it",
            "* {{ALB}} 1.707\n* {{ROU}} 1.940\n* {{GER}}",
            "Albania 1.707\nRomania 1.940\nGermania",
        ),
        ("es", "{{ALB}}, {{FRA}}", "Albania, Francia"),
        ("pt", "{{ALB}}, {{BRA}}", "Albânia, Brasil"),
        ("de", "{{ALB}}, {{ALB|#}} [[X]], {{ALB|Tirana}}", "Albanien, X, Tirana"),
        ("ru", "{{ALB}}, {{флагификация|Египет}}", "Албания, Египет"),
        ("uk", "{{ALB}}, {{USA}}", "Албанія, США"),
        ("pl", "{{ALB}}, {{Państwo|BUL}}", "Albania, Bułgaria"),
        ("en", "{{ALB}}, {{flag|GER}}, {{flag|Italy}}, {{flagicon|X}}", "Albania, Germany, Italy,"),
        ("fr", "{{Allemagne}}, {{flag|FRA}}", "Allemagne, France"),
        ("it", "Per {{NazNB|CA|URS}} e {{bandiera|ITA}} x", "Per Unione Sovietica e x"),
        ("it", "* {{bandiera|Francia|nome}}: x", "Francia: x"),
        ("it", "* {{Gemellaggio|Germania|Bled|1969}};", "Germania Bled, dal 1969;"),
        ("fr", "* {{Jumelage|Paris|FRA|année=1987|mois=juin}}", "Paris (France) depuis 1987"),
        ("en", "at {{Coord|12|19|N|70|1|W|}}.", "at 12°19′N 70°1′W."),
        ("en", "at {{coord|43.65|-79.38|type:city}}.", "at 43.65°N 79.38°W."),
        ("en", "at {{coord|1|2|3|S|4|5|6|E|display=inline,title}}.", "at 1°2′3″S 4°5′6″E."),
        ("en", "{{coord|1|2|N|3|4|W|display=title}}A", "A"),
    ],
)
def test_places(lang: str, wikitext: str, text: str) -> None:
    """Countries by code and by name, twin towns, coordinates in a sentence."""
    assert text_of(lang, wikitext) == text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_of_countries(lang: str) -> None:
    """All languages have the same codes of today's countries; those of sport too."""
    countries = load_site(lang).countries
    assert load_site("bg").countries.keys() <= countries.keys()
    assert countries["GER"] == countries["DEU"] != "DEU"
    assert not any(name != name.strip() or "’" in name for name in countries.values())


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "X, 1816 {{ISBN|978-0-85496-988-3}}.", "X, 1816 ISBN 978-0-85496-988-3."),
        (
            "en",
            "{{OCLC|1|2}}, {{CAS|64-17-5}}, {{IETF RFC|822}}",
            "OCLC 1, 2, CAS 64-17-5, RFC 822",
        ),
        ("fr", "2017 {{ISBN|978-2}}", "2017 (ISBN 978-2)"),
        ("hu", "''X,'' {{ISBN|963}}", "X, ISBN 963"),
        (
            "en",
            "see {{bibleref|Mark|3:25|9}}, {{bibleverse|1|Samuel|3:1|KJV}}",
            "see Mark 3:25, 1 Samuel 3:1",
        ),
        ("en", "by {{EPC Article|85}}, by", "by Article 85 EPC, by"),
        ("en", "* {{cite web|url=http://a|title=A}} – 200 pages", "A – 200 pages"),
        ("it", "* {{cita libro|autore=X|titolo=Y}}, p. 5", "Y, p. 5"),
        ("de", "* {{Literatur|Autor=X|Titel=Y}} (gut)", "Y (gut)"),
        ("en", "Text.{{cite web|url=http://a|title=A}} More.", "Text. More."),
        ("en", "* a<ref>{{cite web|title=A}}</ref>", "a"),
    ],
)
def test_identifiers_and_works(lang: str, wikitext: str, text: str) -> None:
    """A work that is cited has its title in a list, and says nothing in running text."""
    assert text_of(lang, wikitext) == text


def test_a_work_that_shows_nothing_is_counted() -> None:
    """As dropped, where it stands in running text; in a list it is rendered."""
    cited = "{{cite_web|title=A}}"
    rendered = to_text(f"Text.{cited}\n* {cited}\n<div>{cited}</div>", load_site("en"))
    assert rendered.text == "Text.\nA"
    assert rendered.dropped == {"Cite web": 2}


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        (
            "en",
            "{{as of|2012|June}}, {{as of|2011|08|19|lc=y}}",
            "As of June 2012, as of 19 August 2011",
        ),
        (
            "en",
            "{{as of|2011|8|19|df=US}}, {{start date|2007|8}}",
            "As of August 19, 2011, August 2007",
        ),
        ("fr", "{{date|29|9|2019}}, {{date|1|9|2019}}", "29 septembre 2019, 1er septembre 2019"),
        (
            "de",
            "{{Datum|3|10|1990}}, {{Geburtsdatum|1990|10|3}}",
            "3. Oktober 1990, 3. Oktober 1990",
        ),
        ("hu", "{{dátum|2019|9|1}}, {{dátum|2019|9}}", "2019. szeptember 1., 2019. szeptember"),
        ("pl", "{{dts|2019-09-05}}, {{dts|2019-09}}", "5 września 2019, wrzesień 2019"),
        ("ru", "{{дата|1|5|1945}}", "1 мая 1945"),
        ("ro", "{{birth date|1990|5|6|mf=y}}", "6 mai 1990"),
        ("en", "{{birth date|1990|5|6|df=no}}, {{dob|1990|5|6|df=y}}", "May 6, 1990, 6 May 1990"),
        ("ca", "{{data|1|4|1945}}, {{data|1945|4}}", "1r d'abril de 1945, abril 1945"),
        ("en", "{{dts|2019|13|5}}, {{date|1|May}}", "2019 13 5, 1 May"),
    ],
)
def test_dates_in_the_order_of_the_language(lang: str, wikitext: str, text: str) -> None:
    """The month by its name; what is no date stays as it is."""
    assert text_of(lang, wikitext) == text
