"""The toy source of docs/architecture.md, which shows it without annotations, for its readers."""

from dataclasses import dataclass
from typing import NamedTuple

from filters.verdict import KEEP, drop
from pipelines.engine.documents import Document
from pipelines.engine.passes import Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Source
from pipelines.engine.stages import Keep
from pipelines.engine.units import many_per_unit
from pipelines.joins.claims import digest_key
from pipelines.joins.settle import Settle
from pipelines.storage import files as storage
from tokenizer.settings import setting


@dataclass(frozen=True)
class ToyConfig:
    input: tuple[str, ...] = setting(help="text files")
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")


class Line(NamedTuple):
    row: int
    path: str
    text: bytes


def find(config):
    files = storage.find_inputs(config.input)
    return Inputs(many_per_unit(files, "lines", max_files=2, max_bytes=10**9))


def records(unit, part, notes):
    with storage.open_input(part.path) as stream:
        for row, line in enumerate(stream):
            yield Line(row, storage.basename(part.path), line.rstrip(b"\n"))


def converter(unit, verdicts, notes):
    return lambda line: Document(
        f"toy:{line.path}:{line.row}", "toy", line.text.decode(), row=line.row, meta={"copies": 1}
    )


def check_length(text):
    return KEEP if len(text) >= 3 else drop("too_short")


def stages(unit, verdicts):
    return [Keep("toy.length", check_length)]


def text_claim(document):
    rank = document.id.encode()
    return {"claim_key": digest_key(document.text), "claim_rank": rank, "claim_count": 1}


def phases(config, units):
    meet = Settle("toy.duplicate", "duplicate", text_claim)
    return [Write("read", records, converter, stages, staged=meet.staged), meet]


TOY = Source("toy", ToyConfig, find, phases)
