"""Perplexity of a page under a language model of Wikipedia, as in CCNet.

LLaMA (arXiv:2302.13971v1, section 2.1, "English CommonCrawl"): CCNet "filters low quality content
with an n-gram language model". The rules are those of CCNet's code, `spec/web.md` 6: normalise the
page to one line, encode it with SentencePiece, score the pieces with KenLM.
"""

import unicodedata
from functools import cache

from filters.characters import PUNCTUATION, Replacements, characters_of


def normalize_for_lm(text: str) -> str:
    r"""Return a page as the language model sees it (6.2): one line, whatever it was.

    The page is stripped, lower-cased and decomposed; combining marks go, decimal digits become
    "0", punctuation becomes ASCII by the table of 4.3, and control characters are deleted, line
    ends among them: the last word of a line is glued to the first of the next.

    >>> normalize_for_lm(" Café « 2021 »…\nNext\tline ")
    'cafe " 0000 "...nextline'
    """
    page = unicodedata.normalize("NFD", text.strip().lower())
    return _replacements().apply(page).decode("utf-8", "surrogatepass")


@cache
def _replacements() -> Replacements:
    marks = dict.fromkeys(characters_of("Mn"), "")
    return Replacements({**PUNCTUATION, **marks}, keep_newline=False)
