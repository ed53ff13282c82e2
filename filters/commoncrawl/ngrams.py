"""Score lines by the extension module ``_perplexity.c``, with KenLM's bits, faster.

KenLM's Python module takes a line of pieces as text: it cuts the text at spaces, hashes each piece,
and looks its number up. The extension knows the number of each piece from the time when a model is
loaded. It reads KenLM's binary files of hash tables ("probing", what ``build_binary`` writes unless
told otherwise, as for cc_net's published models), and fetches the entries of the next words into
the processor's cache while it sums up, in 32-bit floating point and KenLM's order
(docs/rules/web.md 6.3).

It is used only if it gives KenLM's scores of the check lines when a model is loaded. KenLM itself
scores under ARPA texts and tries, and lines with blanks that are no spaces, which it splits at.
"""

import mmap
from collections.abc import Callable
from pathlib import Path

from filters.commoncrawl.pieces import Encoder, check_lines

# Maps a line in UTF-8 to its log10 probability, and to the number of its pieces plus 1.
Score = Callable[[bytes], tuple[float, int]]


def load_score(encoder: Encoder, path: str | Path, library: Score) -> Score | None:
    """Return the extension's function for a model's file, or None if KenLM itself is needed.

    Args:
        encoder: the model of the pieces.
        path: a file that KenLM has loaded; it is memory-mapped.
        library: KenLM's answers, which the extension's must equal.
    """
    try:
        with Path(path).open("rb") as file:
            encoder.pieces.take_ngrams(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError:  # the file is of another kind
        return None
    native = encoder.pieces.score

    def score(line: bytes) -> tuple[float, int]:
        try:
            found = native(line)
        except OverflowError:  # a line of more than 64 MiB
            found = None
        return library(line) if found is None else found

    if any(score(line) != library(line) for line in check_lines(encoder.vocabulary)):
        return None
    return score
