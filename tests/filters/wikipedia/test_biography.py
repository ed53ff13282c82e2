# ruff: noqa: RUF001  (the template writes an en dash)
"""The sentence that `{{Bio}}` shows, from its parts."""

import pytest

from filters.wikipedia.biography import render_biography
from filters.wikipedia.rules import Arguments
from filters.wikipedia.sites import load_site
from filters.wikipedia.text import Options, to_text


def sentence(**arguments: str) -> str:
    """Render the template with these arguments."""
    return render_biography(Arguments(list(arguments.items())))


def predicate(**arguments: str) -> str:
    """Render it for a person of one name, and return what follows the name."""
    return sentence(Nome="A", **arguments).removeprefix("A ").removesuffix(".")


def test_the_whole_sentence() -> None:
    """Name, birth and death, verb, activities, nationality, and what follows it."""
    assert sentence(
        Titolo="Sir",
        Nome="Carlo",
        Cognome="Verdi",
        PostCognomeVirgola="detto il Verde",
        PreData="in inglese Charles Green",
        Sesso="M",
        LuogoNascita="Asti",
        LuogoNascitaLink="Asti (Italia)",
        GiornoMeseNascita="1º maggio",
        AnnoNascita="1801",
        LuogoMorte="Pisa",
        GiornoMeseMorte="2 giugno",
        AnnoMorte="1870",
        Epoca="1800",
        Attività="medico",
        Attività2="poeta",
        Attività3="editore",
        Nazionalità="italiano",
        NazionalitàNaturalizzato="britannico",
        PostNazionalità=", noto per i suoi sonetti",
        Immagine="Verdi.jpg",
    ) == (
        "Sir Carlo Verdi, detto il Verde (in inglese Charles Green; Asti, 1º maggio 1801 – Pisa, "
        "2 giugno 1870) è stato un medico, poeta ed editore italiano naturalizzato britannico, "
        "noto per i suoi sonetti."
    )


@pytest.mark.parametrize(
    ("arguments", "dates"),
    [
        ({}, ""),
        ({"AnnoNascita": "1957"}, " (1957)"),
        ({"LuogoNascita": "Asti"}, " (Asti)"),
        ({"LuogoNascita": "Asti", "AnnoNascita": "1957"}, " (Asti, 1957)"),
        ({"LuogoNascita": "Asti", "LuogoNascitaAlt": "Asti o Alba"}, " (Asti o Alba)"),
        ({"GiornoMeseNascita": "gennaio", "AnnoNascita": "1942"}, " (gennaio 1942)"),
        ({"AnnoNascita": "1093", "AnnoMorte": "1152"}, " (1093 – 1152)"),
        ({"LuogoMorte": "Pisa", "AnnoMorte": "1152"}, " (... – Pisa, 1152)"),
        ({"AnnoNascita": "1240", "AnnoMorte": "?"}, " (1240 – ...)"),
        ({"PreData": "in russo X"}, " (in russo X)"),
    ],
)
def test_birth_and_death(arguments: dict[str, str], dates: str) -> None:
    """What is not known is left out; a birth that nobody knows is three dots before a death."""
    assert sentence(Nome="A", **arguments) == f"A{dates}"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"Attività": "regista"}, "è un regista"),
        ({"Attività": "regista", "Sesso": "F"}, "è una regista"),
        ({"Attività": "attrice", "Sesso": "F"}, "è un'attrice"),
        ({"Attività": "attore"}, "è un attore"),
        ({"Attività": "scrittore"}, "è uno scrittore"),
        ({"Attività": "scrittrice", "Sesso": "F"}, "è una scrittrice"),
        ({"Attività": "sindaco"}, "è un sindaco"),
        ({"Attività": "zoologo"}, "è uno zoologo"),
        ({"Attività": "psicologo"}, "è uno psicologo"),
        ({"Attività": "pittore"}, "è un pittore"),
        ({"Attività": "'''attrice'''", "Sesso": "F"}, "è un''''attrice'''"),
    ],
)
def test_the_article(arguments: dict[str, str], text: str) -> None:
    """By sex and by the first sound of the noun."""
    assert predicate(**arguments) == text


@pytest.mark.parametrize(
    ("sex", "text"),
    [("M", "è stato un atleta"), ("F", "è stata un'atleta"), ("", "è stato un atleta")],
)
def test_the_dead_have_been(sex: str, text: str) -> None:
    """The participle has the ending of the sex."""
    shown = sentence(Nome="A", AnnoMorte="?", Attività="atleta", Sesso=sex)
    assert shown == f"A (... – ...) {text}."


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"Attività2": "poeta"}, "è un medico e poeta"),
        ({"Attività2": "poeta", "Attività3": "editore"}, "è un medico, poeta ed editore"),
        ({"AttivitàAltre": "e [[dittatore]]"}, "è un medico e [[dittatore]]"),
        ({"AttivitàAltre": ", poeta e altro"}, "è un medico, poeta e altro"),
        ({"Nazionalità": "russo"}, "è un medico russo"),
        (
            {"Nazionalità": "russo", "Cittadinanza": "turca"},
            "è un medico russo con cittadinanza turca",
        ),
        ({"PostNazionalità": "&nbsp;a Roma"}, "è un medico a Roma"),
        ({"PostNazionalità": "&#32; a Roma"}, "è un medico a Roma"),
        ({"PostNazionalità": "''a'' Roma"}, "è un medico ''a'' Roma"),
        ({"PostNazionalità": ". Visse a Roma."}, "è un medico. Visse a Roma"),
        ({"PreAttività": "fu il primo"}, "fu il primo medico"),
        ({"FineIncipit": "fu re"}, "fu re"),
    ],
)
def test_activities(arguments: dict[str, str], text: str) -> None:
    """A list with a conjunction; free text is added as it is, or takes the place of the rest."""
    assert predicate(Attività="medico", **arguments) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"PreAttività": ", detto B, fu il", "Attività": "re"}, "A, detto B, fu il re."),
        ({"PostCognome": "(o B)", "Attività": "re"}, "A (o B) è un re."),
        ({"FineIncipit": "e"}, "A e"),
        ({"FineIncipit": "fu re", "Punto": "no"}, "A fu re"),
        ({"FineIncipit": "fu ''re.''"}, "A fu ''re.''"),
    ],
)
def test_where_parts_meet(arguments: dict[str, str], text: str) -> None:
    """A comma follows at once, and the full stop comes once, unless another template goes on."""
    assert sentence(Nome="A", **arguments) == text


def test_without_a_name_there_is_no_sentence() -> None:
    """Nothing is better than a sentence about nobody."""
    assert sentence(Attività="medico") == ""


def test_on_a_page() -> None:
    """The page goes on behind the template; links, references and emphasis are dealt with."""
    wikitext = (
        "{{Bio\n|Nome = Anna\n|Cognome = Blu\n|Sesso = F\n|LuogoNascita = Asti<ref>B</ref>\n"
        "|AnnoNascita = [[1932]]\n|Attività = cantante\n|Nazionalità = italiana\n"
        "|PostNazionalità = {{sp}}nota come '''[[Anna|Annina]]'''\n}} È di Asti."
    )
    page = to_text(wikitext, load_site("it"), options=Options(include_title=False))
    assert page.text == (
        "Anna Blu (Asti, 1932) è una cantante italiana nota come Annina. È di Asti."
    )
