"""One machine: workers, what they do to a run when they fail, and what they may not change."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine import pool
from pipelines.engine.documents import read_rows
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.ledger import Ledger
from pipelines.engine.passes import Converter
from pipelines.engine.runs import Run
from tests.pipelines.engine import toy

LOCAL_BEAM = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
)
QUIET = Launch(workers=2, progress=False)
TEXTS = ["one\nof\nthree\n", "three\nfour\n", "ab\none\nfive\n", "\xe9\n", "sixth\n"]


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Write five files, of which one is not UTF-8."""
    files = []
    for number, text in enumerate(TEXTS):
        files.append(tmp_path / f"in-{number}.txt")
        files[-1].write_bytes(text.encode("latin-1"))
    return files


def run(folder: Path, inputs: list[Path], launch: Launch = QUIET) -> Ledger:
    """Run the toy source."""
    config = toy.ToyConfig(tuple(map(str, inputs)))
    return run_source(toy.TOY, config, str(folder), launch)


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of a run whose bytes must not change."""
    names = ("documents/*", "rejects/*", "manifest.json", "stats.json", "COMPLETED")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in names
        for path in sorted(folder.glob(name))
    }


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the documents or the rejects."""
    found = []
    for path in sorted((folder / name).glob("*.parquet")):
        with path.open("rb") as stream:
            found += list(read_rows(stream))
    return found


def test_a_toy_source_keeps_each_line_once_and_accounts_for_all(
    tmp_path: Path, inputs: list[Path]
) -> None:
    """Several files in a unit; bad records are named by their own file and row."""
    ledger = run(tmp_path / "run", inputs)
    kept = [row["text"] for row in rows(tmp_path / "run", "documents")]
    assert kept == ["one", "three", "four", "five", "sixth"]
    rejects = {row["id"]: row["reason"] for row in rows(tmp_path / "run", "rejects")}
    assert rejects == {
        "toy:in-0.txt:1": "too_short",
        "toy:in-1.txt:0": "duplicate",
        "toy:in-2.txt:0": "too_short",
        "toy:in-2.txt:1": "duplicate",
        "toy:in-3.txt:0": "failed:UnicodeDecodeError",
    }
    assert ledger.imbalance() == 0
    assert (ledger.records_read, ledger.documents) == (10, 5)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left.isdisjoint({"claims", "verdicts", "attempts", "staged"})


@pytest.mark.parametrize(
    "launch",
    [
        Launch(workers=1, progress=False),
        Launch(workers=4, progress=False),
        Launch(beam_flags=LOCAL_BEAM, progress=False),
    ],
)
def test_the_bytes_do_not_depend_on_who_works(
    tmp_path: Path, inputs: list[Path], launch: Launch
) -> None:
    """Nor on the order in which inputs are named."""
    run(tmp_path / "two", inputs)
    run(tmp_path / "other", inputs[::-1], launch)
    assert content(tmp_path / "other") == content(tmp_path / "two")


TOY_CONVERTER = toy.converter


