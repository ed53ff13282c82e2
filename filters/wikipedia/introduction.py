"""Cut the introduction out of an article, as cc_net's language models are trained on those.

cc_net takes the field `opening_text` of Wikipedia's search dumps (docs/rules/web.md 6.1), the text
up to the first heading. In the texts that our Wikipedia source writes, headings are plain lines
between blank lines (docs/rules/sources.md 2.6), so this module recognises them by their form.
"""

import unicodedata
from typing import Final

MAX_HEADING_CHARS: Final = 80  # our choice: longer headings and shorter paragraphs are both rare


def introduction(text: str, title: str = "") -> str:
    r"""Return the paragraphs of an article before its first heading.

    A heading is a line between blank lines, of 80 characters at most, that ends in a letter, a
    digit or a closing bracket, unlike a sentence or the line before a list. The first line is
    always a paragraph, so that an article that begins with a short line has an introduction too.

    Args:
        text: text of the article, with blank lines between paragraphs and headings.
        title: title of the article; a first line that repeats it is left out.

    >>> introduction("Beer\n\nBeer is a drink.\n\nIt is old.\n\nHistory\n\nIn 1516, ...", "Beer")
    'Beer is a drink.\n\nIt is old.'
    """
    if title and text.startswith(f"{title}\n\n"):
        text = text[len(title) + 2 :]
    start = text.find("\n\n")
    while start >= 0:
        end = text.find("\n\n", start + 2)
        if _is_heading(text[start + 2 : end if end >= 0 else len(text)]):
            return text[:start]
        start = end
    return text


def _is_heading(block: str) -> bool:
    return (
        0 < len(block) <= MAX_HEADING_CHARS
        and "\n" not in block
        and (block[-1] == ")" or unicodedata.category(block[-1])[0] in "LMN")
    )
