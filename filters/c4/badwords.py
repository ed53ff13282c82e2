"""Bad words: pages of a language that hold an entry of its list (docs/rules/web.md 9.7).

A page is searched once, whatever the number of entries. An entry that must stand between characters
that are no word characters holds whole words of the page: a page holds no entry whose longest word
it lacks. The others, of most pages none, are looked for all at once.
"""

import re
from collections.abc import Iterable, Mapping

from filters.c4.pages import url_digest
from filters.verdict import KEEP, Verdict, drop

# Written without blanks between words: an entry matches anywhere.
WITHOUT_BLANKS = frozenset({"ja", "th", "zh"})
# Entries that mean something else too often.
ALLOWED: Mapping[str, frozenset[str]] = {
    "ja": frozenset({"sm", "グロ", "女の子"}),
    "zh": frozenset({"性"}),
}

_WORD = re.compile(r"\w+")
# Of a page's bytes, ASCII letters, digits and the underscore stay; all others become blanks. A
# word beyond ASCII falls apart, on the page and in an entry alike.
_ASCII_WORDS = bytes(
    code if code < 0x80 and (chr(code).isalnum() or chr(code) == "_") else 0x20
    for code in range(0x100)
)


def language_of(code: str) -> str:
    """Return the language that a code or the name of a list stands for, without its suffix.

    >>> language_of("fr-CA-u-sd-caqc")
    'fr'
    """
    return code.partition("-")[0]


def read_list(text: str, language: str) -> frozenset[str]:
    """Return the entries of a list, one per line, without those that are allowed."""
    entries = {line.strip() for line in text.split("\n")}
    return frozenset(entries - {""} - ALLOWED.get(language, frozenset()))


class BadWords:
    """The entries of one language.

    Args:
        entries: as the list has them; an entry with a capital never matches, since pages are
            lower-cased and entries are not.
        anywhere: an entry matches inside a word as well.
    """

    def __init__(self, entries: Iterable[str], *, anywhere: bool = False) -> None:
        entries = sorted(entries)
        self._anywhere = re.compile("|".join(map(re.escape, entries)) or r"(?!)")
        self._search_anywhere = anywhere
        self._by_ascii: dict[bytes, list[str]] = {}
        self._by_word: dict[str, list[str]] = {}
        others = []
        for entry in entries:
            if ascii_words := entry.encode().translate(_ASCII_WORDS).split():
                self._by_ascii.setdefault(max(ascii_words, key=len), []).append(entry)
            elif words := _WORD.findall(entry):
                self._by_word.setdefault(max(words, key=len), []).append(entry)
            else:
                others.append(entry)
        self._others = _between(others) if others else None

    def find(self, text: str) -> str | None:
        """Return the entry that a page holds first, None if it holds none."""
        text = text.lower()
        if self._search_anywhere:
            found = self._anywhere.search(text)
            return found[0] if found else None
        candidates = self._candidates(text)
        if candidates and (found := _between(candidates).search(text)):
            return found[0]
        found = self._others.search(text) if self._others else None
        return found[0] if found else None

    def _candidates(self, text: str) -> list[str]:
        """Return the entries whose longest word is one of the page."""
        candidates: list[str] = []
        words = text.encode("utf-8", "surrogatepass").translate(_ASCII_WORDS).split()
        for word in self._by_ascii.keys() & set(words):
            candidates += self._by_ascii[word]
        if self._by_word and not text.isascii():
            for other in self._by_word.keys() & set(_WORD.findall(text)):
                candidates += self._by_word[other]
        return sorted(candidates)


def _between(entries: Iterable[str]) -> re.Pattern[str]:
    """Return what finds entries that no word character touches."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, entries))})(?!\w)")


def check_badwords(
    text: str,
    language: str,
    normalized_url: str,
    *,
    lists: Mapping[str, BadWords],
    fraction: float = 1.0,
) -> Verdict:
    """Drop a page that holds an entry of its language's list; a language without list passes.

    Args:
        text: of the page.
        language: of the page, perhaps with a suffix.
        normalized_url: its hash chooses which pages stay although they hold an entry.
        lists: by language.
        fraction: share of the pages with an entry that is dropped, 0 to 1.
    """
    words = lists.get(language_of(language))
    if words is None or (found := words.find(text)) is None:
        return KEEP
    numerator, denominator = fraction.as_integer_ratio()
    if int.from_bytes(url_digest(normalized_url), "big") % denominator >= numerator:
        return Verdict(keep=True, detail=found)
    return drop("badwords", found)
