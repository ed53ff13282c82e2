"""A made site of Stack Exchange, written row by row: any number of posts, always the same ones.

The shape is that of real dumps. Ids ascend, with gaps where posts were deleted. An answer mostly
follows its question closely, but one in ten may be to any question of the site. A body has 700
characters of HTML in the median, and 30,000 at the most; its words have the frequencies of a
language, so that it compresses as text does. Some scores are negative, some answers have lost their
question, some posts are wikis of tags, and one question has 10,000 answers all over the file.

Run as a program it writes ``Posts.xml`` of so many posts to a folder:
``python -m tests.benchmarks.made_site POSTS FOLDER [MEDIAN_CHARACTERS]``.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path

SITE = "made.example.com"
LARGE_THREAD = 10_000  # answers
QUESTION, ANSWER, WIKIS = 1, 2, (4, 5)
_WORDS, _VOCABULARY = 1_000_000, 30_000
_SHARE_OF_QUESTIONS, _SHARE_OF_ORPHANS, _SHARE_OF_WIKIS = 0.35, 0.02, 0.03
_SHARE_OF_GAPS, _SHARE_OF_LATE_ANSWERS, _SHARE_OF_UNLOVED = 0.1, 0.1, 0.08
_MEAN_DISTANCE = 20  # questions between an answer and its question
MEDIAN_CHARACTERS = 700  # of a body, whose length is log-normal
_SPREAD, _MOST_CHARACTERS = 0.85, 30_000
_ROWS_AT_A_TIME = 1000  # that are written
# Parts of a body as they stand in an attribute: HTML, its signs as references.
_PARTS = (
    "&lt;p&gt;{}&lt;/p&gt;&#xA;&#xA;",
    "&lt;p&gt;{} &amp;amp; &lt;a href=&quot;https://x.org/?b=c&quot;&gt;d&lt;/a&gt;&lt;/p&gt;&#xA;",
    "&lt;pre&gt;&lt;code&gt;a &amp;lt; b {{&#xA;    {}&#xA;}}&#xA;&lt;/code&gt;&lt;/pre&gt;&#xA;",
    "&lt;ul&gt;&#xA;&lt;li&gt;one&lt;/li&gt;&#xA;&lt;li&gt;{}&lt;/li&gt;&#xA;&lt;/ul&gt;&#xA;&#xA;",
    "&lt;blockquote&gt;&#xA;  &lt;p&gt;{}&lt;/p&gt;&#xA;&lt;/blockquote&gt;&#xA;&#xA;",
)
_PART_CHARACTERS = 320


@dataclass
class MadeSite:
    """The rows of a site, and what they were when all of them have been read."""

    posts: int
    median_characters: int = MEDIAN_CHARACTERS
    seed: int = 1
    questions: int = 0
    answers: int = 0  # whose question is there
    orphans: int = 0
    wikis: int = 0
    _random: random.Random = field(init=False)
    _words: str = ""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of ``Posts.xml``."""
        yield b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
        rows = self.rows()
        while chunk := b"".join(islice(rows, _ROWS_AT_A_TIME)):
            yield chunk
        yield b"</posts>"

    def rows(self) -> Iterator[bytes]:
        """Yield the lines of the posts."""
        self._random = draw = random.Random(self.seed)
        self._words = _stream_of_words(draw)
        every = max(1, self.posts // (LARGE_THREAD + 1))  # rows between answers of the large thread
        in_large = number = deleted = 0
        questions: list[int] = []
        for row in range(self.posts):
            number += 1
            if draw.random() < _SHARE_OF_GAPS:
                deleted, number = number, number + draw.randrange(1, 9)
            chance = draw.random()
            if not questions:
                yield self._question(number, questions)
            elif row % every == 0 and in_large < LARGE_THREAD:
                in_large += 1
                yield self._answer(number, questions[0])
            elif chance < _SHARE_OF_QUESTIONS:
                yield self._question(number, questions)
            elif (chance := chance - _SHARE_OF_QUESTIONS) < _SHARE_OF_WIKIS:
                self.wikis += 1
                yield self._row(number, draw.choice(WIKIS), "")
            elif chance - _SHARE_OF_WIKIS < _SHARE_OF_ORPHANS and deleted:
                self.orphans += 1
                yield self._answer(number, deleted, counted=False)
            elif draw.random() < _SHARE_OF_LATE_ANSWERS:
                yield self._answer(number, draw.choice(questions))
            else:
                back = 1 + int(draw.expovariate(1 / _MEAN_DISTANCE))
                yield self._answer(number, questions[-min(back, len(questions))])

    def _question(self, number: int, questions: list[int]) -> bytes:
        questions.append(number)
        self.questions += 1
        at = self._random.randrange(len(self._words) - 60)
        more = f' ViewCount="{number % 5000}" Title="How: {self._words[at : at + 55].strip()}?"'
        return self._row(number, QUESTION, f'{more} Tags="|made|tag-{number % 997}|"')

    def _answer(self, number: int, parent: int, *, counted: bool = True) -> bytes:
        self.answers += counted
        return self._row(number, ANSWER, f' ParentId="{parent}"')

    def _row(self, number: int, post_type: int, more: str) -> bytes:
        draw = self._random
        unloved = draw.random() < _SHARE_OF_UNLOVED
        score = -draw.randrange(1, 9) if unloved else int(draw.expovariate(0.3))
        second = number // 3
        date = (
            f"2{second // 86_400 % 100:03d}-03-01T{second // 3600 % 24:02d}:{second // 60 % 60:02d}"
        )
        return (
            f'  <row Id="{number}" PostTypeId="{post_type}"{more} CreationDate="{date}:00.123" '
            f'Score="{score}" Body="{self._body()}" OwnerUserId="{number * 7919 % 500_000}" '
            f'LastActivityDate="{date}:59.997" CommentCount="{score % 5}" '
            f'ContentLicense="CC BY-SA 4.0" />\r\n'
        ).encode()

    def _body(self) -> str:
        """Return HTML as it stands in an attribute."""
        draw = self._random
        left = min(_MOST_CHARACTERS, int(self.median_characters * draw.lognormvariate(0, _SPREAD)))
        parts = []
        while left > 0:
            size = min(left, _PART_CHARACTERS)
            at = draw.randrange(len(self._words) - _PART_CHARACTERS)
            kind = _PARTS[min(len(_PARTS) - 1, int(draw.expovariate(1)))]
            parts.append(kind.format(self._words[at : at + size].strip() or "a"))
            left -= len(parts[-1])
        return "".join(parts)


def _stream_of_words(draw: random.Random) -> str:
    """Return words whose frequencies fall with their rank (Zipf)."""
    syllables = [a + b + c for a in "bdfgklmnprstv" for b in "aeiou" for c in ("", *"lnrs")]
    vocabulary = [
        "".join(draw.choices(syllables, k=1 + min(3, rank.bit_length() // 5)))
        for rank in range(1, _VOCABULARY + 1)
    ]
    weights = list(accumulate(1 / rank for rank in range(1, _VOCABULARY + 1)))
    return " ".join(draw.choices(vocabulary, cum_weights=weights, k=_WORDS))


def write_site(
    folder: Path, posts: int, median_characters: int = MEDIAN_CHARACTERS
) -> tuple[MadeSite, Path]:
    """Write the ``Posts.xml`` of a made site; return what it holds, and its path."""
    site, path = MadeSite(posts, median_characters), folder / SITE / "Posts.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        for chunk in site.chunks():
            out.write(chunk)
    return site, path


def main() -> None:
    """Write a site; print what it holds."""
    posts, folder, *median = sys.argv[1:]
    site, path = write_site(Path(folder), int(posts), *map(int, median))
    print(
        f"{path}: {path.stat().st_size / 1e6:.0f} MB, {site.questions} questions, "
        f"{site.answers} answers, {site.orphans} orphans, {site.wikis} wikis"
    )


if __name__ == "__main__":
    main()