def _stopping_at(text: bytes, how: Any) -> Any:
    """Return a converter that does something else at one line."""

    def converter(*told: Any) -> Converter:
        convert = TOY_CONVERTER(*told)

        def call(line: toy.Line) -> Any:
            if line.text == text:
                how()
            return convert(line)

        return call

    return converter


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes the toy source stop at a line of text."""

    def at(text: bytes, how: Any) -> None:
        monkeypatch.setattr(toy, "converter", _stopping_at(text, how))

    return at


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_unit_that_kills_its_worker_twice_is_set_aside_by_name(
    tmp_path: Path, inputs: list[Path], stopping: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """It counts as failed files within the budget, and the others are written."""
    stopping(b"four", _die)
    with pytest.raises(RunError, match="2 of 5 inputs cannot be read, and 1 may fail: it killed"):
        run(tmp_path / "run", inputs)
    assert "00000-in-0.txt has killed 2 workers: it is set aside" in capfd.readouterr().err
    stats_before = (tmp_path / "run" / "units" / "00000-in-0.txt.json").read_text()
    assert "exit code -9" in stats_before
    launch = Launch(workers=2, progress=False, max_failed_files=2)
    assert run(tmp_path / "run", inputs, launch).documents == 3
    stats = Run(str(tmp_path / "run")).stats()
    assert sorted(stats["failed_files"]) == [str(inputs[0]), str(inputs[1])]


def test_a_worker_that_dies_once_changes_nothing(
    tmp_path: Path, inputs: list[Path], stopping: Any
) -> None:
    """Its unit is tried again, by another worker."""
    run(tmp_path / "whole", inputs)
    mark = tmp_path / "died"

    def die_once() -> None:
        if not mark.exists():
            mark.touch()
            _die()

    stopping(b"five", die_once)
    run(tmp_path / "run", inputs)
    assert mark.exists()
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(24, "Too many open files", "x"), "Too many open files"),
        (ImportError("no module named lid"), "no module named lid"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_what_the_machine_lacks_ends_the_run_and_rejects_nothing(
    tmp_path: Path, inputs: list[Path], error: Exception, line: str
) -> None:
    """The unit is not committed, and the same command on a better machine gives the same bytes."""

    def fail() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy, "converter", _stopping_at(b"sixth", fail))
        with pytest.raises(RunError, match=line):
            run(tmp_path / "run", inputs)
    assert not (tmp_path / "run" / "COMPLETED").exists()
    run(tmp_path / "run", inputs)
    run(tmp_path / "whole", inputs)
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_a_reader_that_raises_makes_its_file_fail_and_no_other(
    tmp_path: Path, inputs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other file of its unit is read; the line names the file, the record and the error."""
    original = toy.records

    def records(*told: Any) -> Iterator[toy.Line]:
        for line in original(*told):
            if line.text == b"three" and line.path == "in-1.txt":
                raise ZeroDivisionError("odd")
            yield line

    monkeypatch.setattr(toy, "records", records)
    ledger = run(tmp_path / "run", inputs)
    failed = Run(str(tmp_path / "run")).stats()["failed_files"]
    assert list(failed) == [str(inputs[1])]
    assert failed[str(inputs[1])].endswith("after record -1 (ZeroDivisionError: odd)")
    assert (ledger.documents, ledger.imbalance()) == (4, 0)


def test_a_defect_is_one_line_that_names_the_unit_and_the_log(
    tmp_path: Path, inputs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is in the log, which stays."""

    def broken(*_: Any) -> None:
        raise KeyError("meta")

    monkeypatch.setattr(pool, "perform", broken)
    with pytest.raises(RunError, match=r"00.*KeyError.*a defect; please report it with") as raised:
        run(tmp_path / "run", inputs)
    log = Path(str(raised.value).rsplit(" ", 1)[1])
    assert "Traceback" in log.read_text()


def test_the_toy_source_is_the_one_of_the_docs_and_short() -> None:
    """Who follows docs/architecture.md gets a source that runs."""
    code = Path(toy.__file__).read_text("utf-8")
    code = code[code.index("@dataclass") :].strip()
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text("utf-8")
    assert f"```python\n{code}\n```" in page
    assert len([line for line in code.splitlines() if line]) < 40


def test_a_quiet_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    """Start-up is a large part of a small run: no terminal, no Avro, no tokenizer."""
    row = {"repo_name": "a/b", "path": "c.py", "license": "mit", "content": "x = 1\n" * 20}
    (tmp_path / "joined-0.json").write_text(json.dumps(row))
    words = ["github", "--input", str(tmp_path / "joined-0.json"), "--run", str(tmp_path / "run")]
    unwanted = ["apache_beam", "rich.console", "fastavro", "sentencepiece", "tokenizer.model"]
    code = (
        "import sys; from pipelines.__main__ import main; "
        f"assert main({[*words, '--quiet']!r}) == 0; "
        f"print([name for name in {unwanted!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_beam_is_not_imported_to_run_on_one_machine(tmp_path: Path) -> None:
    """It takes a second, which a small run would feel."""
    code = (
        "import sys; from pipelines.__main__ import main; "
        f"main(['inspect', {str(tmp_path)!r}]); "
        "sys.exit('apache_beam' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0
