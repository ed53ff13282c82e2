"""Every construct of wikitext becomes what docs/rules/sources.md 2.3 to 2.7, says."""

import pytest

from filters.wikipedia.nodes import Renderer
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import Options, to_text

EN = load_site("en", {6: ["File"], -2: ["Media"], 14: ["Category"], 10: ["Template"]})
DE = load_site("de")
SR = load_site("sr")


def text(wikitext: str, **options: object) -> str:
    """Render an English page without a title."""
    return to_text(wikitext, EN, options=Options(**options)).text  # type: ignore[arg-type]


ROWS = {
    "bold": ("'''bold''' and ''italic''", "bold and italic"),
    "bold italic": ("'''''both''''' x", "both x"),
    "an apostrophe before bold": ("l''''amour'''", "l'amour"),
    "an apostrophe before italics": ("l'''amour'' et '''l'eau'''", "l'amour et l'eau"),
    "bold inside a word": ("l'''amour'''", "lamour"),
    "emphasis ends with its line": ("''a\nb", "a\nb"),
    "link": ("[[A]] and [[A|b]]", "A and b"),
    "link with a section": ("[[A#B]]", "A#B"),
    "link trail": ("[[car]]s", "cars"),
    "pipe trick": ("[[Mercury (planet)|]] of [[Paris, Texas|]]", "Mercury of Paris"),
    "pipe trick of a namespace": ("[[Help:Contents|]]", "Contents"),
    "label with a bar": ("[[A|b|c]]", "b|c"),
    "label without target": ("[[|b]]", "b"),
    "label with brackets": ("[[A|[b]]] c", "[b] c"),
    "emphasis in a label": ("[[A|''b'']]", "b"),
    "a title with a colon": ("[[2001: A Space Odyssey]]", "2001: A Space Odyssey"),
    "file": ("a [[File:X.jpg|thumb|200px|cap]] b", "a b"),
    "image": ("a [[image:X.jpg]] b", "a b"),
    "file with links": ("a [[File:X.jpg|thumb|A [[b|c]] of {{convert|5|km}} d]] e", "a e"),
    "file with a link in a link": ("a [[File:X|thumb|[[b|[http://c d]]]]] e", "a e"),
    "file with a caption in paragraphs": ("a [[File:X|thumb|b\n\nc]] d", "a d"),
    "file with a mark of direction": ("a [[\u200eFile:X]] b", "a b"),
    "category": ("a\n[[Category:X]]\n[[category: Y|z]]", "a"),
    "interlanguage": ("a\n[[de:X]]\n[[zh-min-nan:Y]]", "a"),
    "shown interlanguage": ("[[:de:X]]", "X"),
    "shown interlanguage with a label": ("[[:de:X|y]]", "y"),
    "shown category": ("[[:Category:X]]", "Category:X"),
    "shown category with a label": ("[[:Category:X|y]]", "y"),
    "interwiki": ("[[wikt:w|label]] and [[wikt:w]]", "label and w"),
    "template": ("a {{unknown thing|x=1}} b", "a b"),
    "template on its own line": ("a\n\n{{unknown thing}}\n\nb", "a\n\nb"),
    "argument": ("{{{x|default}}} {{{y}}} z", "default z"),
    "table": ("a\n{| class=x\n|-\n| b || c\n|}\nd", "a\n\nd"),
    "nested table": ("a\n{|\n|\n{|\n|b\n|}\n|c\n|}\nd", "a\n\nd"),
    "table in an indented line": ("a\n:{|\n| b\n|}\nc", "a\n\nc"),
    "table with a template": ("{|\n| {{x|\n|}}\n|}\na", "a"),
    "table in a template": ("{{x|\n{|\n| b\n|}\n}}a", "a"),
    "html table": ("a\n<table><tr><td>b<table></table></td></tr></table>\nc", "a\n\nc"),
    "ref": ("a<ref>b</ref> c", "a c"),
    "ref with a name": ('a<ref name="b" /> c<ref name=d>e</ref>.', "a c."),
    "ref with markup": ("a<ref>{{cite|[[b]]}} {{ [[ </ref> c", "a c"),
    "ref with attributes at its end": ("a<ref name=b>c</ref name=b> d<ref>e</ref>", "a d"),
    "ref closed by a slip": ("a<ref>b<ref/> c<ref>d</ref>", "a c"),
    "ref in capitals": ("a<REF>b</Ref> c", "a c"),
    "references": ("a\n<references/>\n<references><ref>b</ref></references>", "a"),
    "math": (r"a <math>\frac{1}{2}</math> b", r"a $\frac{1}{2}$ b"),
    "math with an equals sign": ("{{nowrap|<math>E=mc^2</math>}}", "$E=mc^2$"),
    "math with marks": (r"<math>a_{b_{c}}[[x]]''y''</math>", r"$a_{b_{c}}[[x]]''y''$"),
    "math with an entity": ("<math>a &lt; b</math>", "$a < b$"),
    "empty math": ("a <math> </math> b", "a b"),
    "chem": ("<chem>H2O</chem> and <ce>CO2</ce>", "$H2O$ and $CO2$"),
    "gallery": ("a\n<gallery>\nFile:X.jpg|b\n</gallery>\nc", "a\n\nc"),
    "timeline": ("a <timeline>\nb\n</timeline> c", "a c"),
    "imagemap": ("a <imagemap>File:X|b</imagemap> c", "a c"),
    "graph": ('a <graph>{"b": 1}</graph> c', "a c"),
    "templatedata": ("a <templatedata>{}</templatedata> c", "a c"),
    "nowiki": ("<nowiki>[[a]] ''b'' {{c}} &amp;lt;</nowiki>", "[[a]] ''b'' {{c}} &lt;"),
    "nowiki with a mark of a list": ("<nowiki>*</nowiki> a", "* a"),
    "empty nowiki": ("'''a'''<nowiki/>s", "as"),
    "code": ("a <code>b[[0]] {{c}}</code> d", "a b[[0]] {{c}} d"),
    "code with nowiki": ("<code><nowiki>[[a]]</nowiki></code>", "[[a]]"),
    "pre": ("a\n<pre>\nb  c\n\n  [[d]]\n</pre>\ne", "a\n\nb  c\n\n  [[d]]\n\ne"),
    "source": (
        '<source lang="c">\nif (a &amp;&amp; b)\n\tc;\n</source>',
        "if (a &amp;&amp; b)\n\tc;",
    ),
    "syntaxhighlight": (
        "<syntaxhighlight lang=py>\n# a\n\n\n\nb = '''c'''\n</syntaxhighlight>",
        "# a\n\n\n\nb = '''c'''",
    ),
    "inline syntaxhighlight": ("a <syntaxhighlight inline>b</syntaxhighlight> c", "a b c"),
    "br": ("C<br/>D<br>E</br>F<br />G", "C\nD\nE\nF\nG"),
    "br in a heading": ("== a<br>b ==\nc", "a b\n\nc"),
    "br in an item": ("* a<br>b\n* c", "a\nb\nc"),
    "inline tags": (
        "a<sub>1</sub><sup>2</sup> <small>b</small> <span style='x'>c</span>",
        "a₁² b c",
    ),
    "blocks": ("<div>a</div><div class=x>b</div>\n<center>c</center>", "a\n\nb\n\nc"),
    "blockquote": ("a<blockquote>b</blockquote>c", "a\n\nb\n\nc"),
    "paragraphs of html": ("<p>a</p><p>b</p>", "a\n\nb"),
    "list of html": ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
    "heading of html": ("<h2>a</h2>b", "a\n\nb"),
    "poem": ("<poem>\na\n  b\n</poem>", "a\n b"),
    "a tag that is none": ("a <b and 1 < 2 <foo> c", "a <b and 1 < 2 <foo> c"),
    "comment": ("a <!-- [[b --> c", "a c"),
    "comment in a word": ("a<!-- b -->c", "ac"),
    "comment on its own line": ("a\n<!-- b -->\nc", "a\nc"),
    "comments on their own line": ("a\n  <!-- b --> <!-- c -->  \nd", "a\nd"),
    "comment in nowiki": ("<nowiki><!-- a --></nowiki>", "<!-- a -->"),
    "list": ("* a\n** b\n# c\n: d\n*# e", "a\nb\nc\nd\ne"),
    "list with empty lines": ("* a\n\n* b", "a\nb"),
    "item of marks": ("*'''\n* a", "a"),
    "empty item": ("* a\n*\n* b", "a\nb"),
    "item with two marks": (": * a", "a"),
    "definition": (";t:d", "t: d"),
    "definition with blanks": ("; t : d", "t: d"),
    "definition on its own line": ("; t\n: d", "t\nd"),
    "term with an address": ("; t http://x.org", "t http://x.org"),
    "heading": ("a\n== H ==\nb", "a\n\nH\n\nb"),
    "heading with a comment": ("== H == <!-- x -->\nb", "H\n\nb"),
    "heading with more marks on a side": ("=== H ==\nb", "= H\n\nb"),
    "heading with text behind it": ("== H == a\nb", "H\n\na\nb"),
    "no heading": ("a == b ==", "a == b =="),
    "rule": ("a\n----\nb", "a\n\nb"),
    "preformatted line": (" a\n  b", "a\n b"),
    "switch": ("__NOTOC__a __NOEDITSECTION__", "a"),
    "switch in small letters": ("__notoc__a", "a"),
    "no switch": ("a __init__ b", "a __init__ b"),
    "entities": ("&lt;b&gt; &Sigma; &#107;&#xe9; &amp;amp;", "<b> Σ ké &amp;"),
    "unknown entity": ("AT&T; &foo; &", "AT&T; &foo; &"),
    "no-break space": ("5&nbsp;km, 5&#160;km, 5\xa0km", "5 km, 5 km, 5 km"),
    "an entity makes no markup": ("&#91;&#91;a]] &#42; &lt;ref>", "[[a * <ref>"),
    "external link": ("[http://a.org b c] d", "b c d"),
    "external link without label": ("a [http://a.org] b", "a b"),
    "external link with markup": ("[http://a.org ''b'' [[c]] d]", "b c d"),
    "external link with brackets": ("[http://a.org b [c] d] e", "b [c] d e"),
    "external link without scheme": ("[//a.org b]", "b"),
    "external link with a template": ("[{{fullurl:x}} b]", "b"),
    "address": ("a http://a.org/b_c b", "a http://a.org/b_c b"),
    "brackets": ("[a] b[1]", "[a] b[1]"),
    "magic words": ("ISBN 0-19-853453-1, RFC 2324", "ISBN 0-19-853453-1, RFC 2324"),
    "onlyinclude": ("<onlyinclude>a</onlyinclude> b", "a b"),
    "includeonly": ("a<includeonly>b</includeonly>", "a"),
    "noinclude": ("a<noinclude> b</noinclude>", "a b"),
    "formatnum": ("{{formatnum:3}} apples", "3 apples"),
    "parser function": ("a {{#if:b|c}} d", "a d"),
    "variant": ("-{a}- b", "a b"),
    "variants": ("-{sr-ec:A; sr-el:B}- c", "A c"),
    "hidden variant": ("a -{H|zh-cn:b;zh-tw:c}- d", "a d"),
    "bar at the start of a line": ("a\n|- b\n| c\n|x| is positive", "a\n|x| is positive"),
}


