# ruff: noqa: RUF001, RUF002  (the template writes an en dash, and writers type apostrophes)
"""Render the first sentence of an Italian biography, which `{{Bio}}` writes.

Nearly every biography of the Italian Wikipedia starts with this template and continues after it:
without its sentence the page says what a person is known for, but not who the person is. Its
arguments are the parts of one sentence with an order and a grammar of their own, which no pattern
of `filters.wikipedia.rules` can express, so it has its own module (docs/rules/sources.md 2.4).

    Nome Cognome (LuogoNascita, GiornoMeseNascita AnnoNascita – LuogoMorte, GiornoMeseMorte
    AnnoMorte) è stato un Attività, Attività2 e Attività3 Nazionalità PostNazionalità.

Parts that are not given are left out. Arguments that only categorise the page (Epoca, Categorie,
ForzaOrdinamento), link it (LuogoNascitaLink) or illustrate it (Immagine, Didascalia) show nothing.
"""

import re
from typing import Final

from filters.wikipedia.rules import Arguments

_BLANKS: Final = re.compile(r"(?:[\s\u00a0]|&nbsp;|&#32;|&#160;)++")
_CLOSING: Final = frozenset(".,;:)!?'’")  # no blank before these
_ENDS: Final = (".", "!", "?", "…")  # of a sentence that already has its full stop
_UNKNOWN: Final = "..."  # in place of an unknown date of birth or death
_AND: Final = frozenset({"e", "ed", "&"})  # a second template on the page continues with these
_VOWELS: Final = frozenset("aeiouàèéìòù")
# Masculine nouns with these beginnings take "uno": s and a consonant, z, x, y, gn, pn, ps, i and a
# vowel.
_UNO: Final = re.compile(r"s[^aeiouàèéìòù\W]|[zxy]|gn|pn|ps|i[aeou]", re.IGNORECASE)
_WORD: Final = re.compile(r"\w")


def render_biography(given: Arguments) -> str:
    """Return the sentence that the template shows, or "" without a name.

    A person is dead if the day, year or place of death is given; "?" is an unknown year.

    >>> arguments = [("Nome", "Ada"), ("Cognome", "Rossi"), ("Sesso", "F"), ("AnnoNascita", "1900"),
    ...     ("AnnoMorte", "1990"), ("Attività", "attrice"), ("Nazionalità", "italiana")]
    >>> render_biography(Arguments(arguments))
    "Ada Rossi (1900 – 1990) è stata un'attrice italiana."
    """
    name = _joined(given.get("Titolo"), given.get("Nome"), given.get("Cognome"))
    if not name:
        return ""
    name = _append(name, given.get("PostCognome"))
    if also := given.get("PostCognomeVirgola"):
        name = _append(name, f", {also.lstrip(' ,')}")
    if dates := _dates(given):
        name += f" ({dates})"
    predicate = given.get("FineIncipit") or _predicate(given)
    if not predicate:
        return name
    sentence = _append(name, predicate)
    ended = predicate in _AND or sentence.rstrip("'\"").endswith(_ENDS)
    return sentence if ended or given.get("Punto") == "no" else f"{sentence}."


def _dates(given: Arguments) -> str:
    """Return the content of the parentheses: the name in another language, birth and death."""
    birth = _event(given, "Nascita")
    death = _event(given, "Morte")
    life = f"{birth or _UNKNOWN} – {death}" if death else birth
    return "; ".join(part for part in (given.get("PreData"), life) if part)


def _event(given: Arguments, event: str) -> str:
    """Return place, day and year of "Nascita" or "Morte"."""
    place = given.get(f"Luogo{event}Alt", f"Luogo{event}")
    year = given.get(f"Anno{event}")
    date = _joined(given.get(f"GiornoMese{event}"), _UNKNOWN if year == "?" else year)
    return ", ".join(part for part in (place, date) if part)


def _predicate(given: Arguments) -> str:
    """Return the predicate of the sentence: verb, article, activities and nationality."""
    activities = _activities(given)
    nation = given.get("Nazionalità")
    if naturalised := given.get("NazionalitàNaturalizzato"):
        nation = _joined(nation, f"naturalizzat{_ending(given)} {naturalised}")
    if citizenship := given.get("Cittadinanza"):
        nation = _joined(nation, f"con cittadinanza {citizenship}")
    what = _joined(activities, nation)
    before = given.get("PreAttività")
    if not before and what:
        dead = _event(given, "Morte")
        verb = f"è stat{_ending(given)}" if dead else "è"
        article = _article(what, feminine=_feminine(given))
        what = f"{verb} {article}{what}"
    return _append(_append(before, what), given.get("PostNazionalità"))


def _activities(given: Arguments) -> str:
    """Return the activities as a list, "a, b e c"; further ones include their conjunction."""
    named = [given.get(name) for name in ("Attività", "Attività2", "Attività3")]
    named = [activity for activity in named if activity]
    others = given.get("AttivitàAltre")
    if others:
        return _append(", ".join(named), others)
    if len(named) < 2:
        return "".join(named)
    last = named.pop()
    conjunction = "ed" if last[:1].lower() == "e" else "e"
    return f"{', '.join(named)} {conjunction} {last}"


def _article(noun: str, *, feminine: bool) -> str:
    """Return the indefinite article with the blank that follows it, if there is one."""
    word = _WORD.search(noun)  # after the marks of emphasis
    noun = noun[word.start() :] if word else noun
    if feminine:
        return "un'" if noun[:1].lower() in _VOWELS else "una "
    return "uno " if _UNO.match(noun) else "un "


def _feminine(given: Arguments) -> bool:
    return given.get("Sesso").upper() == "F"


def _ending(given: Arguments) -> str:
    """Return the ending of a participle."""
    return "a" if _feminine(given) else "o"


def _append(text: str, more: str) -> str:
    """Append free text, which may begin with a blank, a comma, or neither."""
    if blanks := _BLANKS.match(more):
        more = more[blanks.end() :]
    if not text or not more:
        return text or more
    # Emphasis begins with several apostrophes; a single one is an elision.
    close = more[0] in _CLOSING and not more.startswith("''")
    return text + more if close else f"{text} {more}"


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
