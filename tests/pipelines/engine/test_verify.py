"""A damaged run directory and the command line: told by name, and repaired as told (F4)."""

import shutil
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.commands.flags import COMPLETE_WITH_LOSSES
from pipelines.engine.verify import verify
from pipelines.samples.github import write_github_export

DOCUMENTS = "documents/00000-contents-000000000000.parquet"


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with inputs and a complete run of them."""
    folder = tmp_path_factory.mktemp("complete")
    write_github_export(folder / "in", megabytes=1.0)
    assert curate(folder, folder / "run") == 0
    return folder


def curate(folder: Path, run: Path) -> int:
    """Run the pipeline of GitHub."""
    return main(["github", "--input", str(folder / "in"), "--run", str(run), "--quiet"])


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_unit_is_named_and_made_anew(
    complete: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """What the message says to do gives the bytes of a run that was not damaged."""
    run = tmp_path / "run"
    shutil.copytree(complete / "run", run)
    (run / "COMPLETED").unlink()
    if damage == "gone":
        (run / DOCUMENTS).unlink()
    else:
        (run / DOCUMENTS).write_bytes((run / DOCUMENTS).read_bytes()[:100])
    assert curate(complete, run) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert f"{DOCUMENTS} {'is missing' if damage == 'gone' else 'has 100 bytes'}" in line
    assert not (run / "COMPLETED").exists()
    (run / "units" / "00000-contents-000000000000.json").unlink()
    assert curate(complete, run) == 0
    for name in ("manifest.json", "COMPLETED"):
        assert (run / name).read_bytes() == (complete / "run" / name).read_bytes()
    assert verify(str(run)) == []


def test_each_damaged_byte_is_found(complete: Path, tmp_path: Path) -> None:
    """In documents and in rejects, by ``verify``."""
    run = tmp_path / "run"
    shutil.copytree(complete / "run", run)
    assert verify(str(run)) == []
    files = sorted(run.glob("documents/*")) + sorted(run.glob("rejects/*"))
    assert len(files) >= 3
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
        (problem,) = verify(str(run))
        assert problem.startswith(path.relative_to(run).as_posix())
        path.write_bytes(content)


def test_inputs_of_any_name_make_a_run(tmp_path: Path) -> None:
    """A name that is not UTF-8, one of 230 bytes, and a link that leads nowhere (F23)."""
    write_github_export(tmp_path / "in", megabytes=1.0)
    contents, files = (
        tmp_path / "in" / f"{table}-000000000000.parquet" for table in ("contents", "files")
    )
    contents.rename(tmp_path / "in" / b"caf\xe9.parquet".decode("utf-8", "surrogateescape"))
    files.rename(tmp_path / "in" / f"{'x' * 222}.parquet")
    (tmp_path / "in" / "z.parquet").symlink_to("gone.parquet")
    assert curate(tmp_path, tmp_path / "run") == COMPLETE_WITH_LOSSES
    assert curate(tmp_path, tmp_path / "run") == COMPLETE_WITH_LOSSES
    assert verify(str(tmp_path / "run")) == []
    stats = (tmp_path / "run" / "stats.json").read_text()
    assert "z.parquet: the symbolic link points to gone.parquet, which is not there" in stats
