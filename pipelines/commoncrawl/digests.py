"""Pages with equal digests, within a run and across earlier runs.

The rules are docs/rules/web.md 8.2, item 7, and docs/rules/web.md 10.3.
"""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.engine.documents import KEY_BYTES, Document, read_rows
from pipelines.engine.runs import open_completed
from pipelines.joins.claims import digest_key
from pipelines.storage import files as storage


def rank_of(position: int, *parts: str) -> bytes:
    """Return the rank of a page among pages of equal digest: by run, then by dump and id."""
    return "\0".join([f"{position:04d}", *parts]).encode()


def staged_claim(document: Document, *, position: int) -> dict[str, Any]:
    """Return the claim of a page on its digest, or on its text if it has none."""
    meta = document.meta
    digest = meta["digest"]
    return {
        "claim_key": digest_key("digest", digest) if digest else digest_key("text", document.text),
        "claim_rank": rank_of(position, meta["dump"], document.id),
        "claim_count": 1,
    }


def earlier_runs(after: Sequence[str]) -> dict[str, Any]:
    """Return the SHA-256 of the earlier runs' manifests, for the run's configuration."""
    completed = [open_completed(path).at("COMPLETED") for path in after]
    return {"after_completed": [storage.read_bytes(path).decode().strip() for path in completed]}


def earlier_files(after: Sequence[str]) -> list[tuple[str, str]]:
    """Return the document files of earlier runs, each with the number of its run."""
    return [
        (run.at(file["path"]), f"{position:04d}")
        for position, path in enumerate(after)
        for run in [open_completed(path)]
        for file in run.read_json("manifest.json")["files"]
        if file["path"].startswith("documents/")
    ]


def earlier_digests(path: str, position: str) -> pa.Table:
    """Return the claims of the documents in a file of an earlier run."""
    keys, ranks = [], []
    with storage.open_input(path) as stream:
        for row in read_rows(stream, ["id", "meta"]):
            if digest := json.loads(row["meta"])["digest"]:
                keys.append(digest_key("digest", digest))
                ranks.append(rank_of(int(position), row["id"]))
    return pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array([1] * len(keys), pa.int64()),
        }
    )


def document_id(rank: bytes) -> str:
    """Return the document id at the end of a rank."""
    return rank.rpartition(b"\0")[2].decode()
