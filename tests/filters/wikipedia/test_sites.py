# ruff: noqa: RUF001  (letters and signs of 20 languages are what is tested)
"""What the data of the 20 Wikipedias holds, and what a dump and a user add to it."""

import json
import pickle
from importlib import resources
from typing import Any

import pytest

from filters.wikipedia.rules import Arguments
from filters.wikipedia.site_data import LANGUAGES, fold, normalise_template_name
from filters.wikipedia.sites import (
    CATEGORY,
    FILE,
    MEDIA,
    TEMPLATE,
    Site,
    is_disambiguation,
    is_redirect,
    load_site,
)
from filters.wikipedia.text import to_text

# docs/rules/sources.md 2.5, line by line: file and media names, then category names.
NAMES = {
    "bg": ("Файл, Картинка, Медия", "Категория"),
    "ca": ("Fitxer, Imatge", "Categoria"),
    "cs": ("Soubor, Média, Obrázok", "Kategorie"),
    "da": ("Fil, Billede", "Kategori"),
    "de": ("Datei, Bild, Medium", "Kategorie"),
    "en": ("File, Image, Media", "Category"),
    "es": ("Archivo, Imagen, Medio", "Categoría, CAT"),
    "fr": ("Fichier, Image, Média", "Catégorie"),
    "hr": ("Datoteka, Slika, Mediji, DT, F", "Kategorija, KT, CT"),
    "hu": ("Fájl, Kép, Média", "Kategória"),
    "it": ("File, Immagine", "Categoria, CAT"),
    "nl": ("Bestand, Afbeelding", "Categorie"),
    "pl": ("Plik, Grafika", "Kategoria"),
    "pt": ("Ficheiro, Arquivo, Imagem, Multimédia", "Categoria"),
    "ro": ("Fișier, Fişier, Imagine", "Categorie"),  # with a comma below, and with a cedilla
    "ru": ("Файл, Изображение, Медиа", "Категория, К"),
    "sl": ("Slika, Datoteka", "Kategorija"),
    "sr": (
        "Датотека, Слика, Медиј, Медија, Datoteka, Slika, Medij, Medija",
        "Категорија, Kategorija",
    ),
    "sv": ("Fil, Bild", "Kategori"),
    "uk": ("Файл, Зображення, Изображение, Медіа, Медиа", "Категорія, Категория"),
}


def names(text: str) -> set[str]:
    """Split a cell of the table into folded names."""
    return set(map(fold, text.split(",")))


def test_the_data_is_of_the_20_languages_of_the_paper() -> None:
    """One file a language, one for what all of them share, and the names of countries."""
    folder = resources.files("filters.wikipedia") / "data"
    files = {path.name for path in folder.iterdir()}
    assert files == {f"{lang}.json" for lang in (*LANGUAGES, "all", "countries")}
    assert set(NAMES) == set(LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_names_of_namespaces(lang: str) -> None:
    """Each name of the table, and the English ones in every language."""
    site = load_site(lang)
    files, categories = NAMES[lang]
    assert names(files) | names("File, Image, Media") <= site.file_names
    assert names(categories) | names("Category") <= site.category_names
    assert "template" in site.template_names


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_name_stands_for_two_things(lang: str) -> None:
    """A link's prefix is a file, a category, a language or another site."""
    site = load_site(lang)
    kinds = [site.file_names, site.category_names, site.language_codes, site.interwiki]
    assert len(frozenset().union(*kinds)) == sum(map(len, kinds))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_name_of_a_template_has_one_meaning(lang: str) -> None:
    """A page is not marked as a disambiguation page by what renders a value."""
    site = load_site(lang)
    assert site.disambiguation.isdisjoint(site.templates)
    assert {"Convert", "Lang", "Nowrap", "Ndash"} <= site.templates.keys()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_magic_words_are_known_ones(lang: str) -> None:
    """A localised word stands for an English one."""
    site = load_site(lang)
    assert set(site.magic_words.values()) <= set(load_site("en").magic_words)


def test_prefixes_of_links() -> None:
    """All Wikipedias, and the sister projects by their short and long names."""
    site = load_site("en")
    assert {"de", "simple", "zh-min-nan", "be-tarask", "nds-nl"} <= site.language_codes
    assert {"wikt", "wiktionary", "s", "b", "commons", "d", "species"} <= site.interwiki


def test_the_dump_adds_its_own_names() -> None:
    """The siteinfo of a dump knows names that the data does not."""
    namespaces = {FILE: ["Archivo_X"], MEDIA: ["Medios"], CATEGORY: ["Kat"], TEMPLATE: ["Tmpl"]}
    site = load_site("de", {**namespaces, 0: [""]})
    assert {"archivo x", "medios", "datei"} <= site.file_names
    assert {"kat", "kategorie"} <= site.category_names
    assert {"tmpl", "vorlage"} <= site.template_names
    assert "" not in site.file_names | site.category_names


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("convert", "Convert"),
        (" birth_date  and age\n", "Birth date and age"),
        ("Template:convert", "Convert"),
        ("template : convert", "Convert"),
        ("Vorlage:Zitat", "Zitat"),
        ("Шаблон:Дата", "Шаблон:Дата"),
        ("école", "École"),
        ("ßx", "ßx"),
        ("!", "!"),
        ("", ""),
    ],
)
def test_normalise_template_name(name: str, normal: str) -> None:
    """The first letter is a capital, underscores are spaces, the local namespace goes."""
    assert normalise_template_name(name, load_site("de").template_names) == normal


