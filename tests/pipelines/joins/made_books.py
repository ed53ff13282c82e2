"""Books made of random words, with planted overlaps, and what brute force says of them."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations

from filters.shingles import shingles

VOCABULARY = [f"w{number}" for number in range(4000)]
PREFACE_WORDS = 60  # that every book begins with, as with a licence
Pair = tuple[str, str]


def random_words(chance: random.Random, count: int) -> list[str]:
    """Return so many random words."""
    return chance.choices(VOCABULARY, k=count)


def edited(chance: random.Random, words: list[str], overlap: float) -> list[str]:
    """Return words of which about a share of the shingles stays: single words and runs change."""
    out = list(words)
    to_lose = (1 - overlap) * len(words)
    lost = 0.0
    while lost < to_lose:
        run = min(chance.choice((1, 1, 5, 40)), len(out))
        at = chance.randrange(len(out) - run + 1)
        out[at : at + run] = random_words(chance, run)
        lost += run + 12  # shingles that hold one of the words
    return out


def shuffled(chance: random.Random, words: list[str]) -> list[str]:
    """Return the chapters of a book in another order."""
    chapters = [words[at : at + 400] for at in range(0, len(words), 400)]
    chance.shuffle(chapters)
    return [word for chapter in chapters for word in chapter]


def made_books(count: int, seed: int = 7) -> dict[str, str]:
    """Return texts by id: originals, editions, collections, shuffled chapters, exact copies."""
    chance = random.Random(seed)
    preface = random_words(chance, PREFACE_WORDS)
    books: list[list[str]] = [
        random_words(chance, chance.randrange(1000, 3000)) for _ in range(count // 2)
    ]
    originals = list(books)
    while len(books) < count:
        kind, one = len(books) % 5, chance.choice(originals)
        if kind in (0, 1):
            books.append(edited(chance, one, chance.uniform(0.5, 1.0)))
        elif kind == 2:  # a collection, with an edition of the book in it
            others = chance.sample(originals, chance.randrange(1, 9))
            part = edited(chance, one, chance.uniform(0.8, 1.0))
            books.append([word for words in (part, *others) for word in words])
        elif kind == 3:
            books.append(edited(chance, shuffled(chance, one), chance.uniform(0.9, 1.0)))
        else:  # a chain: an edition of an edition
            books.append(edited(chance, chance.choice(books), chance.uniform(0.85, 1.0)))
    texts = [" ".join([*preface, *words]) for words in books]
    texts[1] = texts[0].upper()  # the same text, once normalised
    chance.shuffle(texts)
    return {f"{number:04d}": text for number, text in enumerate(texts)}


Sets = Mapping[str, frozenset[int]]


def shingle_sets(texts: Mapping[str, str]) -> dict[str, frozenset[int]]:
    """Return the shingles of each text."""
    return {name: frozenset(shingles(text).tolist()) for name, text in texts.items()}


def brute_force(sets: Sets, threshold: float = 0.9) -> dict[Pair, float]:
    """Return the overlap of every pair that overlaps by more than the threshold."""
    found = {}
    for one, other in combinations(sorted(sets), 2):
        shared = len(sets[one] & sets[other])
        if shared > threshold * min(len(sets[one]), len(sets[other])):
            found[one, other] = shared / min(len(sets[one]), len(sets[other]))
    return found


@cache
def brute_forced(count: int) -> tuple[dict[str, frozenset[int]], dict[Pair, float]]:
    """Return the shingles of so many made books, and the overlaps of all pairs over 0.9."""
    sets = shingle_sets(made_books(count))
    return sets, brute_force(sets)


def survivors(
    sets: Sets, pairs: Mapping[Pair, float], rank: Callable[[str], object] = str
) -> tuple[set[str], dict[str, tuple[str, float]]]:
    """Return what the greedy rule keeps, and for each loser the winner and the overlap."""
    order = sorted(sets, key=lambda name: (-len(sets[name]), rank(name)))
    edges = {**pairs, **{(other, one): share for (one, other), share in pairs.items()}}
    kept: list[str] = []
    lost = {}
    for name in order:
        winner = next((other for other in kept if (name, other) in edges), None)
        if winner is None:
            kept.append(name)
        else:
            lost[name] = winner, edges[name, winner]
    return set(kept), lost