@pytest.mark.parametrize(("wikitext", "expected"), ROWS.values(), ids=ROWS)
def test_construct(wikitext: str, expected: str) -> None:
    """The rows of section 2.3, "our default", and their neighbours."""
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("an area of {{convert|5|km2}} and", "an area of 5 km² and"),
        ("{{nowrap|a [[b|c]]}} d", "a c d"),
        ("{{nowrap|1=a = {{nowrap|1=b = c}}}} d", "a = b = c d"),
        ("{{lang|de|'''Wort'''}}, a", "Wort, a"),
        ("a {{small|{{unknown|b}}}} c", "a c"),
        ("a{{ndash}}b", "a–b"),  # noqa: RUF001  (the dash that the template stands for)
        ("{{PAGENAME}} a", "T a"),
    ],
)
def test_template_in_running_text(wikitext: str, expected: str) -> None:
    """Values stay where they stood (section 2.4)."""
    page = to_text(wikitext, EN, title="T", options=Options(include_title=False))
    assert page.text == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a {{x}} b", "a b"),
        ("a{{x}} b", "a b"),
        ("a {{x}}b", "a b"),
        ("a{{x}}b", "a b"),
        ("a<ref>x</ref>b", "a b"),
        ("5{{x}}3", "5 3"),
        ("a {{x}}.", "a."),
        ("a {{x}}, b", "a, b"),
        ("A ({{x}}) b", "A b"),
        ("A ({{x}}, {{x}}; {{x}}) b", "A b"),
        ("A ({{x}}; born 1950) b", "A (born 1950) b"),
        ("A (born 1950; {{x}}) b", "A (born 1950) b"),
        ("A (1, {{x}}, 2) b", "A (1, 2) b"),
        ("a ''{{x}}'' b", "a b"),
        ('a "{{x}}" b', "a b"),
        ("a [{{x}}] b", "a b"),
        ("* {{x}}, 323\n* {{x}} b\n* {{x}}.", "323\nb"),
        ("a\n{{x}}\nb", "a\n\nb"),
        ("* a\n{{x}}\n* b", "a\nb"),
        ("a b ( ) c .", "a b ( ) c ."),
        ("Leipzig 2009, {{x}}.", "Leipzig 2009."),
        ("Leipzig 2009,{{x}}. Next", "Leipzig 2009. Next"),
        ("(Leipzig: {{x}}) a", "(Leipzig) a"),
        ("[Leipzig; {{x}}] a", "[Leipzig] a"),
        ("Leipzig \u2013 {{x}}.", "Leipzig."),
        ("Leipzig : {{x}}, {{x}}.", "Leipzig."),
        ("* {{x}}) a", ") a"),
        (": {{x}}.5", ".5"),
        ("the prefix non-{{x}}.", "the prefix non-."),
        ("costs:{{x}}.5", "costs:.5"),
        ("a, b,. c {{x}} d", "a, b,. c d"),
        ("As follows: {{x}}", "As follows:"),
        ("f() {{x}} (, ) b", "f() (, ) b"),
        ("texte<ref/> : suite", "texte : suite"),
        ("A ({{x}} ({{x}}), ''{{x}}'') b", "A b"),
        ("A (({{x}})) b", "A b"),
        ("A ({{x}}{{x}} c {{x}}) b", "A (c) b"),
        ("a, {{x}}, {{x}}, b", "a, b"),
        ("{{x}}, a", "a"),
        ("a «{{x}}» b", "a b"),
        ("'''{{x}}''' a", "a"),
        ("... {{x}}", "..."),
    ],
)
def test_gaps_that_a_removal_left_are_closed(wikitext: str, expected: str) -> None:
    """And no others (section 2.4, last sentence)."""
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a  b\tc", "a b c"),
        ("== a  b ==\nc", "a b\n\nc"),
        ("* a &nbsp; b", "a b"),
        ("a <nowiki/> b", "a b"),
        ("a '' '' b", "a b"),
        ("a &#32; b", "a b"),
        ("<nowiki>a  b</nowiki>", "a  b"),
        ("<code>a  b</code>", "a  b"),
        ("<pre>\n  a  b\n</pre>", "  a  b"),
        (" a  b", "a  b"),
    ],
)
def test_blanks_become_one(wikitext: str, expected: str) -> None:
    """As a browser shows them: in running text one, in text that is shown as it is all."""
    assert text(wikitext) == expected


