"""The language answers of langdetect 1.0.9 with seed 0, which C4 keeps English pages by.

langdetect (Apache-2.0) draws grams of a text at random, in seven trials, and multiplies what its
55 profiles say of them until a language prevails (docs/rules/web.md 9.6). That would be nine tenths
of C4's cost: 8,370 pages of Common Crawl went through it at 178 pages per second, on one core of a
shared machine. The extension `_langdetect.c` took 15,000 to 19,000 pages per second and gave the
same languages and the same probabilities, to the last bit, for all of them.

The extension is there where a C compiler was when Corpusmill was installed. It is compared with
langdetect on `CHECK_TEXTS` when it is loaded, and langdetect itself answers where a bit differs, or
where nothing was compiled.

langdetect leaves the last bits of its probabilities to the machine in two ways. Both are fixed
here, for the extension and for langdetect, so that every worker gives the same bytes:

- Probabilities are summed in the order of the languages. In langdetect that is the order in which a
  file system lists the profiles; here it is the order of their names.
- Python's `sum` corrects rounding errors from 3.12 on. Here the sum is the plain one, from the
  first to the last, as in the versions of Python that C4 was made with.
"""

import functools
import random
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import chain
from typing import Final

from langdetect.detector import Detector as LibraryDetector
from langdetect.detector_factory import DetectorFactory
from langdetect.lang_detect_exception import ErrorCode, LangDetectException
from langdetect.utils.lang_profile import LangProfile
from langdetect.utils.ngram import NGram

from filters.c4.profiles import (
    OTHER,
    Profile,
    code_points,
    number_normalised,
    pack_grams,
    read_profiles,
)

try:
    from filters.c4._langdetect import Detector
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

# Languages with their probabilities, the most probable first: those above 0.1, often one, rarely
# none. None where the text has no features, of which langdetect raises an exception.
Answer = list[tuple[str, float]] | None
Detect = Callable[[str], Answer]

SEED: Final = 0

# How many outputs of the Mersenne Twister are made in advance. A text that stays undecided needs
# about 14,000: 7 trials of 1,001 choices, for each of which every second output may be in vain.
DRAWS: Final = 1 << 15

# Scripts and rules that differ, short texts that stay undecided for long: what a wrong order, table
# or rounding cannot get right by chance.
CHECK_TEXTS: Final = (
    "",
    "12 345 !?",
    "The weather was good, and we went to the beach. NASA, BBC: see https://example.org/a?b=c or",
    "write to first.last@mail.example.org. Das Wetter war gestern gut, il faisait beau hier.",
    "Vie\u0323\u0302t Nam co\u0301 nhie\u0302\u0300u ngu\u031bo\u031b\u0300i, \u0111e\u0323p",
    "\u0412\u0447\u0435\u0440\u0430 \u0431\u044b\u043b\u0430 \u0445\u043e\u0440\u043e\u0448 on the",
    "\u6628\u65e5\u306f\u5929\u6c17\u304c\u826f\u304b\u3063 \u6211\u4eec\u53bb\u4e86\u6d77\u6ee9",
    "\u0219i \u021bar\u0103 \u06cc\u06a9 \u0634\u06c1\u0631 \uc5b4\uc81c \u05d0\u05ea\u05de\u05d5",
    "na no ne je to da se po za od",
)


def detect(text: str) -> Answer:
    """Return what `langdetect.detect_langs` finds with `DetectorFactory.seed = 0`.

    Returns:
        Languages and probabilities, the most probable first. An empty list says that no language
        is above 0.1; None says that the text has no features, such as one of digits only, where
        langdetect raises an exception. C4 drops the page in both cases.

    >>> [language for language, probability in detect("The weather was good yesterday.")]
    ['en']
    >>> detect("2019") is None
    True
    """
    try:
        return load_detect()(text)
    except OverflowError:  # more draws than are made in advance
        return load_detect(compiled=False)(text)


@functools.cache
def load_detect(*, compiled: bool = True) -> Detect:
    """Return what answers here, read once per process.

    Args:
        compiled: whether the extension may answer, where it is there and agrees with langdetect.
    """
    profiles = read_profiles(files("langdetect") / "profiles")
    if compiled and AVAILABLE:
        answer = load_compiled(profiles)
        if agrees(answer, load_library(profiles, lazily=True)):
            return answer
    return load_library(profiles)


class _PlainDetector(LibraryDetector):
    """langdetect's detector, with the sum of Python before 3.12."""

    def _normalize_prob(self, prob: list[float]) -> float:
        total = 0.0
        for p in prob:
            total += p
        prob[:] = [p / total for p in prob]
        return max(prob)


class _Rows(dict[str, list[float]]):
    """The shares of a gram in all profiles, each row made when it is first asked for."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        super().__init__()
        self.profiles = profiles

    def __contains__(self, gram: object) -> bool:
        return any(gram in profile.counts for profile in self.profiles)

    def __missing__(self, gram: str) -> list[float]:
        row = self[gram] = [profile.share(gram) for profile in self.profiles]
        return row


def load_library(profiles: Sequence[Profile], *, lazily: bool = False) -> Detect:
    """Return langdetect itself.

    Args:
        profiles: in the order in which probabilities are summed.
        lazily: whether rows of shares are made when they are needed, for a few short texts.
    """
    factory = DetectorFactory()
    factory.set_seed(SEED)
    if lazily:
        factory.langlist = [profile.name for profile in profiles]
        factory.word_lang_prob_map = _Rows(profiles)
    else:
        for index, profile in enumerate(profiles):
            known = LangProfile(profile.name, profile.counts, profile.totals)
            factory.add_profile(known, index, len(profiles))

    def answer(text: str) -> Answer:
        detector = _PlainDetector(factory)
        detector.append(text)
        try:
            found = detector.get_probabilities()
        except LangDetectException as error:
            if error.get_code() == ErrorCode.CantDetectError:
                return None
            raise
        return [(language.lang, language.prob) for language in found]

    return answer


def load_compiled(profiles: Sequence[Profile], draws: int = DRAWS) -> Detect:
    """Return what answers by the extension, which must be available.

    The function that is returned raises OverflowError for a text that needs more draws.

    Args:
        profiles: in the order in which probabilities are summed.
        draws: how many outputs of the Mersenne Twister are made in advance.
    """
    packed = pack_grams(profiles)
    outputs = random.Random(SEED).getrandbits(32 * draws)  # noqa: S311 - langdetect draws by it
    return Detector(
        names=[profile.name for profile in profiles],
        other=OTHER,
        letters=number_normalised(packed["letters"], NGram.normalize, _rewritten()),
        grams=packed["grams"],
        starts=packed["starts"],
        languages=packed["languages"],
        shares=packed["shares"],
        draws=outputs.to_bytes(4 * draws, "little"),
        bases=code_points([NGram.TO_NORMALIZE_VI_CHARS]),
        marks=code_points([NGram.DMARK_CLASS]),
        composed=code_points(NGram.NORMALIZED_VI_CHARS),
    ).detect


def _rewritten() -> chain[int]:
    """Return the code points that langdetect may normalise to others.

    They are those of its blocks below 3200, of Hangul syllables, and the mapped ideographs.
    """
    return chain(range(0x3200), range(0xAC00, 0xD7B0), map(ord, NGram.CJK_MAP))


def agrees(answer: Detect, reference: Detect) -> bool:
    """Tell whether two give the same answers, bit for bit, for `CHECK_TEXTS`."""
    return all(answer(text) == reference(text) for text in CHECK_TEXTS)
