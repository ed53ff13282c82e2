"""Render templates around the writer's text: columns of a list, a word in its own script."""

import re
from typing import Final

from filters.wikipedia.rules import Arguments
from filters.wikipedia.sites import Site

# The number or the width of the columns, a positional argument before the list.
_WIDTH: Final = re.compile(r"[\d.,]*\s*(?:em|ex|px|%|rem)?")
# The names of the argument that holds a list, in the languages with such wrappers.
_LIST_NAMES: Final = (
    *("content", "contents", "contenido", "conteúdo", "inhoud", "Inhalt", "inhalt", "Liste"),
    *("liste", "lista", "list", "texte", "texto", "testo", "Text", "text", "treść", "текст"),
    *("содержание", "список", "вміст"),
)
_COLUMN: Final = re.compile(
    r"(?:col|kolom|colonne|columna|coluna|kolumna|sloupec)\s*(\d)", re.IGNORECASE
)


def render_columns(given: Arguments, _: Site) -> str:
    """Return the lists of `{{columns-list|2|* a …}}`, one below the other.

    The lists are positional or named arguments; the number and width of columns are left out.
    """
    columns = [text for text in given.positional if text and not _WIDTH.fullmatch(text)]
    columns += [text for name in _LIST_NAMES if (text := given.named.get(name))]
    numbered = [
        (int(match[1]), text)
        for name, text in given.named.items()
        if text and (match := _COLUMN.fullmatch(name))
    ]
    columns += [text for _, text in sorted(numbered)]
    return "\n".join(columns)


def render_original(given: Arguments, _: Site) -> str:
    """Return a word with its original and reading: `{{nihongo|ninja|忍者|ninja}}`.

    These follow the word in brackets; if the word is not given, the first of them replaces it.
    """
    names = ("1", "2", "3", "extra", "4", "extra2", "5")
    parts = [text for name in names if (text := given.get(name).rstrip(",;"))]
    if len(parts) < 2:
        return "".join(parts)
    return f"{parts[0]} ({', '.join(parts[1:])})"
