"""``--check``: what a job consists of and would fail of, without running it.

The golden files of ``golden/`` are made again with ``CORPUSMILL_GOLDEN=write``.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipelines.__main__ import main
from pipelines.engine import preflight
from pipelines.engine.graph import Worker, build
from pipelines.engine.preflight import gcp_is_installed, graph_of, image_suffix, producers
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.source import plan
from pipelines.engine.workspace import Workspace
from pipelines.github.source import GITHUB, GithubConfig
from pipelines.storage import files as storage
from tests.faults.subjects import SUBJECTS
from tests.pipelines.engine.test_preflight import DATAFLOW
from tests.pipelines.github.github_export import write_joined
from tests.pipelines.storage.s3_server import BUCKET, S3Server, serving_s3

GOLDEN = Path(__file__).parent / "golden"
RUN = f"s3://{BUCKET}/run"
NAMED = (*DATAFLOW, "--job_name=github")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Serve a bucket."""
    with serving_s3(monkeypatch) as state:
        yield state


def export_to(folder: Path, address: str = "") -> list[str]:
    """Write an export of GitHub, and copy it to an address; return the inputs."""
    paths = write_joined(folder)
    if not address:
        return paths
    for path in paths:
        storage.write_bytes(f"{address}/{Path(path).name}", Path(path).read_bytes())
    return [f"{address}/{Path(path).name}" for path in paths]


