"""Texts of a run directory: what it kept, what it rejected, or both.

Rejects have a text where the run was made with ``--rejects=all``: the one that the stage saw which
rejected it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.corpus import CorpusError, Text, files_of_run
from tokenizer.directory import is_written, write_directory
from tokenizer.files import sha256_of
from tokenizer.model import Tokenizer
from tokenizer.runs import read_batches
from tokenizer.shards import (
    TokenizedDocument,
    heldout_threshold,
    in_shard_order,
    placement,
    tokenize_document,
)

PARTS: Final = {
    "documents": ("documents",),
    "rejects": ("rejects",),
    "all": ("documents", "rejects"),
}


@dataclass(frozen=True, slots=True)
class RunTexts:
    """Which texts of a run are meant."""

    run: str  # the directory of a complete run
    part: str = "documents"  # or "rejects", or "all"
    lang: str = ""  # of texts in this language only; "": in all
    stages: tuple[str, ...] = ()  # of rejects: of these stages only; (): of all
    share: float = 1.0  # of the texts, by a hash of their ids


def read_run_texts(wanted: RunTexts) -> Iterator[Text]:
    """Read the texts, in the order of the run's files; rejects without a text are left out.

    Raises:
        ValueError: a share that is not within 0 to 1.
        CorpusError: no such part, a run that is not complete, files that its manifest does not
            name, or rejects that were all written without their texts.
    """
    if wanted.part not in PARTS:
        raise CorpusError(f"part = {wanted.part!r}: must be {' or '.join(PARTS)}")
    below = heldout_threshold(wanted.share)
    for folder in PARTS[wanted.part]:
        found = without = 0
        for path in files_of_run(Path(wanted.run), folder):
            try:
                for text in _read(path, wanted, rejects=folder == "rejects"):
                    found += 1
                    without += not text.text
                    if text.text and placement(0, text.id, 1).heldout_rank < below:
                        yield text
            except (OSError, pa.ArrowException) as error:
                raise CorpusError(f"{path}: cannot be read ({error})") from None
        if found and found == without:
            raise CorpusError(
                f"{wanted.run}: its {folder} have no texts: run it with --rejects=all"
            )


def tokenize_runs(
    directory: Path, wanted: Sequence[RunTexts], tokenizer: Tokenizer, heldout: float
) -> None:
    """Write texts of runs as token shards, unless these are there.

    A hash holds out the share ``heldout`` of them, and at least one. Raises as `read_run_texts`,
    and ValueError for a text that is there twice.
    """
    made = [sha256_of(Path(part.run) / "COMPLETED") for part in wanted]
    asked = [asdict(part) for part in wanted]
    settings = {"texts": asked, "runs": made, "tokenizer": tokenizer.sha256, "share": heldout}
    if is_written(directory, settings):
        return
    documents = [
        tokenize_document(tokenizer, text.id, text.text)
        for part in wanted
        for text in read_run_texts(part)
    ]
    if len(documents) < 2 and heldout < 1:
        raise CorpusError(f"{directory}: {len(documents)} texts of {', '.join(map(str, wanted))}")
    ranks = {document.id: placement(0, document.id, 1).heldout_rank for document in documents}
    below = heldout_threshold(heldout)
    last = max([min(ranks.values(), default=0), *(r for r in ranks.values() if r < below)])
    splits: dict[str, list[TokenizedDocument]] = {"heldout": [], "train": []}
    for document in documents:
        splits["heldout" if ranks[document.id] <= last else "train"].append(document)
    ordered = {split: in_shard_order(part, 0) for split, part in splits.items()}
    write_directory(directory, ordered, tokenizer, settings=settings, heldout_fraction=heldout)


def _read(path: Path, wanted: RunTexts, *, rejects: bool) -> Iterator[Text]:
    """Read the rows of a file that are in the language, and of the stages."""
    columns = ["id", "source", "text", "lang", *(["stage"] if rejects else [])]
    for batch in read_batches(path, columns):
        rows = batch
        if wanted.lang:
            rows = rows.filter(pc.equal(rows["lang"], wanted.lang))
        if rejects and wanted.stages:
            rows = rows.filter(pc.is_in(rows["stage"], pa.array(wanted.stages)))
        for row in rows.to_pylist():
            yield Text(row["id"], row["source"], row["text"] or "")