def test_words_that_show_nothing_are_no_dropped_templates() -> None:
    """The order of a page in its categories is counted nowhere."""
    page = to_text("a\n{{DEFAULTSORT:b}}\n{{x}}", EN)
    assert (page.text, page.dropped) == ("a", {"X": 1})


@pytest.mark.parametrize(
    ("lang", "name"), [("en", "Wikipedia"), ("fr", "Wikipédia"), ("uk", "Вікіпедія")]
)
def test_the_name_of_the_site(lang: str, name: str) -> None:
    """Each Wikipedia calls itself by its own name."""
    assert to_text("{{SITENAME}}", load_site(lang)).text == name


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a {{unclosed b\n\nNext", "a unclosed b\n\nNext"),
        ("a [[unclosed b\n\nNext [[c]]", "a unclosed b\n\nNext c"),
        ("a [[b|label\n\nNext]] c", "a label\n\nNext c"),
        ("a {{b {{unknown|c}} d\n\nNext", "a b d\n\nNext"),
        ("{|\n| a\n| b\n\nNext", "Next"),
        ('{| class="x"\n|-\n| a\n\n| b\n\nNext', "Next"),
        ("a\n{| unclosed b\n\nNext", "a\nunclosed b\n\nNext"),
        ("a {| b", "a b"),
        ("{{Infobox\n| a = b\n| c = {{d}}\n\nNext", "Next"),
        ("[[File:X.jpg|thumb|A caption\n\nNext", "A caption\n\nNext"),
        ("[[Category:X\n\nNext", "Next"),
        ("a }} b ]] c\n|}\nd", "a b c\n\nd"),
        ("{{unknown|[[a}} b", "b"),
        ("[[File:X|thumb|{{a]] b", "b"),
        ("a<ref>b\n\nNext", "a\n\nNext"),
        ("a<ref>b\n\nNext<ref>c</ref>", "a\n\nNext"),
        ("a<ref>b\n\nc</ref> d", "a d"),
        ("a<!-- b\n\nNext", "a\n\nNext"),
        ("a<nowiki>b\n\nNext", "ab\n\nNext"),
        ("a<math>b\n\nNext", "ab\n\nNext"),
        ("<div>a\n\n<span>b", "a\n\nb"),
        ("a</ref></span> b", "a b"),
        ("<table><tr><td>a\n\nNext", "a\n\nNext"),
        ("'''a\n\nNext", "a\n\nNext"),
        ("== a\nb", "a\nb"),
        ("a [http://b c\nd", "a [http://b c\nd"),
    ],
)
def test_what_is_not_closed_ends_with_its_paragraph(wikitext: str, expected: str) -> None:
    """One slip must not delete an article (section 2.7)."""
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a\n== B ==\n{{unknown}}\n== C ==\nd", "a\n\nC\n\nd"),
        ("a\n== B ==\n=== C ===\n<references/>\n== D ==\n[[Category:X]]", "a"),
        ("a\n== B ==\n=== C ===\nd\n=== E ===\n", "a\n\nB\n\nC\n\nd"),
        ("a\n== B ==\n=== C ===\n== D ==\n=== E ===\nf", "a\n\nD\n\nE\n\nf"),
        ("a\n== {{unknown}} ==\nb", "a\n\nb"),
        ("a\n\n\n\n\nb  \nc", "a\n\nb\nc"),
    ],
)
def test_sections(wikitext: str, expected: str) -> None:
    """A heading without text goes, with the parents that it leaves empty (section 2.6)."""
    assert text(wikitext) == expected


