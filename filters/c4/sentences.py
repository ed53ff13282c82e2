"""Sentences, as NLTK's Punkt tokenizer with its English model counts them (docs/rules/web.md 9.3).

C4 asks only whether a page has three sentences or five. So the tokenizer, which reads some ten
thousand sentences per second, is asked only where neither a bound from below nor one from above
answers that; the answer is always the tokenizer's.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol

# Where the tokenizer may end a sentence: a mark before punctuation, or before blanks and a word.
_MAY_END = re.compile(r"""[.?!](?=[?!)";}\]*:@'({\[]|\s+\S)""")
# Where it must end one, unless it knows the word as an abbreviation or as the first of a pair: a
# word of letters between blanks, then a word that begins with a letter or a digit.
_MUST_END = re.compile(r"(?<![^ \n])([^\W\d_]{2,})[.?!](?=[ \n]+[^\W_])")


class Tokenizer(Protocol):
    """What finds sentences."""

    def span_tokenize(self, text: str) -> Iterable[tuple[int, int]]:
        """Yield where each sentence of a text begins and ends."""


class Punkt:
    """The question whether texts hold so many sentences.

    Args:
        tokenizer: that counts them.
        uncertain: words, in lower case, after which a full stop may not end a sentence.
    """

    def __init__(self, tokenizer: Tokenizer, uncertain: Iterable[str]) -> None:
        self._tokenizer = tokenizer
        self._uncertain = frozenset(uncertain)

    def count(self, text: str) -> int:
        """Return the number of sentences of a text."""
        return len(self.spans(text))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each sentence of a text begins and ends."""
        return list(self._tokenizer.span_tokenize(text))

    def lines_have(self, lines: Sequence[str], least: int) -> bool:
        """Tell whether lines, none of them blank, hold so many sentences, each counted alone."""
        if len(lines) >= least:
            return True
        most = [1 + len(_MAY_END.findall(line)) for line in lines]
        if sum(most) < least:
            return False
        return sum(map(self.count, lines)) >= least

    def has(self, text: str, least: int) -> bool:
        """Tell whether a text that is not blank holds so many sentences, counted as a whole."""
        if least <= 1:
            return True
        found = 1
        for word in _MUST_END.finditer(text):
            found += word[1].lower() not in self._uncertain
            if found >= least:
                return True
        if 1 + len(_MAY_END.findall(text)) < least:
            return False
        return self.count(text) >= least


@cache
def english() -> Punkt:
    """Return the English model; loading it takes half a second."""
    import punkt  # noqa: PLC0415 -- loaded where a page needs it
    from nltk.tokenize.punkt import (  # noqa: PLC0415 -- the same
        PunktParameters,
        PunktSentenceTokenizer,
    )

    # The package ``punkt`` carries the numbers of NLTK's model. Its own tokenizer differs from
    # NLTK's ("Wow!!!" is one sentence there and two here), and C4 was made with NLTK's.
    model = punkt.load_model("english")
    parameters = PunktParameters()
    parameters.abbrev_types = set(model.abbrev_types)
    parameters.collocations = set(model.collocations)
    parameters.sent_starters = set(model.sent_starters)
    parameters.ortho_context.update(model.ortho_context)
    uncertain = {*model.abbrev_types, *(first for first, _ in model.collocations)}
    return Punkt(PunktSentenceTokenizer(parameters), uncertain)
