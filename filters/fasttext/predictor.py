"""Answer for a fastText model by the extension module `filters/fasttext/_fasttext.c`.

fastText reads a line through a stream, hashes every character n-gram of every word anew, and, of a
compressed model, decodes a row for each of them. With a cache from words to rows, and rows decoded
once, 8,370 pages of Common Crawl (54 MB) went through lid.176.ftz at 83 to 91 MB a second instead
of 8, and through a dense model of the size of lid.176.bin at 58 to 65 instead of 10 (one core of a
shared machine), with the same answers.

The module exists if there was a C compiler when Corpusmill was installed. It is used only if it
gives the same bits as fasttext-wheel on this machine: another build of fastText may fuse products
with sums, another C library may round logarithms in another way, and a model may be of a kind that
the module does not support.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from filters.fasttext.file import UnsupportedModelError, read_model

try:
    from filters.fasttext._fasttext import Predictor
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

# Maps a line in UTF-8 to the number of the best label and its probability.
Top = Callable[[bytes], tuple[int, float] | None]

# Words of all lengths, in scripts of one to four bytes per character, unusual blanks and made-up
# words, for which a wrong hash, order or rounding cannot give the right answer by chance.
CHECK_LINES: Final = (
    "",
    " ",
    "a",
    "</s>",
    "one two </s> three",
    "__label__en words of a label __label__nothing",
    "The weather was good yesterday, and we went to the beach with the children.",
    "Das Wetter war gestern gut, und wir gingen mit den Kindern an den Strand.",
    "Hier il faisait beau, et nous sommes all\u00e9s \u00e0 la plage avec les enfants.",
    "Ayer hizo buen tiempo y fuimos a la playa con los ni\u00f1os; hubo mucha gente.",
    "Ieri faceva bel tempo e siamo andati in spiaggia con i bambini, tutti insieme.",
    "Wczoraj by\u0142a \u0142adna pogoda i poszli\u015bmy z dzie\u0107mi na pla\u017c\u0119.",
    "D\u00fcn hava g\u00fczeldi ve \u00e7ocuklarla sahile gittik. I\u015f\u0131k vard\u0131.",
    "\u0412\u0447\u0435\u0440\u0430 \u0431\u044b\u043b\u0430 \u0445\u043e\u0440\u043e\u0448",
    "\u0430\u044f \u043f\u043e\u0433\u043e\u0434\u0430, \u043c\u044b \u0431\u044b\u043b\u0438",
    " \u043d\u0430 \u043f\u043b\u044f\u0436\u0435.",
    "\u03a7\u03b8\u03b5\u03c2 \u03bf \u03ba\u03b1\u03b9\u03c1\u03cc\u03c2 \u03ae\u03c4\u03b1",
    "\u03bd \u03ba\u03b1\u03bb\u03cc\u03c2.",
    "\u0643\u0627\u0646 \u0627\u0644\u0637\u0642\u0633 \u062c\u0645\u064a\u0644\u0627 \u0623",
    "\u0645\u0633.",
    "\u05d0\u05ea\u05de\u05d5\u05dc \u05d4\u05d9\u05d4 \u05de\u05d6\u05d2 \u05d0\u05d5\u05d5",
    "\u05d9\u05e8 \u05d8\u05d5\u05d1.",
    "\u0915\u0932 \u092e\u094c\u0938\u092e \u0905\u091a\u094d\u091b\u093e \u0925\u093e\u0964",
    "\u6628\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u548c\u5b69\u5b50\u4eec\u53bb",
    "\u4e86\u6d77\u6ee9\u3002",
    "\u6628\u65e5\u306f\u5929\u6c17\u304c\u826f\u304b\u3063\u305f\u306e\u3067\u6d77\u306b",
    "\u884c\u304d\u307e\u3057\u305f\u3002",
    "\uc5b4\uc81c\ub294 \ub0a0\uc528\uac00 \uc88b\uc558\ub2e4.",
    "\u0e40\u0e21\u0e37\u0e48\u0e2d\u0e27\u0e32\u0e19\u0e2d\u0e32\u0e01\u0e32\u0e28\u0e14\u0e35",
    "tabs\tand\rreturns\x0band\x0cfeeds\x00and\x1cother\x85blanks\xa0of\u3000all\u2028kinds",
    "\U0001f600 \U0001f30d\U0001f30e\U0001f30f e\u0301 a\u0308\u0323 \ufffd \ufeff \x7f",
    "< > <> <s> </s </s>s __label__ 0 1 22 333 4444 http://example.org/a?b=c&d=e",
    "x" * 63 + " " + "y" * 64 + " " + "z" * 65,
    "\u00e9" * 33 + " " + "donaudampfschifffahrtsgesellschaft" * 9,
    "the of and to in is was for on with as by at from " * 40,
)


def load_top(path: str | Path) -> Top | None:
    """Return the extension's function for a model file, or None if it does not support it.

    A dense input matrix is memory-mapped and not copied. The returned function raises
    FloatingPointError if a score is not finite.
    """
    if not AVAILABLE:
        return None
    try:
        return Predictor(**read_model(path).arguments()).top
    except (UnsupportedModelError, ValueError, OverflowError, MemoryError):
        return None


def agrees(
    top: Top, labels: Sequence[str], reference: Callable[[str], tuple[str, float] | None]
) -> bool:
    """Return whether the extension and fastText give the same bits on `CHECK_LINES`.

    Args:
        top: the function that `load_top` returned.
        labels: the labels of the model without prefix, in its order.
        reference: returns fastText's own answer for a line.
    """
    for line in CHECK_LINES * 2:  # the second time from the cache
        try:
            best = top(line.encode("utf-8"))
        except FloatingPointError:
            return False
        if (None if best is None else (labels[best[0]], best[1])) != reference(line):
            return False
    return True