def same(name: str, found: Any) -> None:
    """Compare a JSON value with a golden file."""
    path = GOLDEN / name
    text = json.dumps(found, sort_keys=True, indent=1) + "\n"
    if os.environ.get("CORPUSMILL_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def settled(value: Any) -> Any:
    """Return a request without what differs from day to day or from Python to Python."""
    if isinstance(value, dict):
        volatile = ("clientRequestId", "pipelineProtoHash", "dataflow_job_file")
        return {key: settled(item) for key, item in value.items() if key not in volatile}
    if isinstance(value, list):
        return [settled(item) for item in value if "dataflow_job_file" not in str(item)[:40]]
    if isinstance(value, str):
        value = value.replace(image_suffix(), "SUFFIX")
        value = re.sub(r"/github\.\d+\.\d+", "/github.TIME", value)
        return re.sub(r"(?i)(python) ?3\.\d+", r"\1", value)
    return value


def test_every_reason_is_printed_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also with Beam's own name of the flag; the graph is built in spite of the reasons."""
    inputs, run = export_to(tmp_path / "in"), tmp_path / "run"
    command = ["github", "--input", *inputs, "--run", str(run), "--"]
    assert main([*command, "--runner=DataflowRunner", "--streaming", "--dry_run"]) == 1
    said = capsys.readouterr()
    reasons = [line for line in said.out.splitlines() if line.startswith("refused: ")]
    told = ("--project", "--region", "--temp_location", "--sdk_container_image", "--streaming")
    for flag in (*told, "the output ", "the input "):
        assert sum(line.startswith(f"refused: {flag}") for line in reasons) == 1
    assert re.search(r"^graph: \d+ transforms, [\d,]+ bytes$", said.out, re.MULTILINE)
    assert "step: write, 1 of 1 units to run" in said.out
    assert f"error: the job would fail, for the {len(reasons)} reasons above" in said.err
    assert not run.exists()


def test_inputs_that_cannot_be_listed_are_one_of_the_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are still told."""
    command = ["github", "--input", str(tmp_path / "absent"), "--run", str(tmp_path / "run")]
    assert main([*command, "--check", "--", "--runner=DataflowRunner"]) == 1
    out = capsys.readouterr().out
    assert "refused: --project is missing" in out
    assert "refused: the output " in out
    assert re.search(r"^refused: the graph could not be built: .*absent", out, re.MULTILINE)


def test_a_reason_is_told_once_where_the_run_directory_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The inputs were listed, and the steps that are done cannot be looked up below a file."""
    inputs = export_to(tmp_path / "in")
    command = ["github", "--input", *inputs, "--run", f"{inputs[0]}/run", "--check", "--"]
    assert main([*command, *DATAFLOW]) == 1
    lines = capsys.readouterr().out.splitlines()
    for start in ("the output ", "the input ", "the graph could not be built: "):
        assert sum(line.startswith(f"refused: {start}") for line in lines) == 1


def test_a_job_for_spark_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check says what is sent to the workers, and makes nothing."""
    run = tmp_path / "run"
    command = ["github", "--input", *export_to(tmp_path / "in"), "--run", str(run), "--check"]
    flags = ["--runner=PortableRunner", "--job_endpoint=localhost:1"]
    pool = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000"]
    assert main([*command, "--", *flags, *pool]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^staged: submission_environment_dependencies.txt, ", out, re.MULTILINE)
    assert "pickled_main_session" not in out
    assert "the job can be submitted" in out
    assert not run.exists()


def test_token_shards_are_checked_like_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their inputs are runs, and their model is the tokenizer."""
    subject = SUBJECTS["tokenize"](tmp_path / "in", None, small=True)
    out = tmp_path / "tokens"
    command = [*subject.words, "--out", str(out), "--check", "--", *DATAFLOW]
    assert main(command) == 1
    said = capsys.readouterr().out
    assert "step: tokenize" in said
    for start in ("the output ", "the input ", "--tokenizer "):
        assert sum(line.startswith(f"refused: {start}") for line in said.splitlines()) == 1
    assert not out.exists()


def test_a_launch_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reasons of the flags first, and then with those of the paths."""
    monkeypatch.setattr(preflight, "gcp_is_installed", lambda: True)
    run = tmp_path / "run"
    command = ["github", "--input", *export_to(tmp_path / "in"), "--run", str(run), "--"]
    assert main([*command, "--runner=DataflowRunner"]) == 1
    assert "error: --project is missing" in capsys.readouterr().err
    assert main([*command, *DATAFLOW]) == 1
    assert f"error: the output {run}: workers of Dataflow" in capsys.readouterr().err
    assert not run.exists()


def test_the_graph_of_a_small_source(tmp_path: Path) -> None:
    """Every step, what it reads, and how its elements are coded (golden/github_graph.json)."""
    planned = plan(GITHUB, GithubConfig(input=tuple(export_to(tmp_path / "in"))))
    workspace = Workspace.within(Run(str(tmp_path / "run")))
    pipeline = beam.Pipeline()
    build(pipeline, Schedule(planned.steps, workspace), Worker(workspace, lambda _run: None))
    parts = graph_of(pipeline).components

    def coded(coder_id: str) -> str:
        coder = parts.coders[coder_id]
        name = coder.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
        inner = ", ".join(map(coded, coder.component_coder_ids))
        return f"{name}({inner})" if inner else name

    made_by = producers(parts)
    found = {
        transform.unique_name: {
            "does": transform.spec.urn,
            "reads": sorted(made_by[collection] for collection in transform.inputs.values()),
            "yields": [
                coded(parts.pcollections[collection].coder_id)
                for collection in transform.outputs.values()
            ],
        }
        for transform in parts.transforms.values()
        if transform.unique_name in made_by.values() and "Reshuffle" not in transform.unique_name
    }
    same("github_graph.json", found)


@pytest.mark.skipif(not gcp_is_installed(), reason="the extra gcp is not installed")
def test_the_request_to_dataflow(
    tmp_path: Path, server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request that would start the job (golden/github_request.json), and what is uploaded."""
    inputs = export_to(tmp_path / "in", f"s3://{BUCKET}/in")
    job = tmp_path / "job.json"
    command = ["github", "--input", *inputs, "--run", RUN, "--check", "--", *NAMED]
    assert main([*command, f"--dataflow_job_file={job}"]) == 0
    out = capsys.readouterr().out
    staged = re.findall(r"^staged: gs://bucket/tmp/github\.[\d.]+/(\S+), ", out, re.MULTILINE)
    assert staged == ["pipeline.pb", "submission_environment_dependencies.txt"]
    assert "the job can be submitted" in out
    same("github_request.json", settled(json.loads(job.read_text("utf-8"))))
    assert not [name for name in server.requests if name.startswith("PUT") and "/run" in name]
