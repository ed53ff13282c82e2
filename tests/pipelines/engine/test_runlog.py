"""What a run says of itself beside its output: the log of its launches, and the dataset card."""

import re
from pathlib import Path

import pytest

from pipelines.engine.errors import RunError
from pipelines.engine.runlog import RunLog
from pipelines.engine.runs import Run
from pipelines.storage import files as storage
from tests.pipelines.github.github_export import curate, write_tables


def test_every_launch_is_in_the_log(tmp_path: Path) -> None:
    """The command, the file that could not be read, and how it ended, each with its date."""
    inputs = write_tables(tmp_path / "in")
    Path(inputs[1]).write_bytes(b"PAR1")
    assert curate(tmp_path / "run", inputs, "--max-failed-files", "0") == 1
    assert curate(tmp_path / "run", inputs, "--max-failed-files", "1") == 0
    lines = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines)
    told = [line.split(" ", 1)[1] for line in lines]
    assert [line.split(":")[0] for line in told if line.startswith("command")] == ["command"] * 2
    assert any(line.startswith("ended by RunError: 1 of 6 inputs cannot be read") for line in told)
    assert any(line.startswith("not read: contents-000000000001.parquet") for line in told)
    assert re.fullmatch(r"complete after [\d.]+ s", told[-1])


def test_the_log_of_a_run_on_a_store_grows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a file is written whole, so the lines are added when the launch ends."""
    monkeypatch.setattr("pipelines.engine.runlog.storage.is_local", lambda _path: False)
    for word in ("first", "second"):
        with RunLog(Run(str(tmp_path))) as log:
            log.say(f"{word}\nline")
    told = (tmp_path / "log.txt").read_text()
    assert told.index("first line") < told.index("second line")


def test_a_log_that_cannot_be_written_hides_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is gone ends the block, and then takes no log either."""

    def gone(_path: str, _content: bytes) -> None:
        raise storage.StoreError("no answer")

    monkeypatch.setattr("pipelines.engine.runlog.storage.is_local", lambda _path: False)
    monkeypatch.setattr("pipelines.engine.runlog.storage.write_bytes", gone)
    with pytest.raises(RunError, match="the reason"), RunLog(Run(str(tmp_path))):
        raise RunError("the reason")
    with pytest.raises(storage.StoreError), RunLog(Run(str(tmp_path))):
        pass


def test_a_run_opens_as_a_dataset(tmp_path: Path) -> None:
    """Its card tells which files are the documents; `datasets` is not among the requirements."""
    datasets = pytest.importorskip("datasets")
    assert curate(tmp_path / "run", write_tables(tmp_path / "in")) == 0
    found = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert len(found) == Run(str(tmp_path / "run")).manifest.documents


def test_the_card_has_the_numbers_of_the_run(tmp_path: Path) -> None:
    """Every stage with what came in and went out."""
    assert curate(tmp_path / "run", write_tables(tmp_path / "in")) == 0
    card = (tmp_path / "run" / "README.md").read_text()
    stats = Run(str(tmp_path / "run")).stats()
    assert card.startswith("---\nconfigs:\n- config_name: documents\n")
    assert f"# github: {stats['documents']:,} documents" in card
    for stage in stats["stages"]:
        row = f"| {stage['stage']} | {stage['documents_in']:,} | {stage['documents_out']:,} |"
        assert row in card
