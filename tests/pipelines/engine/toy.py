"""The toy source of docs/architecture.md: lines of text files, each kept once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document
from pipelines.engine.passes import Converter, Notes, Write
from pipelines.engine.plan import Inputs
from pipelines.engine.settings import setting
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Keep
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit, many_per_unit
from pipelines.joins.claims import digest_key
from pipelines.joins.settle import Settle
from pipelines.storage import files as storage


@dataclass(frozen=True)
class ToyConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(help="text files")
    min_chars: int = setting(3, help="characters of a line, at least")
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")


class Line(NamedTuple):
    """A record: a line of a file."""

    row: int
    path: str
    text: bytes


def find(config: ToyConfig) -> Inputs:
    """Put two files into each unit."""
    files = storage.find_inputs(config.input)
    return Inputs(many_per_unit(files, "lines", max_files=2, max_bytes=10**9))


def records(_unit: Unit, part: Part, _notes: Notes) -> Iterator[Line]:
    """Yield the lines of a file."""
    with storage.open_input(part.path) as stream:
        for row, line in enumerate(stream):
            yield Line(row, storage.basename(part.path), line.rstrip(b"\n"))


def converter(_unit: Unit, _verdicts: Verdicts, _notes: Notes) -> Converter:
    """Return the function that makes a document of a line."""
    return lambda line: Document(
        f"toy:{line.path}:{line.row}", "toy", line.text.decode(), meta={"copies": 1}, row=line.row
    )


def check_length(text: str) -> Verdict:
    """Drop short lines."""
    return KEEP if len(text) >= 3 else drop("too_short")


def text_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a line on being the only one of its text."""
    return {
        "claim_key": digest_key(document.text),
        "claim_rank": document.id.encode(),
        "claim_count": 1,
    }


def phases(_config: ToyConfig, _units: Sequence[Unit]) -> list[Phase]:
    """Keep long lines, and each once."""
    meet = Settle("toy.duplicate", "duplicate", text_claim)
    long_enough = Keep("toy.length", check_length)
    return [
        Write(
            "read", records, converter, lambda _unit, _verdicts: [long_enough], staged=meet.staged
        ),
        meet,
    ]


TOY = Source("toy", ToyConfig, find, phases)