def test_sections_can_be_dropped_by_name() -> None:
    """With their subsections, in any case; the next section of their level stays."""
    page = "a\n== See Also ==\n* b\n=== C ===\nd\n== E ==\nf"
    assert text(page, drop_sections=frozenset({"See also"})) == "a\n\nE\n\nf"


def test_the_title_comes_first() -> None:
    """Title, an empty line, the body (section 2.6)."""
    assert to_text("'''A''' is b.", EN, title="A").text == "A\n\nA is b."


def test_a_page_without_text_is_empty() -> None:
    """A title alone is no text: the pipeline drops the page (section 2.2, rule 6)."""
    assert not to_text("{{unknown}}\n== B ==", EN, title="A").text


@pytest.mark.parametrize(
    ("math", "expected"), [("latex", "a $x$ b"), ("drop", "a b"), ("placeholder", "a formula_1 b")]
)
def test_math(math: str, expected: str) -> None:
    """Formulas are LaTeX, nothing, or a numbered word."""
    assert text("a <math>x</math> b", math=math) == expected


@pytest.mark.parametrize(
    "wikitext",
    ["a [[Datei:X|mini|b]] c", "a [[Bild:X]] c", "a [[file:X]] c", "a [[Kategorie:X]] c"],
)
def test_names_are_the_sites(wikitext: str) -> None:
    """Local and English names of files and categories (section 2.5)."""
    assert to_text(wikitext, DE).text == "a c"


