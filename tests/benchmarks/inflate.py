"""Repeat a GitHub export under new repository names, to make inputs of any size."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def inflate(source: Path, target: Path, copies: int) -> int:
    """Write ``copies`` copies of the export, each with repositories, blobs and texts of its own.

    Args:
        source: a directory with Parquet tables of ``github_repos``.
        target: where the copies go, one set of files each.
        copies: how many.

    Returns:
        bytes of text written.
    """
    target.mkdir(parents=True, exist_ok=True)
    text_bytes = 0
    for path in sorted(source.glob("*.parquet")):
        table = pq.read_table(path)
        for number in range(copies):
            copy = table
            for column in ("repo_name", "sample_repo_name"):
                if column in copy.column_names:
                    copy = _set(
                        copy, column, pc.binary_join_element_wise(copy[column], str(number), "-")
                    )
            if "id" in copy.column_names:
                ids = [
                    hashlib.sha1(f"{number} {i}".encode(), usedforsecurity=False).hexdigest()
                    for i in copy["id"].to_pylist()
                ]
                copy = _set(copy, "id", pa.array(ids))
            if "content" in copy.column_names:
                # A last line of its own, so that cleaned texts differ between copies.
                ending = f"\n# copy {number}\n"
                texts = pc.binary_join_element_wise(copy["content"], ending, "")
                copy = _set(copy, "content", texts)
                text_bytes += pc.sum(pc.binary_length(texts)).as_py() or 0
            pq.write_table(copy, target / f"{path.stem}-{number:03d}.parquet", compression="zstd")
    return text_bytes


def _set(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    index = table.column_names.index(column)
    return table.set_column(index, table.schema.field(column).with_type(values.type), values)
