# ruff: noqa: RUF001  (letters and signs of 20 languages are what is tested)
"""What an inline template reads as, family by family and language by language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikipedia.rules import Arguments, parse_rule
from filters.wikipedia.site_data import LANGUAGES
from filters.wikipedia.sites import load_site
from filters.wikipedia.templates import Page, dropped_name, render_template

PAGE = Page("Lists/Rivers", "Portal:Lists/Rivers", "Wikipedia")


def render(wikitext: str, lang: str = "en") -> str | None:
    """Render `name|argument|name=argument`, that is a template without its braces."""
    name, *rest = wikitext.split("|")
    arguments: list[tuple[str | None, str]] = []
    for argument in rest:
        key, equals, value = argument.partition("=")
        arguments.append((key, value) if equals else (None, argument))
    return render_template(name, arguments, load_site(lang), PAGE)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("formatnum:1234", "1,234"),
        ("FORMATNUM: 1234.5 ", "1,234.5"),
        ("formatnum:1,234|R", "1234"),
        ("formatnum:12345.6|NOSEP", "12345.6"),
        ("formatnum:", None),
        ("nts|1234", "1,234"),
        ("nts| -5 ", "-5"),
        ("nts|5|prefix=$", "$5"),
        ("number|12|km", "12 km"),
        ("unité|1234,5|km", "1234,5 km"),
        ("unité|892|km|2", "892 km²"),
        ("unité|9,8|m||s|-2", "9,8 m s⁻²"),
        ("unité|33 m", "33 m"),
        ("nombre|200000|logements", "200,000 logements"),
        ("number||km", None),
        ("val|5", "5"),
        ("val|5|u=km2", "5 km²"),
        ("val|1.5|0.3|u=kg", "1.5±0.3 kg"),
        ("val|1.5|+0.3|-0.2", "1.5 +0.3 −0.2"),
        ("val|6.02|e=23|u=J|up=K", "6.02×10²³ J/K"),
        ("val|1|e=-3|p=~", "~1×10⁻³"),
        ("val|1.00794|(7)", "1.00794(7)"),
        ("val|1.2|0.3|e=5|u=kg", "(1.2±0.3)×10⁵ kg"),
        ("val|1.67|(23)|e=-27|u=kg", "1.67(23)×10⁻²⁷ kg"),
        ("val|1.5|+0.3|-0.2|e=4", "(1.5 +0.3 −0.2)×10⁴"),
        ("val|299792458|u=m/s", "299,792,458 m/s"),
        ("val|1.00784|-|1.00811", "1.00784–1.00811"),
        ("val|1.5|0.1|to|2.5|0.2|u=kg", "1.5±0.1 to 2.5±0.2 kg"),
        ("val|5|-", "5"),
        ("val|e=10|u=K", "10¹⁰ K"),
        ("chem|Si|4|4-", "Si₄⁴⁻"),
        ("chem|SO|4|2-", "SO₄²⁻"),
        ("chem|14|C", "¹⁴C"),
        ("chem2|Fe2(SO4)3", "Fe₂(SO₄)₃"),
        ("chem2|Na+ and Cl-", "Na⁺ and Cl⁻"),
        ("val", None),
    ],
)
def test_numbers(wikitext: str, text: str | None) -> None:
    """The number with the marks of the language, its uncertainty and power, then its unit."""
    assert render(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("convert|5|km2|sqmi", "5 km²"),
        ("cvt|5|km", "5 km"),
        ("convert | 5 | km | mi | abbr=on", "5 km"),
        ("convert|3|to|5|km", "3 to 5 km"),
        ("convert|3|-|5|km|mi", "3–5 km"),
        ("convert|3|–|5|km|mi", "3–5 km"),
        ("convert|60|and(-)|80|kg", "60 and 80 kg"),
        ("convert|2|by|3|x|4|m", "2 by 3 × 4 m"),
        ("convert|5|±|1|C|F", "5 ± 1 °C"),
        ("convert|−2|to|0|C", "−2 to 0 °C"),
        ("convert|-13.2|C", "-13.2 °C"),
        ("convert|663,268|sqmi|km2|0", "663,268 sq mi"),
        ("convert|1|mm|3", "1 mm"),
        ("convert|5|ft|10|in|cm", "5 ft 10 in"),
        ("convert|1|acre|ha", "1 acre"),
        ("convert|25|acre|ha", "25 acres"),
        ("convert|25|acre|adj=on", "25 acre"),
        ("convert|204|m|ft|adj=mid|-high", "204 m high"),
        ("convert|44|e6acre|e6ha", "44 million acres"),
        ("convert|2|e9m3", "2 billion m³"),
        ("convert|1.2|PD/sqmi", "1.2 per sq mi"),
        ("convert|7|furlong/s2", "7 furlongs/s²"),
        ("convert|1+1/2|in", "1 1/2 in"),
        ("convert|1//2|in", "1/2 in"),
        ("convert|5|km²", "5 km²"),
        ("convert|5|newunit3", "5 newunit³"),
        ("convert|5", "5"),
        ("convert|5|", "5"),
        ("convert||km", None),
        ("convert|many|km", None),
        ("convert", None),
    ],
)
def test_convert(wikitext: str, text: str | None) -> None:
    """The first value or span and its unit; the conversion is left out."""
    assert render(wikitext) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("ro", "conversie|22|–|25|C|F", "22–25 °C"),
        ("ro", "conversie|3|to|5|km", "3 la 5 km"),
        ("sv", "convert|3|till|5|km", "3 till 5 km"),
        ("es", "convertir|5|km", "5 km"),
        ("ru", "convert|3|to|5|km2", "3 до 5 км²"),
        ("uk", "convert|60|mi/h", "60 миль/год"),
        ("bg", "convert|5|m", "5 м"),
        ("sr", "convert|5|e6km2", "5 милиона km²"),
        ("hu", "átváltás|3|to|5|km", "3–5 km"),
    ],
)
def test_convert_speaks_the_language(lang: str, wikitext: str, text: str) -> None:
    """Localised names of the template, units, scales and words between values."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("fr", "date|12|mai|1998", "12 mai 1998"),
        ("fr", "date||mai|1998", "mai 1998"),
        ("fr", "date-|19 janvier", "19 janvier"),
        ("fr", "date|12|mai|1998|en musique", "12 mai 1998"),
        ("fr", "date|lundi|12|mai|1998", "lundi 12 mai 1998"),
        ("fr", "date de naissance|11|novembre|1866", "11 novembre 1866"),
        ("en", "birth date|1970|5|3|df=y", "3 May 1970"),
        ("en", "death date and age|2019|8|25|1937|4|17", "August 25, 2019"),
        ("en", "start date|2001|1|2|12|30", "January 2, 2001"),
        ("en", "dts|1777|12|16", "December 16, 1777"),
        ("en", "date", None),
        ("ru", "дата|3|5|1970", "3 мая 1970"),
        ("uk", "дата|3|5|1970", "3 травня 1970"),
        ("pt", "dni|3|5|1970", "3 de maio de 1970"),
        ("es", "fecha|3|5|1970", "3 de mayo de 1970"),
        ("it", "data|3|5|1970", "3 maggio 1970"),
        ("pl", "data|3|5|1970", "3 maja 1970"),
        ("sr", "датум рођења|3|5|1970", "3. мај 1970."),
        ("cs", "datum narození|1970|5|3", "3. května 1970"),
    ],
)
def test_dates(lang: str, wikitext: str, text: str | None) -> None:
    """Day, month and year in the order given, without the empty ones."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "lang|de|Berlin|italic=no", "Berlin"),
        ("en", "langx|de|Berlin", "Berlin"),
        ("en", "lang-de|Berlin|link=no", "Berlin"),
        ("en", "Lang-grc-gre|Ἀριστοτέλης", "Ἀριστοτέλης"),
        ("en", "lang|de", None),
        ("en", "transl|ru|Moskva", "Moskva"),
        ("en", "transl|ru|ISO|Moskva", "Moskva"),
        ("en", "nihongo|Anime|アニメ|anime", "Anime (アニメ, anime)"),
        ("en", "nihongo||アニメ|anime", "アニメ (anime)"),
        ("en", "nihongo||アニメ", "アニメ"),
        ("en", "zh|c=李安|p=Lǐ Ān", "李安"),
        ("en", "IPA-de|bɛʁˈliːn|lang|a.ogg", "[bɛʁˈliːn]"),
        ("en", "IPA|de|[bɛʁˈliːn]", "[bɛʁˈliːn]"),
        ("en", "IPA|/a/", "/a/"),
        ("en", "ill|Quitzow|de|lt=the village", "the village"),
        ("fr", "langue|en|London", "London"),
        ("fr", "lang|en|texte=London", "London"),
        ("fr", "lien|lang=de|Barbara Slowik", "Barbara Slowik"),
        ("de", "enS|London", "London"),
        ("pl", "lang|de", None),
        ("ru", "lang-en2|London", "London"),
        ("ru", "нп5|Статья|текст|de|Artikel", "текст"),
        ("ru", "iw|Статья|||Artikel", "Статья"),
        ("uk", "мова-де|Берлін", "Берлін"),
        ("sr", "јез-нем|Berlin", "Berlin"),
        ("cs", "cizojazyčně|de|Berlin", "Berlin"),
    ],
)
def test_words_of_other_languages(lang: str, wikitext: str, text: str | None) -> None:
    """The text argument: the second of `lang`, the first of `lang-xx`."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "nowrap|3 m", "3 m"),
        ("en", "abbr|dr|doctor", "dr"),
        ("en", "tooltip| SR | Strike Rate", "SR"),
        ("en", "sic", None),
        ("en", "sc|bc", "bc"),
        ("en", "math|x + y", "x + y"),
        ("en", "quote|text=To be|author=X", "To be"),
        ("en", "blockquote|1=a=b", "a=b"),
        ("en", "color|red|text", "text"),
        ("en", "citation needed span|text|date=May 2020", "text"),
        ("en", "angbr|a", "⟨a⟩"),
        ("en", "IPAc-en|UK|b|ɜːr|'|l|ɪ|n|En-uk-Berlin.ogg", "/bɜːrˈlɪn/"),
        ("en", "IPAc-en|ˈ|eɪ|ʒ|ə|,_|ˈ|eɪ|_|ʃ|ə|audio=a.ogg", "/ˈeɪʒə, ˈeɪ ʃə/"),
        ("en", "IPAc-en|lang", None),
        ("en", "frac|2", "1/2"),
        ("en", "frac|3|4", "3/4"),
        ("en", "frac|1|3|4", "1 3/4"),
        ("en", "chem|C|n|H|2n", "CₙH₂ₙ"),
        ("en", "USS|Enterprise|CVN-65", "USS Enterprise"),
        ("en", "Harvtxt|Boolos|Jeffrey|1974, 1999", "Boolos & Jeffrey (1974, 1999)"),
        ("en", "harvtxt|Smith|2006|p=25", "Smith (2006, p. 25)"),
        ("en", "harvtxt|Smith|Jones|Brown|2006|loc=ch. 3", "Smith, Jones & Brown (2006, ch. 3)"),
        ("en", "harvtxt|Smith|Jones|Brown|Black|2006", "Smith et al. (2006)"),
        ("en", "harvtxt", None),
        ("en", "vol.|2", "vol. 2"),
        ("en", "DentalFormula|upper=0.0.2-3.3|lower=0.0.2.3", "0.0.2-3.3/0.0.2.3"),
        ("de", '"|Ja', "„Ja“"),
        ("de", "Zitat|Text=Ja", "Ja"),
        ("de", "Zitat-en|Yes", "Yes"),
        ("es", "cita|Sí", "«Sí»"),
        ("fr", "citation|Oui", "« Oui »"),
        ("fr", "heure|4|30", "4 h 30"),
        ("fr", "heure|4", "4 h"),
        ("fr", "s-|XIX", "XIXe siècle"),
        ("fr", "1er|champion", "1er champion"),
        ("fr", "84e", "84e"),
        ("fr", "XXe siècle", "XXe siècle"),
        ("fr", "euro|100", "100 €"),
        ("fr", "s|XVII|e", "XVIIe siècle"),
        ("fr", "s-|I|er", "Ier siècle"),
        ("fr", "-s|V|e", "Ve siècle av. J.-C."),
        ("fr", "sap|II|e", "IIe siècle apr. J.-C."),
        ("fr", "sp|XVI|e|et|XVII|e", "XVIe et XVIIe siècle"),
        ("fr", "sp-|XVI|e|et|XVII|e|s", "XVIe et XVIIe siècles"),
        ("fr", "-sp|I|er|au|II|e", "Ier au IIe siècle av. J.-C."),
        ("fr", "s2|XVI|e|XVII|e", "XVIe et XVIIe siècles"),
        ("fr", "s mini|XX|e", "XXe s."),
        ("fr", "mil|II|e", "IIe millénaire"),
        ("fr", "Ier siècle", "Ier siècle"),
        ("fr", "IVe siècle av. J.-C.", "IVe siècle av. J.-C."),
        ("fr", "s", None),
        ("fr", "Ap JC", "apr. J.-C."),
        ("fr", "av JC", "av. J.-C."),
        ("fr", "-JC|52", "52 av. J.-C."),
        ("fr", "nobr|4,4|millions", "4,4 millions"),
        ("es", "esd|2019", "2019"),
        ("es", "esd", " "),
        ("ca", "segle|XIII|s", "segle XIII"),
        ("ca", "segle|II|a|s", "segle II aC"),
        ("es", "siglo|V|a|s", "siglo V a. C."),
        ("es", "siglo|I|d", "I d. C."),
        ("ca", "segle|XIII", "segle XIII"),
        ("es", "siglo|XX||s", "siglo XX"),
        ("pt", "séc|XIII", "século XIII"),
        ("it", "TA|3 km²", "3 km²"),
        ("it", "M|32,7|k|m", "32,7 km"),
        ("it", "M|2500|-|K", "2.500 K"),
        ("it", "M|1,12|e=-3|-|Pa", "1,12×10⁻³ Pa"),
        ("it", "exp|1,9|19", "1,9×10¹⁹"),
        ("it", "exp|6", "10⁶"),
        ("it", "citazione necessaria|testo", "testo"),
        ("pl", "Fakt|zdanie|data=2017-11", "zdanie"),
        ("nl", "Bron?||2011|05|07", None),
        ("nl", "citaat|tekst", "tekst"),
        ("hu", "szám|180000", "180 000"),
        ("pt", "fmtn|90000|habitantes", "90 000 habitantes"),
        ("ru", "s|5 км", "5 км"),
        ("ru", "число|3644826", "3 644 826"),
        ("uk", "цитата|Так", "Так"),
        ("da", "citat|Ja", "Ja"),
        ("hr", "citat|Da", "Da"),
        ("sl", "citat|Da", "Da"),
        ("sr", "цитат|Да", "Да"),
        ("bg", "цитат|Да", "Да"),
        ("sv", "citat|Ja", "Ja"),
        ("ro", "citat|Da", "Da"),
    ],
)
def test_text_in_a_wrapper(lang: str, wikitext: str, text: str | None) -> None:
    """A wrapper or a quotation is its text, with the words and signs that it adds."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("ndash", "–"),
        ("mdash", "—"),
        ("snd", " – "),
        ("spaced ndash", " – "),
        ("·", " · "),
        ("nbsp", " "),
        ("spaces|5", " "),
        ("!", "|"),
        ("=", "="),
        ("'", "'"),
        ('"', '"'),
        ("(", "{"),
        ("))", "}}"),
    ],
)
def test_characters(wikitext: str, text: str) -> None:
    """A template that stands for a character is that character, spaces included."""
    assert render(wikitext) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "circa|3000", "c. 3000"),
        ("en", "c.|1200|1250", "c. 1200–1250"),
        ("en", "circa", "c."),
        ("fr", "circa|1200", "ca 1200"),
        ("ru", "circa|1200", "ок. 1200"),
        ("en", "floruit|1200", "fl. 1200"),
        ("en", "as of|2019", "As of 2019"),
        ("en", "as of|2019|8|lc=y", "as of August 2019"),
        ("en", "as of|2019|since=y", "Since 2019"),
        ("en", "as of|2019|alt=In 2019", "In 2019"),
        ("en", "as of", None),
        ("en", "age|1970|5|3", "May 3, 1970"),
        ("en", "age|1970|5|3|2000|5|2", "29"),
        ("en", "age|1970|5|3|2000|5|3", "30"),
    ],
)
def test_circa_and_ages(lang: str, wikitext: str, text: str | None) -> None:
    """An age needs two dates, for today is no part of a dump."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("lang", "wikitext", "text"),
    [
        ("en", "PAGENAME", "Lists/Rivers"),
        ("en", "FULLPAGENAME", "Portal:Lists/Rivers"),
        ("en", "BASEPAGENAME", "Lists"),
        ("en", "SUBPAGENAME", "Rivers"),
        ("en", "SITENAME", "Wikipedia"),
        ("en", "pagename", None),
        ("de", "SEITENNAME", "Lists/Rivers"),
        ("ru", "НАЗВАНИЕ СТРАНИЦЫ", "Lists/Rivers"),
        ("en", "SEITENNAME", None),
        ("de", "ZAHLENFORMAT:1234", "1.234"),
        ("en", "lc:ABC", "abc"),
        ("en", "UC: abc", "ABC"),
        ("en", "ucfirst:abc", "Abc"),
        ("en", "lcfirst:ABC", "aBC"),
        ("en", "lc", None),
        ("en", "#if:x|yes|no", None),
        ("en", "#tag:ref|text", None),
        ("en", "#invoke:Math|add", None),
        ("en", "DEFAULTSORT|Rivers", None),
        ("en", "CURRENTYEAR", None),
    ],
)
def test_magic_words(lang: str, wikitext: str, text: str | None) -> None:
    """The page's names and the case of letters; what a server would compute is dropped."""
    assert render(wikitext, lang) == text


