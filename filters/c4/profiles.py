"""langdetect's language profiles, as the arrays that the extension `_langdetect.c` reads.

A profile counts the grams of a language: runs of one to three normalised characters. For the
extension a character is a number, a gram is one number of 64 bits, and the shares that a gram has
in the profiles of the languages lie behind one another. Most grams are in one or two profiles: of
4.8 million shares of langdetect 1.0.9, 184,129 are above zero.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from itertools import chain
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

# What the extension reads the memory of.
Bytes = (
    bytes
    | NDArray[np.uint8]
    | NDArray[np.uint16]
    | NDArray[np.uint32]
    | NDArray[np.uint64]
    | NDArray[np.float64]
)

SPACE: Final = 1  # the number of " "; 0 stands for no character
OTHER: Final = 2  # the number of all characters that are in no profile
UPPER: Final = 0x8000  # a flag in the number of an upper-case character
CODE_POINTS: Final = 0x20000  # no character from here on is in a profile or has a case


@dataclass(frozen=True)
class Profile:
    """How often the grams of a language were seen.

    Attributes:
        name: of the language, e.g. "en" or "zh-cn".
        counts: of each gram.
        totals: of the grams of one, of two and of three characters, with the rare ones that
            `counts` leaves out.
    """

    name: str
    counts: dict[str, int]
    totals: list[int]

    def share(self, gram: str) -> float:
        """Return the share of a gram in the language's grams of its length."""
        return self.counts.get(gram, 0) / self.totals[len(gram) - 1]


class Grams(TypedDict):
    """The grams of all profiles, each with its shares, and the numbers of their characters."""

    letters: NDArray[np.uint16]  # the number of each code point, by itself
    grams: NDArray[np.uint64]  # numbers of up to three characters, the last in the lowest 16 bits
    starts: NDArray[np.uint32]  # where the shares of each gram start, and where the last ones end
    languages: NDArray[np.uint8]  # of each share, by the profiles' order
    shares: NDArray[np.float64]


def read_profiles(folder: Traversable) -> list[Profile]:
    """Read langdetect's profiles, a JSON file each, sorted by the names of their languages.

    langdetect takes them in the order of the folder's listing, which differs from one file system
    to another, and with it the last bits of sums over the languages.
    """
    profiles = []
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith("."):
            fields = json.loads(file.read_text("utf-8"))
            profiles.append(Profile(fields["name"], fields["freq"], fields["n_words"]))
    return sorted(profiles, key=lambda profile: profile.name)


def code_points(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Return the code points of texts, joined."""
    return np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)


def _number_characters(codes: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Number the characters of all grams, those of many grams first; return a table by code point.

    The extension answers fastest for grams of the first 128 numbers.
    """
    counts = np.bincount(codes, minlength=CODE_POINTS)
    counts[ord(" ")] = 0
    ordered = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    if len(counts) > CODE_POINTS or OTHER + len(ordered) >= UPPER:
        raise ValueError("langdetect's profiles hold characters that the extension cannot number")
    letters = np.full(CODE_POINTS, OTHER, np.uint16)
    letters[ordered] = np.arange(OTHER + 1, OTHER + 1 + len(ordered))
    letters[ord(" ")] = SPACE
    return letters


def pack_grams(profiles: Sequence[Profile]) -> Grams:
    """Return the grams of the profiles and their shares as arrays.

    Raises:
        ValueError: a profile holds grams that no text has.
    """
    words = list(chain.from_iterable(profile.counts for profile in profiles))
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    if lengths.min() < 1 or lengths.max() > 3:
        raise ValueError("langdetect's profiles hold a gram that is not of 1 to 3 characters")
    codes = code_points(words)
    letters = _number_characters(codes)
    numbers = letters[codes].astype(np.uint64)
    ends = np.cumsum(lengths)
    keys = numbers[ends - 1]
    for back in (1, 2):
        longer = lengths > back
        keys[longer] |= numbers[ends[longer] - 1 - back] << np.uint64(16 * back)
    sizes = [len(profile.counts) for profile in profiles]
    counts = chain.from_iterable(profile.counts.values() for profile in profiles)
    profile_of = np.repeat(np.arange(len(profiles), dtype=np.uint8), sizes)
    totals = np.array([profile.totals for profile in profiles], np.float64)
    shares = np.fromiter(counts, np.float64, len(words)) / totals[profile_of, lengths - 1]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.append(np.flatnonzero(np.append(True, keys[1:] != keys[:-1])), len(keys))
    return {
        "letters": letters,
        "grams": keys[starts[:-1]],
        "starts": starts.astype(np.uint32),
        "languages": profile_of[order],
        "shares": shares[order],
    }


def number_normalised(
    letters: NDArray[np.uint16], normalize: Callable[[str], str], rewritten: Iterable[int]
) -> NDArray[np.uint16]:
    """Return a table from code points to the numbers of their normalised characters.

    Args:
        letters: the numbers of characters by themselves.
        normalize: langdetect's normalisation of a character.
        rewritten: the code points that it may turn into others.
    """
    normalised = np.arange(CODE_POINTS)
    places = np.fromiter(rewritten, np.int64)
    normalised[places] = [ord(normalize(chr(place))) for place in places.tolist()]
    is_upper = np.fromiter(map(str.isupper, map(chr, range(CODE_POINTS))), np.bool_, CODE_POINTS)
    return (letters | np.where(is_upper, np.uint16(UPPER), np.uint16(0)))[normalised]
