"""The language of a paper, told from its text without commands (docs/rules/sources.md 4.9)."""

import re

from filters.commoncrawl.langid import identify
from filters.fasttext.model import FastTextModel

_COMMAND = re.compile(r"\\(?:[A-Za-z@]+|[\s\S])")
_MATHEMATICS = re.compile(r"\$[^$]{0,2000}\$")
_SIGNS = re.compile(r"[{}$&~^_\\#]")
MAX_CHARACTERS = 200_000  # of a paper that are looked at


def plain_text(text: str) -> str:
    r"""Return a text without commands, formulas in dollars and signs of TeX.

    >>> plain_text(r"A \emph{word}.").split()
    ['A', 'word', '.']
    """
    text = _MATHEMATICS.sub(" ", text[:MAX_CHARACTERS])
    return _SIGNS.sub(" ", _COMMAND.sub(" ", text))


def language_of(model: FastTextModel, text: str) -> tuple[str | None, float | None]:
    """Return the code of the language and its score, None where there is no text."""
    language = identify(model, plain_text(text))
    return (language.code, language.score) if language.code else (None, None)
