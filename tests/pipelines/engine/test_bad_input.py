"""Whatever is wrong with the inputs or the options: one line that says what to do, exit code 1."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.commands.flags import COMPLETE_WITH_LOSSES
from pipelines.engine import documents
from tests.pipelines.github.github_export import content, curate, texts, write_tables
from tests.pipelines.readers.exports import export

REPOSITORY = Path(__file__).parents[3]
LOCAL = "--runner=DirectRunner"


def _error(capsys: pytest.CaptureFixture[str], run: Path, inputs: list[str], *flags: str) -> str:
    """Give a command that must fail; return its one line."""
    code = curate(run, inputs, *flags)
    message = capsys.readouterr().err.rstrip("\n")
    assert code == 1
    assert message.startswith("error: ")
    assert "\n" not in message
    assert not (run / "COMPLETED").exists()
    assert not list(run.rglob(".tmp-*"))
    return message


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Return the paths of the tables."""
    return write_tables(tmp_path / "in")


@pytest.mark.parametrize(
    ("pattern", "message"), [("lost.parquet", "no such file"), ("lost*", "no file matches")]
)
def test_an_input_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pattern: str, message: str
) -> None:
    """A file, or a glob that matches nothing; no run directory is made."""
    path = str(tmp_path / pattern)
    error = _error(capsys, tmp_path / "run", [path])
    assert f"{message}: {path}. Give --input" in error
    assert not (tmp_path / "run").exists()


def test_a_missing_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without licences nothing is permissive: it is better to say so at once."""
    inputs = [path for path in write_tables(tmp_path / "in") if "licenses" not in path]
    assert "no licenses table" in _error(capsys, tmp_path / "run", inputs)


def test_one_truncated_file_is_borne_and_named(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The default budget is one file; the exit code says that one is lost, the last lines which.

    A budget that the user gives makes it a success.
    """
    damaged = Path(inputs[1])  # the second shard of contents
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert curate(tmp_path / "run", inputs) == COMPLETE_WITH_LOSSES
    assert texts(tmp_path / "run")
    assert damaged.name in (tmp_path / "run" / "stats.json").read_text()
    told = capsys.readouterr().err.splitlines()
    assert told[-2].startswith(f"not read: {damaged.name}: the Parquet footer is damaged")
    assert told[-1] == "1 input file is missing from the run"
    assert curate(tmp_path / "run", inputs, "--max-failed-files", "1") == 0


def test_inputs_of_which_none_can_be_read_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the budget."""
    wet = tmp_path / "plain.warc.wet.gz"
    wet.write_text("no record\n")
    arguments = ["c4", "--wet", str(wet), "--variant", "en.noclean", "--run", str(tmp_path / "run")]
    assert main([*arguments, "--max-failed-files", "9"]) == 1
    assert f"no input can be read: {wet}" in capsys.readouterr().err
    assert not (tmp_path / "run" / "COMPLETED").exists()


def test_more_unreadable_files_than_the_budget_end_the_run(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says how many, why, and the way out."""
    damaged = Path(inputs[1])
    damaged.write_bytes(damaged.read_bytes()[:-100])
    error = _error(capsys, tmp_path / "run", inputs, "--max-failed-files", "0")
    assert "1 of 6 inputs cannot be read, and 0 may fail" in error
    assert "raise --max-failed-files" in error


def test_lines_that_are_garbage_alone_are_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name says `files`, and none of its lines says more."""
    path = tmp_path / "files-000000000000.json"
    path.write_bytes(b"\xff\xfe\x00 garbage\n{]\n")
    assert "no contents and no licenses table" in _error(capsys, tmp_path / "run", [str(path)])


def test_a_run_of_another_configuration_is_not_mixed_with_this_one(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the difference and the way out; the run stays as it is."""
    run = tmp_path / "run"
    assert curate(run, inputs) == 0
    before = content(run)
    assert curate(run, inputs, "--max-line-length", "500") == 1
    error = capsys.readouterr().err
    assert "config.max_line_length: 1000 there, 500 here" in error
    assert "name a new directory with --run" in error
    assert content(run) == before


