"""Run a decision as the engine does: claims to files, files to groups, verdicts to units."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.engine.claim_files import Block, ClaimsFile, pack_blocks, unpack_blocks, write_claims


def decide(
    folder: Path,
    claims: Mapping[str, pa.Table],
    decision: Callable[[Sequence[Block]], Iterator[tuple[str, bytes]]],
    buckets: int = 1,
) -> dict[str, list[bytes]]:
    """Return the verdicts of each unit, whose claims arrive in any order."""
    held: dict[int, list[bytes]] = {}
    for unit, table in claims.items():
        path = str(folder / unit)
        write_claims(path, unit, f"order {unit}", [table])
        for bucket, block in ClaimsFile.open(path).blocks(buckets):
            held.setdefault(bucket, []).append(pack_blocks([block]))
    verdicts: dict[str, list[bytes]] = {unit: [] for unit in claims}
    for messages in held.values():
        random.Random(len(messages)).shuffle(messages)
        for unit, verdict in decision(unpack_blocks(messages)):
            verdicts[unit].append(verdict)
    return verdicts


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return verdicts by unit and row."""
    return sorted(table.to_pylist(), key=lambda row: (row["unit"], row["row"]))