@pytest.mark.parametrize(
    ("lang", "wikitext"),
    [
        ("en", "DEFAULTSORT:Rivers"),
        ("en", "DISPLAYTITLE:''Rivers''"),
        ("de", "SORTIERUNG:Rivers"),
        ("ca", "ORDENA:Rivers"),
        ("fr", "CLEFDETRI:Rivers"),
        ("pl", "DOMYŚLNIESORTUJ:Rivers"),
        ("ru", "СОРТИРОВКА ПО УМОЛЧАНИЮ:Rivers"),
    ],
)
def test_words_that_show_nothing(lang: str, wikitext: str) -> None:
    """The order in a category and the shown title are no templates: they are not dropped."""
    assert render(wikitext, lang) == ""


@pytest.mark.parametrize(
    "name", ["infobox river", "cite web", "reflist", "coord", "flagicon", "main"]
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_all_others_are_dropped(lang: str, name: str) -> None:
    """No infobox, citation or navigation gets into the text of any language."""
    assert render(f"{name}|a|b", lang) is None


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("cite_web", "Cite web"),
        (" infobox river\n", "Infobox river"),
        ("Template:Main", "Main"),
        ("#if: a", "#if:"),
        ("#invoke:Math", "#invoke:"),
        ("DEFAULTSORT:Rivers", "DEFAULTSORT:"),
        ("formatnum:", "Formatnum:"),
        ("Wikipedia:Page", "Wikipedia:Page"),
    ],
)
def test_dropped_name(name: str, counted: str) -> None:
    """One name for all its spellings; a parser function without its operand."""
    assert dropped_name(name, load_site("en")) == counted


