"""What is refused before a job is submitted: flags, paths, and graphs that would fail later."""

import random
import re
from dataclasses import dataclass

import apache_beam as beam
import pytest

from pipelines.engine import preflight
from pipelines.engine.cluster import check_graph, options_of
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, check_flags
from pipelines.engine.preflight import (
    graph_of,
    image_suffix,
    refused_graph,
    refused_options,
    refused_paths,
    tag_of,
)
from pipelines.engine.settings import local_worker_paths
from tokenizer.settings import setting

IMAGE = f"us-docker.pkg.dev/p/r/corpusmill-worker:0.1.0-{image_suffix()}"
DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=some-project",
    "--region=us-central1",
    "--temp_location=gs://bucket/tmp",
    f"--sdk_container_image={IMAGE}",
)
SPARK = ("--runner=PortableRunner", "--job_endpoint=localhost:8099")


@pytest.fixture(autouse=True)
def _with_gcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are those of a machine that has the extra gcp; they need nothing of it."""
    monkeypatch.setattr(preflight, "gcp_is_installed", lambda: True)


def refused(*flags: str) -> list[str]:
    """Return what is wrong with flags."""
    return list(refused_options(options_of(flags, workers=1)))


def without(name: str) -> tuple[str, ...]:
    """Return the flags for Dataflow without one."""
    return tuple(flag for flag in DATAFLOW if not flag.startswith(name))


def test_a_complete_command_for_dataflow_passes() -> None:
    """With the image that docker/README.md builds."""
    assert refused(*DATAFLOW) == []


@pytest.mark.parametrize(
    ("flag", "way_out"),
    [
        ("--project", "name the project"),
        ("--region", "name the region"),
        ("--temp_location", "gs://BUCKET/tmp"),
        ("--sdk_container_image", f"corpusmill-worker:VERSION-{image_suffix()}"),
    ],
)
def test_a_flag_that_dataflow_needs_is_missed_by_name(flag: str, way_out: str) -> None:
    """And the line says what to give."""
    (line,) = refused(*without(flag))
    assert line.startswith(f"{flag} is missing")
    assert way_out in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--temp_location=/tmp/beam"], "--temp_location=/tmp/beam: Dataflow needs a folder"),
        (["--staging_location=s3://b/x"], "--staging_location=s3://b/x: Dataflow needs a folder"),
        (["--streaming"], "--streaming: the sources are batch jobs"),
        (["--number_of_worker_harness_threads=12"], "--number_of_worker_harness_threads=12: a pro"),
        (["--experiments=enable_streaming_engine"], "--experiments=enable_streaming_engine: the "),
        (["--experiments=disable_runner_v2"], "--experiments=disable_runner_v2: custom images"),
        (["--experiments", "no_use_multiple_sdk_containers"], "--experiments=no_use_multiple_sdk"),
        (["--requirements_file=r.txt"], "--requirements_file: workers would install packages"),
        (["--setup_file=./setup.py"], "--setup_file: workers would install packages"),
        (["--extra_package=a.whl"], "--extra_packages: workers would install packages"),
        (["--save_main_session"], "--save_main_session: workers would"),
        (["--template_location=gs://b/t"], "--template_location: a run directory is filled by"),
        (["--update"], "--update: a run directory is filled by one job"),
    ],
)
def test_flags_that_fail_on_workers_are_refused(flags: list[str], message: str) -> None:
    """Each with one line."""
    (line,) = refused(*DATAFLOW, *flags)
    assert line.startswith(message)


@pytest.mark.parametrize(
    "image",
    [
        "worker",
        "registry.example:5000/team/worker",
        "worker:latest",
        "worker:0.1.0",
        "worker:0.1.0-beam2.60.0-py3.11",
        f"worker:0.1.0-{image_suffix()}.1",
        f"worker:0.1.0x{image_suffix()}",
        "worker@sha256:1234",
        "apache/beam_python3.11_sdk:2.77.0",
    ],
)
def test_an_image_of_another_version_is_refused(image: str) -> None:
    """Its tag has to end in the versions of Beam and Python, each as a whole."""
    (line,) = refused(*without("--sdk_container_image"), f"--sdk_container_image={image}")
    assert line.startswith(f"--sdk_container_image={image}: ")
    assert image_suffix() in line


@pytest.mark.parametrize("tag", [image_suffix(), f"1-{image_suffix()}"])
@pytest.mark.parametrize("digest", ["", "@sha256:1234"])
def test_an_image_of_these_versions_passes(tag: str, digest: str) -> None:
    """With a registry's port before it and a digest after it."""
    image = f"localhost:5000/team/worker:{tag}{digest}"
    assert tag_of(image) == tag
    assert refused(*without("--sdk_container_image"), f"--sdk_container_image={image}") == []


def test_the_old_name_of_the_image_flag_is_read() -> None:
    """Beam takes it for the new one."""
    flags = without("--sdk_container_image")
    assert refused(*flags, f"--worker_harness_container_image={IMAGE}") == []


def test_dataflow_without_its_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(preflight, "gcp_is_installed", lambda: False)
    (line,) = refused(*DATAFLOW)
    assert "pip install 'corpusmill[gcp]'" in line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (SPARK, "--environment_type is missing"),
        (("--runner=SparkRunner", "--spark_master_url=spark://h:7077"), "--environment_type is"),
        (("--runner=FlinkRunner", "--flink_master=h:8081"), "--environment_type is missing"),
        ((*SPARK, "--environment_type=DOCKER"), "--environment_config is missing"),
        (
            (*SPARK, "--environment_type=DOCKER", "--environment_config=worker:1"),
            "--environment_config=worker:1: this launcher has",
        ),
        ((*SPARK, "--environment_type=EXTERNAL"), "--environment_config is missing: name the pool"),
    ],
)
def test_portable_runners_need_our_workers(flags: tuple[str, ...], message: str) -> None:
    """Beam's own image, their default, lacks this package."""
    (line,) = refused(*flags)
    assert line.startswith(message)


