"""The pages that the classifier is trained and measured on, as lines (docs/rules/web.md 8.3)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from filters.commoncrawl.reference import to_example, to_line
from filters.urls import registered_domain
from pipelines.models.crawl_pages import CrawlPage, rank_of
from pipelines.models.wikiref_sample import Sample, read_chosen

HELD_OUT_SHARE = 0.1  # of the registered domains (docs/rules/web.md 8.3)
_SHUFFLE_FILES = 64  # files through which examples are shuffled, one in memory at a time


class Examples:
    """The chosen pages, as lines in the files of a folder.

    Attributes:
        counts: numbers of examples, by part and class.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.counts: dict[str, int] = {
            "train": 0,
            "train_references": 0,
            "held_out": 0,
            "held_out_references": 0,
            "random": 0,
            "random_trained_on": 0,
        }

    def take(self, pages: Iterable[CrawlPage], sample: Sample) -> None:
        """Read the pages again, and write the chosen ones to the files of their parts.

        The part of a page is decided by a hash of its registered domain, so the model is not
        trained on any domain of the held-out pages.
        """
        cited, others = set(sample.references), set(sample.others)
        random = set(sample.random)
        files = [(self.folder / f"shuffle-{i}").open("wb") for i in range(_SHUFFLE_FILES)]
        with (
            (self.folder / "held-out").open("wb") as held_out,
            (self.folder / "random").open("wb") as sampled,
        ):

            def take(index: int, page: CrawlPage) -> None:
                reference, learnt = index in cited, index in cited or index in others
                held = learnt and self._is_held_out(page.url)
                if held:
                    self._count("held_out", reference=reference)
                    _write(held_out, f"{int(reference)}{to_line(page.text)}")
                elif learnt:
                    self._count("train", reference=reference)
                    rank = rank_of(page.url, self.seed, "order")
                    line = f"{rank:020} {to_example(page.text, reference=reference)}"
                    _write(files[rank * _SHUFFLE_FILES >> 64], line)
                if index in random:
                    self.counts["random"] += 1
                    self.counts["random_trained_on"] += learnt and not held
                    _write(sampled, f"0{to_line(page.text)}")

            read_chosen(pages, cited | others | random, take)
        for file in files:
            file.close()

    def _is_held_out(self, url: str) -> bool:
        return rank_of(registered_domain(url), self.seed, "split") < HELD_OUT_SHARE * 2**64

    def _count(self, part: str, *, reference: bool) -> None:
        self.counts[part] += 1
        self.counts[f"{part}_references"] += reference

    def shuffled(self) -> Path:
        """Write the examples in the order of a hash, since fastText trains in file order."""
        path = self.folder / "train"
        with path.open("wb") as stream:
            for number in range(_SHUFFLE_FILES):
                part = self.folder / f"shuffle-{number}"
                for line in sorted(part.read_bytes().split(b"\n")):
                    stream.write(line[21:] + b"\n" if line else b"")
                part.unlink()
        return path

    def read(self, name: str) -> Iterator[tuple[bool, str]]:
        """Yield, from ``held-out`` or ``random``, whether a page is a reference, and its line."""
        with (self.folder / name).open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                yield line[0] == "1", line[1:-1]


def _write(stream: IO[bytes], line: str) -> None:
    stream.write(line.encode("utf-8", "replace") + b"\n")
