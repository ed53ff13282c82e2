"""How a source's documents become shards: how many, which document goes where, what is stated.

Whatever writes the shards, Beam or one machine, takes its decisions from here: so the shards and
their manifest are the same bytes (docs/rules/tokens.md 3).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tokenizer.errors import UserError
from tokenizer.manifest import SPLITS, Manifest, ShardInfo, shard_name, total
from tokenizer.model import Tokenizer
from tokenizer.settings import build
from tokenizer.shards import (
    ShardFiles,
    TokenizedDocument,
    heldout_fraction,
    heldout_threshold,
    placement_hashes,
    shard_count,
)


class ShardError(UserError, ValueError):
    """Shards that cannot be written: the message says what to do."""


@dataclass(frozen=True)
class Layout:
    """Which shard a document goes to, as a pure function of its id."""

    seed: int
    train_shards: int
    heldout_shards: int
    heldout_below: int  # documents whose rank, out of 2^64, is below this are held out

    @classmethod
    def of(cls, characters: int, seed: int) -> Self:
        """Lay out a source of so many characters (code points)."""
        fraction = heldout_fraction(characters)
        held_out = int(characters * fraction)
        return cls(
            seed,
            shard_count(characters - held_out),
            shard_count(held_out),
            heldout_threshold(fraction),
        )

    @property
    def shards(self) -> int:
        """The number of shards; those of the training split come first."""
        return self.train_shards + self.heldout_shards

    def shards_of(self, ids: Iterable[str]) -> NDArray[np.uint64]:
        """Return the number of the shard of each document, shape (documents,)."""
        place, _, rank = placement_hashes(self.seed, ids).T
        held_out = self.train_shards + place % self.heldout_shards
        in_train = place % self.train_shards
        shards: NDArray[np.uint64] = np.where(rank < self.heldout_below, held_out, in_train)
        return shards

    def name_of(self, shard: int) -> str:
        """Return the name of a shard."""
        if shard < self.train_shards:
            return shard_name("train", shard, self.train_shards)
        return shard_name("heldout", shard - self.train_shards, self.heldout_shards)

    def sidecar(self, shard: int) -> tuple[str, str]:
        """Return the path, in the directory, of the file that commits a shard."""
        return "units", f"{self.name_of(shard)}.json"


@dataclass(frozen=True)
class SpaceMarks:
    """How many documents hold U+2581, and how often: it decodes to a space (section 1.3, T4)."""

    documents: int = 0
    characters: int = 0


@dataclass(frozen=True)
class WrittenShard:
    """What the sidecar of a shard says: its entry of the manifest, and what is counted besides."""

    shard: ShardInfo
    space_marks: SpaceMarks

    @classmethod
    def of(cls, name: str, files: ShardFiles, documents: Iterable[TokenizedDocument]) -> Self:
        """Describe a shard that was made of some documents."""
        marks = [document.space_marks for document in documents if document.space_marks]
        return cls(files.info(name), SpaceMarks(len(marks), sum(marks)))

    @classmethod
    def parse(cls, content: Mapping[str, Any], where: str) -> Self:
        """Read a sidecar that is not empty, as that of a shard without documents is.

        Raises:
            ValueError: a key is unknown, missing or of another type.
        """
        written: Self = build(cls, content, where)
        return written


def statistics(shards: Iterable[WrittenShard]) -> dict[str, Any]:
    """Return the content of ``stats.json``: what the texts held that the tokens cannot say."""
    marks = [shard.space_marks for shard in shards]
    return {
        "documents_with_u2581": sum(mark.documents for mark in marks),
        "u2581": sum(mark.characters for mark in marks),
    }


@dataclass(frozen=True)
class Job:
    """Everything that decides the bytes of a directory of shards.

    Raises:
        ShardError: neither bos nor eos is added, or the model has no such piece.
    """

    source: str
    runs: Sequence[str]  # what COMPLETED of each run holds: it identifies every byte of the run
    characters: int  # of all documents
    tokenizer: Tokenizer
    seed: int = 0
    add_bos: bool = True
    add_eos: bool = True

    def __post_init__(self) -> None:
        if not (self.add_bos or self.add_eos):
            raise ShardError(
                "add_bos, add_eos or both must be true, or documents have no boundaries"
            )
        bos_id, eos_id = self.tokenizer.bos_id, self.tokenizer.eos_id
        for name, is_added, special in (
            ("bos", self.add_bos, bos_id),
            ("eos", self.add_eos, eos_id),
        ):
            if is_added and special < 0:
                raise ShardError(
                    f"{self.tokenizer.path}: the model has no {name} piece; give another model, or "
                    f"set add_{name} to false"
                )

    @property
    def layout(self) -> Layout:
        """The layout that follows from the size of the source."""
        return Layout.of(self.characters, self.seed)

    def resolved(self) -> dict[str, Any]:
        """Return what is compared when interrupted work goes on."""
        return {
            "source": self.source,
            "input": sorted(self.runs),
            "tokenizer_sha256": self.tokenizer.sha256,
            "layout": asdict(self.layout),
            "add_bos": self.add_bos,
            "add_eos": self.add_eos,
        }

    def manifest(self, shards: Iterable[ShardInfo]) -> Manifest:
        """State what was written."""
        return make_manifest(
            self.source,
            self.tokenizer,
            shards,
            seed=self.seed,
            add_bos=self.add_bos,
            add_eos=self.add_eos,
            heldout_fraction=heldout_fraction(self.characters),
            config_sha256=_sha256(self.resolved()),
            input_sha256=input_sha256(self.runs),
        )


def make_manifest(
    source: str,
    tokenizer: Tokenizer,
    shards: Iterable[ShardInfo],
    *,
    seed: int = 0,
    add_bos: bool = True,
    add_eos: bool = True,
    heldout_fraction: float,
    config_sha256: str,
    input_sha256: str,
) -> Manifest:
    """Return the manifest of a source's shards, given in any order; see `Manifest`."""
    shards = sorted(shards, key=lambda shard: shard.name)
    return Manifest(
        source=source,
        tokenizer_sha256=tokenizer.sha256,
        vocab_size=tokenizer.vocab_size,
        dtype=tokenizer.dtype.name,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
        add_bos=add_bos,
        add_eos=add_eos,
        seed=seed,
        heldout_fraction=heldout_fraction,
        config_sha256=config_sha256,
        input_sha256=input_sha256,
        splits={split: total(s for s in shards if s.split == split) for split in SPLITS},
        shards=tuple(shards),
    )


def to_json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return JSON of which equal values are equal bytes."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def input_sha256(completed: Iterable[str]) -> str:
    """Hash what COMPLETED of each run holds, in any order, which stands for all of the input."""
    return _sha256(sorted(completed))


def _sha256(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return hashlib.sha256(to_json(value)).hexdigest()