def test_switches_are_localised() -> None:
    """German for __NOTOC__ (section 2.3)."""
    assert to_text("__KEIN_INHALTSVERZEICHNIS__a", DE).text == "a"


def test_serbian_variants() -> None:
    """The first variant, here in Cyrillic (section 2.3)."""
    page = "-{sr-ec:Београд; sr-el:Beograd}- и -{Windows}-"
    assert to_text(page, SR).text == "Београд и Windows"


def test_dropped_templates_are_counted() -> None:
    """By name as MediaWiki titles them, without those that went with another construct."""
    page = "{{cite web|a={{flag|b}}}} {{Cite_web}} {{#if:x|y}} [[File:X|{{z}}]]\n{|\n|{{y}}\n|}"
    assert to_text(page, EN).dropped == {"Cite web": 2, "#if:": 1}


def test_easy_pages_need_no_parser() -> None:
    """The scanner alone reads them, slips included."""
    rendered = to_text("{{a|b}} [[c]] {{d\n\n[[e", EN, parse=None)
    assert (rendered.path, rendered.text) == ("fast", "c d\n\ne")


def test_ambiguous_pages_go_to_the_parser() -> None:
    """Four braces and more can be read in more than one way."""
    rendered = to_text("a {{{{{x}}}|b}} c", EN)
    assert (rendered.path, rendered.text) == ("parser", "a c")


