"""The dataset card of a run: ``README.md`` in its directory.

Its first lines tell ``datasets.load_dataset(RUN)`` which Parquet files are the documents and which
the rejects (the format of the Hugging Face Hub's cards); the rest tells a reader what the run is.
"""

from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from pipelines.storage import files as storage

NAME = "README.md"
_HEAD = """---
configs:
- config_name: documents
  default: true
  data_files: documents/*.parquet
"""
_REJECTS = """- config_name: rejects
  data_files: rejects/*.parquet
"""


def write_card(run: Run, ledger: Ledger, *, rejects: bool) -> None:
    """Write the card of a run that is about to be complete.

    Args:
        run: the run directory.
        ledger: the conservation table of the run.
        rejects: whether the run has files of rejects.
    """
    rows = [
        f"| {name} | {tally.documents_in:,} | {tally.documents_out:,} | "
        f"{', '.join(f'{reason} {n:,}' for reason, n in tally.rejected.most_common())} |"
        for name, tally in ledger.stages.items()
    ]
    text = f"""{_HEAD}{_REJECTS if rejects else ""}---
# {run.source}: {ledger.documents:,} documents

A run of Corpusmill's source `{run.source}`: {ledger.records_read:,} records were read,
{ledger.documents:,} documents with {ledger.characters:,} characters were kept, and
{ledger.rejected:,} were rejected.

| stage | documents in | documents out | rejected |
|---|---|---|---|
{chr(10).join(rows)}

`documents/` and `rejects/` have the same columns; rejects also have `stage`, `reason` and `detail`.
An `id` is unique among the documents, but a reject may have the id of a document, such as a copy of
it: tell them apart by `stage`. `config.json` holds the settings, `stats.json` the table above, and
`manifest.json` the SHA-256 of every file.
"""
    storage.write_bytes(run.at(NAME), text.encode())