@pytest.mark.parametrize(
    ("rule", "arguments", "text"),
    [
        ("{1}", [(None, " a ")], "a"),
        ("{1} €", [(None, "5")], "5 €"),
        ("{1} €", [], None),
        ("{lt|1}", [(None, "a"), ("lt", "")], "a"),
        ("{2}", [("2", "b"), (None, "a")], "b"),
        ("{1}", [(None, "a"), ("1", "b")], "b"),
        ("{*}", [(None, "a"), (None, ""), (None, "b")], "a b"),
        ("{+}", [(None, "a"), (None, "b")], "ab"),
        ("{-}", [(None, "a"), (None, "b")], "a–b"),
        ("M. {1?}", [], "M."),
        ("M. {1?}", [(None, "Dupont")], "M. Dupont"),
        ("{1} h {2?}", [(None, ""), (None, "30")], None),
        ("{1}{2=e} s.", [(None, "X")], "Xe s."),
        ("{1}{2=e} s.", [(None, "I"), (None, "er")], "Ier s."),
        ("{1}{2=e} s.", [(None, ""), (None, "er")], None),
        ("{{{1}}}", [(None, "a")], "{a}"),
        (" – ", [(None, "a")], " – "),
        ("", [(None, "a")], None),
    ],
)
def test_patterns(rule: str, arguments: list[tuple[str | None, str]], text: str | None) -> None:
    """Fields take arguments; a pattern whose fields are all empty says nothing."""
    assert parse_rule(rule).fill(Arguments(arguments)) == text


