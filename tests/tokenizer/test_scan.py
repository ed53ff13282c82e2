"""One reading of a file of ids answers what a reader of the whole file would say."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tokenizer import scan

DTYPE = np.dtype("<u2")


@pytest.mark.parametrize("chunk_bytes", [2, 6, 64, 1 << 18])
def test_chunks_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    """Documents begin and end anywhere in a chunk, and some are longer than one."""
    monkeypatch.setattr(scan, "CHUNK_BYTES", chunk_bytes)
    ids = np.random.default_rng(0).integers(0, 9, 100).astype(DTYPE)
    lengths = np.array([1, 1, 40, 3, 7, 1, 47])
    path = tmp_path / "ids.bin"
    path.write_bytes(ids.tobytes())
    found = scan.scan_tokens(path, DTYPE, lengths, {1, 2, 100})
    assert found.sha256 == hashlib.sha256(ids.tobytes()).hexdigest()
    assert (found.bytes, found.highest) == (200, 8)
    assert found.counts == {1: list(ids).count(1), 2: list(ids).count(2), 100: 0}
    assert found.first.tolist() == ids[[0, 1, 2, 42, 45, 52, 53]].tolist()
    assert found.last.tolist() == ids[[0, 1, 41, 44, 51, 52, 99]].tolist()


@pytest.mark.parametrize(("content", "highest"), [(b"", -1), (b"\x01", -1), (b"\x05\x00\x07", 5)])
def test_a_file_that_is_too_short(tmp_path: Path, content: bytes, highest: int) -> None:
    """Its hash and size say so; a part of an id is none."""
    path = tmp_path / "ids.bin"
    path.write_bytes(content)
    found = scan.scan_tokens(path, DTYPE, np.array([1, 3]), {0})
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.bytes, found.highest) == (len(content), highest)
    assert (found.first.tolist(), found.last.tolist()) == (
        [max(highest, 0), 0],
        [max(highest, 0), 0],
    )