def test_what_the_parser_leaves_is_rendered() -> None:
    """To mwparserfromhell, a name with a line end is no template: its marks must go."""
    rendered = to_text("{{{{{x}}}|b}} a {{unknown\nthing|d}} [[e\nf]]", EN)
    assert (rendered.path, rendered.text) == ("parser", "a e\nf")


def test_a_parser_that_fails_is_replaced() -> None:
    """The scanner's reading stays; a page is never dropped (section 2.7)."""

    def fail(wikitext: str, renderer: Renderer) -> str:
        del wikitext, renderer
        raise RecursionError

    page = "a {{{{{x}}}|b}} c"
    failed = to_text(page, EN, parse=fail)
    assert (failed.path, failed.text) == ("fallback", "a c")
    assert to_text(page, EN, parse=None) == failed


@pytest.mark.parametrize("opening", ["{{x|", "[[x|", "\n{|\n|"])
def test_deep_nesting_falls_back(opening: str) -> None:
    """Over 100 constructs in each other: what is deeper is text (section 2.7)."""
    closing = {"{": "}}", "[": "]]", "\n": "\n|}"}[opening[0]]
    rendered = to_text(f"a {opening * 150}b{closing * 150}\n\nNext", EN)
    assert rendered.path == "fallback"
    assert rendered.text.endswith("Next")


def test_large_pages_fall_back() -> None:
    """Over 4 MB the scanner alone reads the page (section 2.7)."""
    assert to_text("word " * 1_000_000, EN).path == "fallback"


def test_line_ends_and_forbidden_characters() -> None:
    """Windows and old Mac line ends; NUL and noncharacters go."""
    assert text("a\r\nb\rc\0\ufdd0\ufde1d") == "a\nb\ncd"
