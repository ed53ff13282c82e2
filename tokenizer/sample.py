"""A deterministic sample of a corpus, as the sentences that SentencePiece wants (tokens.md, 1.4).

SentencePiece takes one sentence a line, passes over long lines in silence, and samples at random
what it cannot hold. So this module samples, and cuts, and counts: whole documents, chosen by a
keyed hash of their ids in the proportions asked for, in an order that follows from the same hash.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from tokenizer.corpus import Corpus, Text
from tokenizer.errors import UserError
from tokenizer.settings import nearest

LINE_BYTES: Final = 4000  # below SentencePiece's 4192, with room to find a space
RESERVED: Final = "\u2585"  # SentencePiece's own mark for unknown characters


class SampleError(UserError, ValueError):
    """A sample that cannot be drawn as asked."""


@dataclass(slots=True)
class SourceSample:
    """What was there of a source, and what of it was chosen; bytes are UTF-8."""

    source: str
    share: float  # of the bytes of the sample, asked for
    documents: int = 0
    bytes: int = 0
    chosen_documents: int = 0
    chosen_bytes: int = 0
    chosen_lines: int = 0
    reserved_lines: int = 0  # in chosen documents, but not passed on: they contain U+2585
    reserved_bytes: int = 0

    @property
    def skipped_bytes(self) -> int:
        """Bytes of the documents that were not chosen."""
        return self.bytes - self.chosen_bytes


@dataclass(slots=True)
class LanguageSample:
    """What was there of a language of a source, and what of it was chosen; bytes are UTF-8."""

    source: str
    lang: str  # ISO 639-1; empty where the documents do not say
    documents: int = 0
    bytes: int = 0
    chosen_documents: int = 0
    chosen_bytes: int = 0

    @property
    def skipped_bytes(self) -> int:
        """Bytes of the documents that were not chosen."""
        return self.bytes - self.chosen_bytes


class Sample:
    """The chosen documents, cut into lines and kept in a temporary file.

    Use it as a context manager: leaving it removes the file.

    Attributes:
        sources: what was there and what was chosen, by source.
        languages: the same by source and language, the most bytes first.
    """

    def __init__(
        self, sources: Iterable[SourceSample], languages: Iterable[LanguageSample] = ()
    ) -> None:
        self.sources = {source.source: source for source in sources}
        self.languages = sorted(languages, key=lambda row: (row.source, -row.bytes, row.lang))
        self._languages = {(row.source, row.lang): row for row in self.languages}
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._entries: list[tuple[int, bytes, int, int]] = []  # rank, digest, offset, size

    def add(self, rank: int, text: Text, line_bytes: int = LINE_BYTES) -> None:
        """Take a document; documents come back in the order of their ranks."""
        source, size = self.sources[text.source], len(text.text.encode())
        source.chosen_documents += 1
        source.chosen_bytes += size
        if language := self._languages.get((text.source, text.lang)):
            language.chosen_documents += 1
            language.chosen_bytes += size
        lines = []
        for line in cut_lines(text.text, line_bytes):
            if RESERVED in line:
                source.reserved_lines += 1
                source.reserved_bytes += len(line.encode())
            else:
                lines.append(line)
        if lines:
            source.chosen_lines += len(lines)
            content = "\n".join(lines).encode()
            digest = hashlib.blake2b(content, digest_size=16).digest()  # orders equal ranks
            self._entries.append((rank, digest, self._spool.tell(), len(content)))
            self._spool.write(content)

    def lines(self) -> Iterator[str]:
        """All lines, in an order that does not depend on the order of the inputs."""
        for _, _, offset, size in sorted(self._entries):
            self._spool.seek(offset)
            yield from self._spool.read(size).decode().split("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()


def draw_sample(
    corpus: Iterable[Text],
    *,
    sample_bytes: int = 0,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    line_bytes: int = LINE_BYTES,
) -> Sample:
    """Choose documents of a corpus and cut them into lines; the corpus is read twice.

    Args:
        corpus: what to sample: a `Corpus`, or any collection.
        sample_bytes: about how many bytes of text to choose; 0 means all.
        weights: share of each source in the sample's bytes, on any positive scale; None samples
            all sources alike. A source that has less than its share gives all it has, and the
            others share the rest by weight.
        seed: another seed chooses other documents.
        line_bytes: longer lines are split, at a space if there is one.

    Raises:
        SampleError: a weight for no source, a source without weight, or nothing to choose.
        CorpusError: an input cannot be read.
    """
    sources: dict[str, SourceSample] = {}
    languages: dict[tuple[str, str], LanguageSample] = {}
    for text in corpus:
        size = len(text.text.encode())
        source = sources.setdefault(text.source, SourceSample(text.source, 0.0))
        key = (text.source, text.lang)
        for row in (source, languages.setdefault(key, LanguageSample(*key))):
            row.documents += 1
            row.bytes += size
    available = {name: source.bytes for name, source in sorted(sources.items())}
    total = sum(available.values())
    if not total:
        bad = corpus.bad[:1] if isinstance(corpus, Corpus) else []
        first = "".join(f"; {one.where} was passed over: {one.why}" for one in bad)
        raise SampleError(f"the inputs hold no text{first}")
    weights = available if weights is None else _checked(weights, available)
    for name, source in sources.items():
        source.share = weights[name] / sum(weights.values())
    targets = share_out(min(sample_bytes or total, total), weights, available)
    thresholds = {
        name: int(targets[name] / size * 2.0**64) if size else 0 for name, size in available.items()
    }
    with contextlib.ExitStack() as stack:
        sample = stack.enter_context(
            Sample((sources[name] for name in available), languages.values())
        )
        for text in corpus:
            rank = _rank(seed, text.id)
            if rank < thresholds[text.source]:
                sample.add(rank, text, line_bytes)
        stack.pop_all()  # the caller closes it
    return sample


def share_out(
    budget: int, weights: Mapping[str, float], available: Mapping[str, int]
) -> dict[str, float]:
    """Bytes to take of each source: by weight, never more than there are.

    >>> share_out(100, {"a": 1, "b": 1, "c": 2}, {"a": 10, "b": 1000, "c": 1000})
    {'a': 10.0, 'b': 30.0, 'c': 60.0}
    """
    targets = dict.fromkeys(weights, 0.0)
    left, open_sources = float(budget), [name for name in weights if weights[name] > 0]
    while open_sources:
        per_weight = left / sum(weights[name] for name in open_sources)
        short = [name for name in open_sources if available[name] <= per_weight * weights[name]]
        for name in short or open_sources:
            targets[name] = min(float(available[name]), per_weight * weights[name])
        if not short:
            break
        left -= sum(targets[name] for name in short)
        open_sources = [name for name in open_sources if name not in short]
    return targets


def cut_lines(text: str, line_bytes: int = LINE_BYTES) -> Iterator[str]:
    r"""Lines of a text for training: cut at "\n", long ones split, empty ones left out.

    Leading spaces stay, since pieces for indentation come from there. A long line is split at
    the last space within ``line_bytes`` (UTF-8) and loses that space: SentencePiece puts one
    before each line. A line without spaces is split between characters.

    >>> list(cut_lines("  ab\n\ncd ef", 4))
    ['  ab', 'cd', 'ef']
    """
    for line in text.split("\n"):
        if 4 * len(line) <= line_bytes or len(line.encode()) <= line_bytes:
            if line:
                yield line
            continue
        rest = line.encode()
        while len(rest) > line_bytes:
            space = max(0, rest.rfind(b" ", 0, line_bytes + 1))
            space = len(rest[:space].rstrip(b" "))  # the first of several
            if space:
                head, rest = rest[:space], rest[space + 1 :]
            else:
                end = line_bytes
                while rest[end] & 0xC0 == 0x80:  # within a character
                    end -= 1
                head, rest = rest[:end], rest[end:]
            yield head.decode()
        if rest:
            yield rest.decode()


def _checked(weights: Mapping[str, float], available: Mapping[str, int]) -> Mapping[str, float]:
    for name, weight in weights.items():
        if name not in available:
            raise SampleError(f"weights: no document of source {name!r}{nearest(name, available)}")
        if not 0 <= weight < float("inf"):
            raise SampleError(f"weights: {name} is {weight}, expected a number from 0 up")
    for name in available:
        if name not in weights:
            raise SampleError(f"weights: source {name!r} has none; give it 0 to leave it out")
    if not any(weight and available[name] for name, weight in weights.items()):
        raise SampleError("weights: nothing is left to sample from")
    return {name: float(weights[name]) for name in available}


def _rank(seed: int, document_id: str) -> int:
    """A 64-bit hash: below a threshold, the document is chosen; lines follow in its order."""
    key = f"corpusmill-sample\n{seed}\n{document_id}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
