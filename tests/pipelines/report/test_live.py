"""``stats`` shows the progress and the funnel of a run from its directory alone."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.__main__ import main
from pipelines.engine import passes
from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from pipelines.joins import settle
from pipelines.report import live
from pipelines.report.live import Watch, show
from pipelines.storage import files as storage
from tests.pipelines.commoncrawl.crawl import files, write_crawl, write_models
from tests.pipelines.engine.cut_off import failing_after
from tests.pipelines.storage.s3_server import BUCKET, serving_s3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the models once."""
    return write_models(tmp_path_factory.mktemp("models"))


def curate(run: Path, inputs: list[str], models: Path) -> int:
    """Run the source."""
    command = ["commoncrawl", "--run", str(run), "--quiet", "--models", str(models)]
    return main([*command, "--langid", str(models / "lid.bin"), "--input", *inputs])


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Write the crawl."""
    return write_crawl(tmp_path / "in", files())


def test_an_interrupted_run_tells_how_far_it_came(
    tmp_path: Path,
    inputs: list[str],
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Units that claimed, that wait, that are committed; and the counts of the last two."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(passes, "write_unit", failing_after(2, passes.write_unit, tmp_path / "done"))
        assert curate(run, inputs, models) == 1
    capsys.readouterr()
    assert main(["stats", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "units committed: 0, 0.0 of" in shown
    assert "units whose documents wait for a decision: 2" in shown
    assert "units that claimed paragraphs: 3" in shown
    assert "nothing works on it now" in shown
    watch = Watch(Run(str(run)))
    watch.look()
    assert watch.ledger.records_read == 7
    assert watch.ledger.imbalance() == 0
    with monkeypatch.context() as patch:
        done = tmp_path / "settled"
        patch.setattr(settle, "settle_unit", failing_after(1, settle.settle_unit, done))
        assert curate(run, inputs, models) == 1
    watch.look()
    assert (watch.committed, watch.waiting) == (1, 2)
    assert watch.ledger.records_read == 9


def test_only_new_sidecars_are_read(
    tmp_path: Path, inputs: list[str], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a run in which nothing happened reads none."""
    run = tmp_path / "run"
    assert curate(run, inputs, models) == 0
    watch = Watch(Run(str(run)))
    moved = tmp_path / "away.json"
    last = max((run / "units").glob("*.json"))
    shutil.move(last, moved)
    watch.look()
    assert watch.sidecars_read == 2
    shutil.move(moved, last)
    watch.look()
    assert watch.sidecars_read == 3
    monkeypatch.setattr(Run, "read_json", None)
    watch.look()
    assert watch.sidecars_read == 3


def test_the_sum_of_the_sidecars_is_the_table_of_the_run(
    tmp_path: Path, inputs: list[str], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the stages in the order of the source."""
    run = tmp_path / "run"
    assert curate(run, inputs, models) == 0
    watch = Watch(Run(str(run)))
    watch.look()
    stats = Run(str(run)).stats()
    assert watch.ledger.to_json() == Ledger.from_json(stats).to_json()
    assert main(["stats", str(run), "--live"]) == 0  # without a terminal: once
    shown = capsys.readouterr().out
    assert "complete\n" in shown
    assert "(100 %)" in shown


def test_live_goes_on_until_the_run_is_complete(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """On a terminal; then it ends by itself."""
    run = tmp_path / "run"
    assert curate(run, inputs, models) == 0
    completed = (run / "COMPLETED").read_bytes()
    (run / "COMPLETED").unlink()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            (run / "COMPLETED").write_bytes(completed)

    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    assert show(str(run), live=True, console=console, sleep=sleep) == 0
    assert len(waits) == 2
    assert all(seconds >= live.POLL_SECONDS for seconds in waits)


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    assert main(["stats", str(tmp_path)]) == 1
    assert "is not a run directory" in capsys.readouterr().err


def test_a_run_in_a_store_is_watched_by_listing(
    tmp_path: Path, inputs: list[str], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory alone tells, as where a cluster works on it."""
    run = tmp_path / "run"
    assert curate(run, inputs, models) == 0
    local = Watch(Run(str(run)))
    local.look()
    with serving_s3(monkeypatch):
        remote = Run(f"s3://{BUCKET}/run")
        for path in sorted(run.rglob("*")):
            if path.is_file() and path.name != "COMPLETED":
                storage.write_bytes(remote.at(*path.relative_to(run).parts), path.read_bytes())
        storage.write_bytes(remote.at("claims", "paragraphs", "00000-a.claims"), b"")
        watch = Watch(remote)
        watch.look()
        assert watch.ledger.to_json() == local.ledger.to_json()
        assert watch.claims == {"paragraphs": 1}
        assert (watch.committed, watch.completed) == (3, False)