def test_inputs_that_changed_are_another_configuration(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of another size since the run began."""
    assert curate(tmp_path / "run", inputs) == 0
    licenses = [{"repo_name": f"a/{i}", "license": "mit"} for i in range(100)]
    changed = next(path for path in inputs if "licenses" in path)
    Path(changed).write_bytes(export(licenses, "parquet").getvalue())
    assert curate(tmp_path / "run", inputs) == 1
    assert f"config.input.{changed}.bytes: " in capsys.readouterr().err


def test_an_input_that_was_replaced_by_one_of_the_same_size_is_noticed(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the time of its last change; stores tell it by their versions."""
    assert curate(tmp_path / "run", inputs) == 0
    (tmp_path / "run" / "COMPLETED").unlink()
    Path(inputs[0]).write_bytes(Path(inputs[0]).read_bytes())
    assert curate(tmp_path / "run", inputs) == 1
    assert f"config.input.{inputs[0]}.version: " in capsys.readouterr().err


def test_a_directory_that_is_no_run_is_not_written_to(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's files are there."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    error = _error(capsys, tmp_path / "run", inputs)
    assert "is not empty and not a run directory" in error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("method", ["write", "write_table", "close"])
def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path,
    inputs: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    """And the same command goes on when there is space again."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(documents.ParquetSink, method, full)
        error = _error(capsys, tmp_path / "run", inputs)
    assert "no space left while writing to" in error
    assert curate(tmp_path / "run", inputs) == 0


@pytest.mark.parametrize("value", ["foo", "sample", "sample:0", "sample:2", "all:1"])
def test_a_policy_for_rejects_that_is_none_is_refused(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """Before anything is made."""
    error = _error(capsys, tmp_path / "run", inputs, f"--rejects={value}")
    assert f"--rejects={value}: give all, ids, none, or sample:F" in error
    assert not (tmp_path / "run").exists()


def test_an_unknown_flag_names_the_nearest(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Most unknown flags are misspelt."""
    error = _error(capsys, tmp_path / "run", inputs, "--rejcts=none")
    assert "unknown flag --rejcts" in error
    assert "Did you mean '--rejects'?" in error


def test_an_unknown_beam_flag_names_the_nearest(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Beam itself ignores it."""
    error = _error(capsys, tmp_path / "run", inputs, "--", LOCAL, "--direct_num_wrkers=2")
    assert "unknown Beam flag --direct_num_wrkers" in error
    assert "Did you mean 'direct_num_workers'?" in error


def test_beam_flags_without_a_runner_are_refused(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody would know where the job runs."""
    error = _error(capsys, tmp_path / "run", inputs, "--", "--direct_num_workers=2")
    assert "--runner=... is not among them" in error


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stage_that_keeps_nothing_is_an_error(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    """The stage, the reasons, and how to look at them; --allow-empty accepts it."""
    flags = ("--licenses", "isc", "--workers", workers)
    error = _error(capsys, tmp_path / "run", inputs, *flags)
    assert "stage github.license kept none of 13 documents (license_not_allowed 12" in error
    assert "inspect" in error
    assert curate(tmp_path / "run", inputs, *flags, "--allow-empty") == 0


def test_no_worker_is_refused(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """There is at least one."""
    assert "--workers 0: give a number from 1 on" in _error(
        capsys, tmp_path / "run", inputs, "--workers", "0"
    )


def test_a_run_directory_that_cannot_be_made_is_named(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file is in its way."""
    (tmp_path / "run").write_text("a file")
    assert curate(tmp_path / "run", inputs) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert str(tmp_path / "run") in error


def test_the_command_line_exits_with_one_and_no_traceback(tmp_path: Path) -> None:
    """As a shell sees it."""
    command = [sys.executable, "-m", "pipelines", "github", "--input", str(tmp_path / "lost")]
    done = subprocess.run(
        [*command, "--run", str(tmp_path / "run")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING:")]
    assert len(lines) == 1
    assert lines[0].startswith("error: no such file: ")


def test_inspecting_no_run_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no configuration."""
    assert main(["inspect", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} is not a run directory")