@pytest.mark.parametrize(
    "rule", ["{", "}", "{1:2}", "{1!r}", "{}", "{1||2}", "{=e}", "@", "@nothing"]
)
def test_rules_that_do_not_parse(rule: str) -> None:
    """An error at the start of a run, not a strange text at its end."""
    with pytest.raises(ValueError, match=r"pattern|unknown family"):
        parse_rule(rule)


@given(
    st.sampled_from(sorted(load_site("it").templates)) | st.text(),
    st.lists(
        st.tuples(
            st.none() | st.sampled_from(["1", "u", "e", "text"]) | st.text(),
            st.sampled_from(["5", "e6/", "to", "km2", "-", ""]) | st.text(),
        ),
        max_size=8,
    ),
)
def test_never_raises(name: str, arguments: list[tuple[str | None, str]]) -> None:
    """Whatever the name and the arguments, there is a text that is not empty, or None."""
    text = render_template(name, arguments, load_site("it"), PAGE)
    assert text is None or text


@pytest.mark.parametrize(
    "value", ["9" * 10_000, "/" * 10_000, "e3" * 10_000, "a/" * 10_000, "{" * 10_000]
)
@pytest.mark.parametrize(
    "name", ["convert", "age", "val", "nts", "M", "exp", "date", "frac", "chem", "±"]
)
def test_long_arguments_do_not_raise(name: str, value: str) -> None:
    """Neither deep recursion nor numbers that Python refuses to read."""
    render_template(name, [(None, value)] * 6, load_site("it"), PAGE)
    render_template(name, [(None, "5"), (None, value)], load_site("it"), PAGE)