@pytest.mark.parametrize(
    "flags",
    [
        (*SPARK, "--environment_type=LOOPBACK"),
        (*SPARK, "--environment_type=EXTERNAL", "--environment_config=localhost:50000"),
        (*SPARK, "--environment_type=DOCKER", f"--environment_config={IMAGE}"),
        (
            *SPARK,
            "--environment_type=DOCKER",
            f"--environment_options=docker_container_image={IMAGE}",
        ),
        ("--runner=SparkRunner",),  # local, where Beam starts our processes itself
        ("--runner=FlinkRunner",),
        ("--runner=DirectRunner",),
    ],
)
def test_our_workers_on_portable_runners_pass(flags: tuple[str, ...]) -> None:
    """In a pool, in an image, or beside the launcher."""
    assert refused(*flags) == []


@dataclass(frozen=True)
class _Settings:
    """Settings of a source with models."""

    langid: str = setting("", help="a model", on_workers=True)
    lists: tuple[str, ...] = setting((), help="lists", on_workers=True)
    cutoffs: str = setting("published", help="a table or a word", on_workers=True)
    rejects: str = setting("all", help="no path")


@pytest.mark.parametrize(
    ("run", "inputs", "message"),
    [
        ("/data/run", ["gs://b/in"], "the output /data/run: workers of Dataflow do not"),
        ("gs://b/run", ["gs://b/in", "/data/in"], "the input /data/in: workers of Dataflow"),
    ],
)
def test_local_paths_are_refused_where_workers_cannot_see_them(
    run: str, inputs: list[str], message: str
) -> None:
    """Before the job begins, not an hour later; on Spark a disk may be shared."""
    (line,) = refused_paths(options_of(DATAFLOW, 1), run, inputs, {})
    assert line.startswith(message)
    assert not list(refused_paths(options_of(SPARK, 1), run, inputs, {}))
    assert not list(refused_paths(options_of(DATAFLOW, 1), "gs://b/run", ["s3://b/in"], {}))


def test_models_of_this_machine_are_refused_and_those_of_the_image_pass(tmp_path: object) -> None:
    """A word and an address are no paths of this machine."""
    there = f"{tmp_path}/"
    settings = _Settings(langid=there, lists=("gs://b/list", there))
    models = local_worker_paths(settings)
    assert models == {"--langid": there, "--lists": there}
    lines = list(refused_paths(options_of(DATAFLOW, 1), "gs://b/run", [], models))
    assert [line.split(":")[0] for line in lines] == [f"--langid {there}", f"--lists {there}"]
    assert preflight.MODELS_IN_IMAGE in lines[0]
    inside = {"--langid": f"{preflight.MODELS_IN_IMAGE}/lid.176.bin"}
    assert not list(refused_paths(options_of(DATAFLOW, 1), "gs://b/run", [], inside))


def _pickled() -> beam.Pipeline:
    pipeline = beam.Pipeline()
    numbers = pipeline | beam.Create([1]).with_output_types(int)
    _ = numbers | "guess" >> beam.Map(str).with_output_types(object)
    return pipeline


def test_a_step_whose_elements_are_pickled_is_refused_by_name() -> None:
    """Also where the type that is not known is inside another; Beam's own Reshuffle passes."""
    with pytest.raises(RunError, match="the step 'guess' yields elements of no declared type"):
        check_graph(_pickled())
    pipeline = beam.Pipeline()
    typed = pipeline | beam.Create([1]).with_output_types(int)
    typed |= beam.Reshuffle().with_output_types(int)
    pairs = typed | "pair" >> beam.Map(lambda number: (number, [number])).with_output_types(
        tuple[int, list[object]]
    )
    _ = pairs | "fine" >> beam.MapTuple(lambda number, _: number).with_output_types(int)
    (line,) = refused_graph(graph_of(pipeline), dataflow=False)
    assert "'pair'" in line


def test_a_graph_that_dataflow_does_not_take_is_refused() -> None:
    """Of more than 10 MB; other runners have no such limit."""
    pipeline = beam.Pipeline()
    content = random.Random(1).randbytes(10_100_000)  # Beam compresses what it pickles
    _ = pipeline | beam.Create([content]).with_output_types(bytes)
    graph = graph_of(pipeline)
    (line,) = refused_graph(graph, dataflow=True)
    assert re.match(r"the graph has \d\d\.\d MB, and Dataflow takes 10: ", line)
    assert not list(refused_graph(graph, dataflow=False))


def test_a_launch_is_refused_with_the_first_reason() -> None:
    """And says how many more there are, and how to see them."""
    with pytest.raises(RunError, match=r"^--project is missing.*\(1 more: add --check to see"):
        check_flags(Launch(beam_flags=(*without("--project"), "--streaming")))
    with pytest.raises(RunError, match=r"^--streaming: .* Leave the flag out\.$"):
        check_flags(Launch(beam_flags=(*DATAFLOW, "--streaming")))


def test_a_check_without_a_runner_is_refused() -> None:
    """There is no job to build."""
    with pytest.raises(RunError, match="name its runner after `--`"):
        check_flags(Launch(check=True))