@pytest.mark.parametrize(
    ("lang", "text", "redirect"),
    [
        ("de", "#WEITERLEITUNG [[Berlin]]", True),
        ("de", "#redirect[[Berlin]]", True),
        ("de", " \n\t#Redirect: [[Berlin]]", True),
        ("de", "\ufeff#REDIRECT [[Berlin]]", True),
        ("fr", "#REDIRECTION [[Berlin]]", True),
        ("en", "#REDIRECTION [[Berlin]]", False),
        ("en", "#REDIRECT", True),
        ("en", "# redirect is a word", False),
        ("en", "A #REDIRECT [[Berlin]]", False),
        ("en", "", False),
        ("bg", "#пренасочване [[Берлин]]", True),
        ("bg", "#виж [[Берлин]]", True),
        ("ca", "#REDIRECCIÓ [[Berlín]]", True),
        ("cs", "#přesměruj [[Berlín]]", True),
        ("da", "#OMDIRIGERING [[Berlin]]", True),
        ("es", "#REDIRECCIÓN [[Berlín]]", True),
        ("hr", "#PREUSMJERI [[Berlin]]", True),
        ("hu", "#ÁTIRÁNYÍTÁS [[Berlin]]", True),
        ("it", "#RINVIA [[Berlino]]", True),
        ("nl", "#DOORVERWIJZING [[Berlijn]]", True),
        ("pl", "#PATRZ [[Berlin]]", True),
        ("pl", "#PRZEKIERUJ [[Berlin]]", True),
        ("pt", "#REDIRECIONAMENTO [[Berlim]]", True),
        ("ro", "#REDIRECTEAZA [[Berlin]]", True),
        ("ru", "#перенаправление [[Берлин]]", True),
        ("sl", "#PREUSMERITEV [[Berlin]]", True),
        ("sr", "#Преусмери [[Берлин]]", True),
        ("sv", "#OMDIRIGERING [[Berlin]]", True),
        ("uk", "#ПЕРЕНАПРАВЛЕННЯ [[Берлін]]", True),
    ],
)
def test_is_redirect(lang: str, text: str, redirect: bool) -> None:
    """The local word or the English one, in any case, first on the page."""
    assert is_redirect(text, load_site(lang)) is redirect


