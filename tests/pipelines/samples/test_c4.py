"""The sample of C4: published files that the source reads, the same each time."""

import json
from pathlib import Path

from pipelines.__main__ import main
from pipelines.samples.c4 import BAD_WORDS, write_c4


def test_the_source_reads_the_sample(tmp_path: Path) -> None:
    """Every row is a document."""
    written = write_c4(tmp_path / "c4", tmp_path / "badwords")
    again = write_c4(tmp_path / "more", tmp_path / "more")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    assert (tmp_path / "badwords" / "en").read_text().split("\n")[:-1] == list(BAD_WORDS)
    run = tmp_path / "run"
    command = ["c4", "--quiet", "--run", str(run), "--input", f"{tmp_path}/c4/*.json.gz"]
    assert main(command) == 0
    statistics = json.loads((run / "stats.json").read_text())
    assert statistics["documents"] == statistics["records_read"] == 9
    assert "bad_timestamp" not in statistics["notes"]
