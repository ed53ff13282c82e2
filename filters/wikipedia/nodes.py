"""Render templates, links and tables; both parsers use this one renderer.

A parser finds where each construct starts and ends, innermost first, and passes its parts as text.
The rendered text takes the construct's place in the construct around it.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from filters.wikipedia.apostrophes import strip_apostrophes
from filters.wikipedia.markers import (
    BLOCK,
    BREAK,
    CITED,
    CITED_END,
    COLON,
    EMPTY,
    EQUALS,
    FIGURE,
    FRESH_LINE,
    IN_ITEM,
    JOINT,
    LOST,
    REMOVED,
)
from filters.wikipedia.site_data import fold
from filters.wikipedia.sites import Site
from filters.wikipedia.templates import Page, dropped_name, is_value, may_lose

# Takes a name and its arguments, like `filters.wikipedia.templates.render_template`.
RenderTemplate = Callable[[str, Sequence[tuple[str | None, str]], Site, Page], str | None]

# Stripped from names and values; the last two are marks of direction, which titles cannot have.
_NOT_TEXT: Final = (BLOCK, BREAK, EMPTY, FIGURE, FRESH_LINE, JOINT, LOST, REMOVED)
_STRIPPED: Final = f" \t\n{''.join(_NOT_TEXT)}\u200e\u200f"
_BLANK: Final = frozenset({"", *_STRIPPED})
_MAX_CACHED_CHARS: Final = 60  # of a template's name; most pages use the same few
_MAX_PREFIX_CHARS: Final = 100  # the names of namespaces are shorter
_NAME_MARKS: Final = str.maketrans(dict.fromkeys((*_NOT_TEXT, IN_ITEM), ""))
# An argument is content if it has lines of a list, or paragraphs.
_CONTENT: Final = re.compile(
    rf"(?:\A[*#]++[ \t\[]|[\n{BLOCK}{FRESH_LINE}][*#:;]++)[^\n]*\w|\n[ \t]*+\n"
)
_BOX: Final = re.compile(
    r"info.?bo[xk]|info.?(?:kvir|kutija|polje|taula|caset)|taxobo|tassobo|navig|navbo|side ?bar"
    r"|инфокут|карточка|картка|ficha|palette|chart|location map|legend|gallery|image",
    re.IGNORECASE,
)
# The names of the argument of a citation that gives the title of the work.
_TITLES: Final = frozenset(
    {"title", "titel", "titill", "titlu", "titolo", "titre", "titul", "tytuł", "título", "títol"}
    | {"cím", "naslov", "заглавие", "заголовок", "название", "назва", "наслов"}
)
_MAX_OTHERS: Final = 5  # other named arguments of a wrapper; boxes have more
_LIST_MARKS: Final = frozenset("*#")
_DIGITS: Final = frozenset("0123456789")


class Renderer:
    """A renderer of the constructs of one page that records which templates were dropped."""

    def __init__(self, site: Site, page: Page, render_template: RenderTemplate) -> None:
        self.site = site
        self.page = page
        self.dropped: list[str] = []
        self._render_template = render_template
        self._unlinked = site.file_names | site.category_names | site.language_codes

    def mark(self) -> int:
        """Return a mark that the parser passes back with the construct that starts here."""
        return len(self.dropped)

    def template(self, parts: list[str], mark: int) -> str:
        """Render ``{{name|arguments}}``."""
        name = _short_name(parts[0]) if len(parts[0]) < _MAX_CACHED_CHARS else _name(parts[0])
        if not name:
            return self._removed(mark)
        arguments: list[tuple[str | None, str]] = []
        for part in parts[1:]:
            key, equals, value = part.partition("=")
            value = (value if equals else key).strip(_STRIPPED).replace(EQUALS, "=")
            arguments.append((key.strip(_STRIPPED) if equals else None, value))
        text = self._render_template(name.replace(EQUALS, "="), arguments, self.site, self.page)
        if text is None:
            return self._content(name, arguments) or self._dropped(name, arguments, parts, mark)
        return self._parted(text, name, parts) if text else REMOVED

    def _parted(self, text: str, name: str, parts: list[str]) -> str:
        """Separate a template's text from apostrophes and digits beside it, if necessary."""
        first, last = text[0], text[-1]
        if first == IN_ITEM:  # `place_templates` decides later whether it shows
            return IN_ITEM + dropped_name(name, self.site) + text
        if first == "[":  # within brackets, the two make no link (`place_templates` takes one away)
            text = EMPTY + text
        if first == "'" or last == "'":
            return f"{JOINT}{text}{JOINT}"
        if (first in _DIGITS or last in _DIGITS) and (
            any(FIGURE in part for part in parts) or is_value(name, self.site)
        ):
            return f"{FIGURE}{text}{FIGURE}"
        return text

    def _dropped(
        self, name: str, arguments: list[tuple[str | None, str]], parts: list[str], mark: int
    ) -> str:
        del self.dropped[mark:]  # templates in it are not counted separately
        counted = dropped_name(name, self.site)
        self.dropped.append(counted)
        for key, value in arguments:
            if key in _TITLES and value and "\n" not in value and CITED not in value:
                return f"{CITED}{value}{CITED_END}"
        return LOST if may_lose(counted, arguments, parts, self.site) else REMOVED

    def _content(self, name: str, arguments: list[tuple[str | None, str]]) -> str:
        """Return the lists and paragraphs in a template without a rule, on lines of their own.

        An argument without a name that holds them is content, as in ``{{columns|2|* a}}``. A named
        one is content if there are few others, since then the template is not a box.
        """
        contents = []
        for key, value in arguments:
            if ("\n" in value or (value and value[0] in _LIST_MARKS)) and _CONTENT.search(value):
                contents.append((key, value))
        if not contents or name.startswith("#") or _BOX.search(name):
            return ""
        others = sum(key is not None and value != "" for key, value in arguments) - len(contents)
        wraps = others <= _MAX_OTHERS
        kept = [value for key, value in contents if wraps or key is None or key.isdigit()]
        return f"{FRESH_LINE}{FRESH_LINE.join(kept)}{FRESH_LINE}" if kept else ""

    def argument(self, parts: list[str]) -> str:
        """Render ``{{{name|default}}}`` as its default, since a page is given no arguments."""
        return "|".join(parts[1:]) or REMOVED

    def is_file(self, target: str) -> bool:
        """Tell whether a link's target, or the known beginning of it, is a file."""
        prefix, colon, _ = target[:_MAX_PREFIX_CHARS].strip(_STRIPPED).partition(":")
        return bool(colon) and fold(prefix) in self.site.file_names

    def link(self, parts: list[str], mark: int) -> str:
        """Render ``[[target|label]]``."""
        target = parts[0].strip(_STRIPPED)
        prefix, colon, _ = target.partition(":")
        if colon and fold(prefix) in self._unlinked:
            return self._removed(mark)
        if len(parts) == 1:
            label = self._shown(target) if colon else target
        else:
            label = parts[1] if len(parts) == 2 else "|".join(parts[1:])
            if label[:1] in _BLANK and not label.strip(_STRIPPED):
                label = _pipe_trick(target)
        if "'" in label or ":" in label:
            label = _text(label)
        return label or REMOVED

    def _shown(self, target: str) -> str:
        """Return the text that a link without a label shows."""
        if "://" in target:  # an external link, in brackets of its own
            label = target.partition(" ")[2].strip()
            return f"[{label}]" if label else ""
        prefix, colon, rest = target.partition(":")
        if colon and not prefix.strip():  # `[[:Category:X]]`
            target = rest.strip()
            prefix, colon, rest = target.partition(":")
            if colon and fold(prefix) in self.site.language_codes:
                return rest.strip()
        return rest.strip() if colon and fold(prefix) in self.site.interwiki else target

    def table(self, mark: int) -> str:
        """Render a table as a removal, since tables are dropped."""
        return self._removed(mark)

    def _removed(self, mark: int) -> str:
        del self.dropped[mark:]
        return REMOVED


def _name(text: str) -> str:
    """Return the name of a template without markers and further blanks."""
    return " ".join(text.translate(_NAME_MARKS).replace("_", " ").split())


_short_name: Final = lru_cache(4096)(_name)


def _text(label: str) -> str:
    """Return the text of a link; its marks of emphasis pair within it, as in MediaWiki.

    An apostrophe at its edge or a colon in it is no mark for the text around it.
    """
    if "''" in label:
        label = strip_apostrophes(label)
    if ":" in label:
        label = label.replace(":", COLON)
    return f"{JOINT}{label}{JOINT}" if label[:1] == "'" or label[-1:] == "'" else label


def _pipe_trick(target: str) -> str:
    """Return the label that MediaWiki gives to `[[target|]]`.

    >>> _pipe_trick("Help:Mercury (planet)"), _pipe_trick("Paris, Texas")
    ('Mercury', 'Paris')
    """
    label = target.lstrip(":").rpartition(":")[2].strip()
    if label.endswith(")") and " (" in label:
        return label[: label.rindex(" (")].strip()
    return label.partition(",")[0].strip() or label