@pytest.mark.parametrize(
    ("lang", "text", "disambiguation"),
    [
        ("en", "'''A''' may be:\n* [[B]]\n{{disambiguation}}", True),
        ("en", "{{ hndis|name=Smith, John}}", True),
        ("en", "{{Template:Dab\n}}", True),
        ("en", "{{geodis}} {{infobox|a={{b}}}}", True),
        ("en", "{{disambiguation needed}}", False),
        ("en", "disambiguation", False),
        ("en", "a __DISAMBIG__ b", True),
        ("ru", "__disambig__", True),
        ("bg", "{{Пояснение}}", True),
        ("ca", "{{Desambiguació}}", True),
        ("ca", "{{biografies}}", True),
        ("cs", "{{Rozcestník}}", True),
        ("da", "{{flertydig}}", True),
        ("de", "{{Begriffsklärung}}", True),
        ("es", "{{desambiguación}}", True),
        ("fr", "{{Homonymie}}", True),
        ("hr", "{{razdvojba}}", True),
        ("hu", "{{egyért}}", True),
        ("it", "{{Disambigua}}", True),
        ("nl", "{{dp}}", True),
        ("nl", "{{Doorverwijspagina}}", True),
        ("pl", "{{Ujednoznacznienie}}", True),
        ("pt", "{{Desambiguação}}", True),
        ("ro", "{{Dezambiguizare}}", True),
        ("ru", "{{неоднозначность}}", True),
        ("ru", "{{Многозначность}}", True),
        ("sl", "{{razločitev}}", True),
        ("sr", "{{Вишезначна одредница}}", True),
        ("sv", "{{Förgrening}}", True),
        ("uk", "{{DisambigN}}", True),
        ("uk", "{{Неоднозначність}}", True),
    ],
)
def test_is_disambiguation(lang: str, text: str, disambiguation: bool) -> None:
    """By the switch or by a template of the language, wherever on the page."""
    assert is_disambiguation(text, load_site(lang)) is disambiguation


def test_a_user_adds_names_and_rules() -> None:
    """Lists grow; a name that is known gets the user's rule, and the empty rule takes it away."""
    extra = {
        "file_names": ["Foto"],
        "redirect_words": ["#GEHEZU"],
        "disambiguation_templates": ["mehrdeutig"],
        "templates": {"{1} Mark": ["mark"], "[{1}]": ["nowrap"], "": ["small"]},
        "units": {"smoot": "Smoot"},
    }
    site = load_site("de", extra=extra)
    assert {"foto", "datei"} <= site.file_names
    assert is_redirect("#gehezu [[A]]", site)
    assert is_disambiguation("{{Mehrdeutig}}", site)
    given = Arguments([(None, "5")])
    rules = [site.templates[name].fill(given) for name in ("Mark", "Nowrap", "Small")]
    assert rules == ["5 Mark", "[5]", None]
    assert site.units["smoot"] == "Smoot"
    assert "smoot" not in load_site("de").units


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"tempaltes": {}},
            "extra: unknown key 'tempaltes'. Did you mean 'templates'?",
        ),
        (
            {"file_names": "Foto"},
            'extra: file_names: expected a list of names, found "Foto"',
        ),
        (
            {"file_names": ["Foto", ""]},
            'extra: file_names: expected a list of names, found ["Foto", ""]',
        ),
        ({"units": {"km": 1}}, "extra: units: km: expected a text, found 1"),
        ({"units": ["km"]}, 'extra: units: expected an object, found ["km"]'),
        ([], "extra: expected an object, found []"),
        (
            {"templates": {"@convrt": ["a"]}},
            "extra: templates: unknown family '@convrt'. Did you mean '@convert'?",
        ),
        (
            {"templates": {"{1} {a:b}": ["a"]}},
            "extra: templates: cannot read the pattern '{1} {a:b}': a field holds only names",
        ),
        (
            {"templates": {"@wikitext {{{1}": ["a"]}},
            "extra: templates: cannot read the definition '@wikitext {{{1}': unbalanced braces",
        ),
        (
            {"country_templates": ["cod"]},
            "extra: country_templates: unknown 'cod'. Did you mean 'code'?",
        ),
        (
            {"definitions": {"dee": {}}},
            "extra: definitions: no data for the Wikipedia 'dee'. Did you mean 'de'?",
        ),
        (
            {"definitions": {"fr": {"@datte": ["a"]}}},
            "extra: definitions: fr: unknown family '@datte'. Did you mean '@date'?",
        ),
        (
            {"definitions": {"fr": ["a"]}},
            'extra: definitions: fr: expected an object, found ["a"]',
        ),
        (
            {"templates": {"{1}": ["Abc"], "{2}": ["abc"]}},
            "extra: templates: 'abc' has two rules, '{1}' and '{2}'",
        ),
    ],
)
def test_errors_in_what_a_user_adds(extra: Any, message: str) -> None:
    """Bad configuration never passes; the message says where it is and what was meant."""
    with pytest.raises(ValueError, match="extra") as error:
        load_site("de", extra=extra)
    assert str(error.value) == message


def test_an_alias_has_the_rule_of_its_template() -> None:
    """By any spelling of the name; to what has no rule it is an error."""
    site = load_site("de", extra={"templates": {"@same nowrap": ["zusammen"]}})
    assert site.rule("Zusammen") == site.rule("Nowrap") is not None
    with pytest.raises(ValueError, match="'Zusammen' cannot read as 'Nichts': that has no rule"):
        load_site("de", extra={"templates": {"@same Nichts": ["zusammen"]}})


def test_definitions_are_for_one_language_and_yield() -> None:
    """They are for templates that nothing else has a rule for."""
    extra = {
        "templates": {"a {1}": ["Meine"]},
        "definitions": {"de": {"b {1}": ["Meine", "Nowrap", "Lang-fr", "Neue"]}},
    }
    site = load_site("de", extra=extra)
    texts = [site.rule(name).fill(Arguments([(None, "x")])) for name in ("Meine", "Neue")]  # type: ignore[union-attr]  # they are there
    assert texts == ["a x", "b x"]
    assert [site.rule(name) for name in ("Nowrap", "Lang-fr")] == [
        load_site("de").rule(name) for name in ("Nowrap", "Lang-fr")
    ]
    assert load_site("fr", extra=extra).rule("Neue") is None


@pytest.mark.parametrize(
    ("rule", "page", "text"),
    [
        ("\n{1}\n", "a {{x|b}} c\n{{x|d}}\ne", "a\nb\nc\nd\ne"),
        ("\n\n{1}\n\n", "a {{x|b}} c", "a\n\nb\n\nc"),
        ("\n* {#}", "a\n{{x|b|c}}", "a\nb\nc"),
        ("{,}", "{{x|a||b}}", "a, b"),
        ("\n{1}\n", "{{x|a}}{{x|b}}\n\n{{x|{{x|c}}}}", "a\nb\n\nc"),
        ("* {1}", "a {{x|b}} c\n* {{x|d}}\n# e {{x|f}}", "a c\nd\ne f"),
        ("* {1}", "a {{x|b\nc}} d\n* {{x|e\nf}} g", "a d\ne f g"),
        ("* {1}", "{{nowrap|* {{x|b}}}}", "b"),
        ("[{1}]", "a [{{x|b}}] {{x|c}}", "a [b] [c]"),
    ],
)
def test_where_a_text_belongs(rule: str, page: str, text: str) -> None:
    """On lines of its own, or in items of lists alone."""
    site = load_site("en", extra={"templates": {rule: ["X"]}})
    assert to_text(page, site).text == text


def test_an_unknown_language_is_an_error() -> None:
    """The paper's 20 languages are what there is data for."""
    with pytest.raises(ValueError, match=r"no data for the Wikipedia 'xx'\. Use one of bg, ca"):
        load_site("xx")


def test_a_site_travels_to_workers() -> None:
    """Beam pickles what a DoFn holds."""
    site = load_site("sr")
    copy: Site = pickle.loads(pickle.dumps(site))  # noqa: S301  (our own bytes)
    assert copy == site


def test_the_data_is_in_the_form_that_users_write() -> None:
    """A packaged file can serve as a user's."""
    text = (resources.files("filters.wikipedia") / "data" / "fr.json").read_text("utf-8")
    assert load_site("fr", extra=json.loads(text)) == load_site("fr")
