"""What is refused before a job is submitted, since its workers would fail over it much later.

Each rule returns lines for the user: what is wrong, and the way out. ``--check`` prints all of
them, and a launch is refused with the first. The rules need neither an account nor a network: they
look at the flags, at the paths, and at the job's graph.

The tag of a worker image has to end in the versions of Beam and Python that it holds, as
``docker/README.md`` builds it (``0.1.0-beam2.77.0-py3.11``). An image cannot be looked into without
an account for its registry, and a worker whose Beam differs from the launcher's fails when it reads
the first function of the job.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import PurePosixPath

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.portability.python_urns import PICKLED_CODER
from apache_beam.transforms.environments import EmbeddedPythonEnvironment

from pipelines.storage.files import is_local

MODELS_IN_IMAGE = "/opt/corpusmill/models"  # folder of a worker image that models are copied to
GRAPH_BYTES = 10_000_000  # of a job's graph, at most: what Dataflow takes

_PORTABLE = ("PortableRunner", "SparkRunner", "FlinkRunner")
_MASTERS = {"SparkRunner": "spark_master_url", "FlinkRunner": "flink_master"}  # options by runner
# With these Beam starts our Python processes beside the launcher, unless a flag says otherwise.
_LOCAL_MASTER = re.compile(r"local(\[.+\])?|\[local\]|\[auto\]")
# Each of these asks for a worker that our jobs do not run on, or for a job without an end.
_EXPERIMENTS = {
    "disable_runner_v2": "custom images need Runner v2",
    "disable_portable_runner": "custom images need Runner v2",
    "no_use_multiple_sdk_containers": "each machine would run one unit at a time on one core",
    "enable_streaming_engine": "the sources are batch jobs",
    "enable_windmill_service": "the sources are batch jobs",
}
# Flags with which workers install packages when they start, beside those of the image.
_INSTALLING = ("setup_file", "requirements_file", "extra_packages", "save_main_session")


def image_suffix() -> str:
    """Return what the tag of a worker image for this launcher has to end in."""
    return f"beam{beam.__version__}-py{sys.version_info.major}.{sys.version_info.minor}"


def is_dataflow(options: PipelineOptions) -> bool:
    """Return whether the job would run on Dataflow."""
    return "Dataflow" in str(options.view_as(StandardOptions).runner)


def refused_options(options: PipelineOptions) -> Iterator[str]:
    """Yield what is wrong with the flags of a runner."""
    runner = str(options.view_as(StandardOptions).runner).rsplit(".", 1)[-1]
    if is_dataflow(options):
        yield from _refused_for_dataflow(options)
    elif runner in _PORTABLE:
        yield from _refused_environment(options, runner)


def _refused_for_dataflow(options: PipelineOptions) -> Iterator[str]:
    worker = options.view_as(WorkerOptions)
    if not gcp_is_installed():
        yield "DataflowRunner needs the extra gcp: pip install 'corpusmill[gcp]'."
    yield from _refused_places(options.view_as(GoogleCloudOptions))
    image = worker.sdk_container_image or worker.worker_harness_container_image
    yield from _refused_image("--sdk_container_image", image or "")
    yield from _refused_workers(options.view_as(DebugOptions))
    if options.view_as(StandardOptions).streaming:
        yield "--streaming: the sources are batch jobs. Leave the flag out."
    for flag in _INSTALLING:
        if getattr(options.view_as(SetupOptions), flag):
            yield (
                f"--{flag}: workers would install packages beside those of the image whenever one "
                "starts. Build them into the image (docker/README.md), and leave the flag out."
            )


def _refused_places(cloud: GoogleCloudOptions) -> Iterator[str]:
    """Yield what is wrong with the project, the region and the folders of a job on Dataflow."""
    if not cloud.project:
        yield "--project is missing: name the project that pays, such as --project=PROJECT."
    if not cloud.region:
        yield "--region is missing: name the region of the inputs' bucket, such as us-central1."
    if not cloud.temp_location:
        yield "--temp_location is missing: name a folder of a bucket, such as gs://BUCKET/tmp."
    for flag in ("temp_location", "staging_location"):
        place = getattr(cloud, flag)
        if place and not re.fullmatch(r"gs://[^/]+/.*", place):
            yield f"--{flag}={place}: Dataflow needs a folder of a bucket, such as gs://BUCKET/tmp."
    for flag in ("template_location", "update"):
        if getattr(cloud, flag):
            yield f"--{flag}: a run directory is filled by one job, run from here. Leave it out."


def _refused_workers(debug: DebugOptions) -> Iterator[str]:
    """Yield what is wrong with how workers of Dataflow are to run."""
    if (threads := debug.number_of_worker_harness_threads) != 1:
        yield (
            f"--number_of_worker_harness_threads={threads}: a process runs one unit at a time, so "
            "more threads only take memory. Leave the flag out."
        )
    for experiment in debug.experiments or []:
        if why := _EXPERIMENTS.get(experiment.partition("=")[0]):
            yield f"--experiments={experiment}: {why}. Leave it out."


def _refused_environment(options: PipelineOptions, runner: str) -> Iterator[str]:
    """Yield what is wrong with how a portable runner is to start our Python processes."""
    portable = options.view_as(PortableOptions)
    if not portable.environment_type:
        master = options.get_all_options().get(_MASTERS.get(runner, ""), "")
        if not _LOCAL_MASTER.fullmatch(master):
            yield (
                "--environment_type is missing, and the runner would start Beam's image, which "
                "lacks this package. Give --environment_type=EXTERNAL --environment_config="
                "localhost:50000 for a pool of workers, or --environment_type=DOCKER "
                "--environment_config=IMAGE (docker/README.md)."
            )
    elif portable.environment_type == "DOCKER":
        image = portable.environment_config
        image = image or portable.lookup_environment_option("docker_container_image")
        yield from _refused_image("--environment_config", image or "")
    elif portable.environment_type == "EXTERNAL" and not (
        portable.environment_config
        or portable.lookup_environment_option("external_service_address")
    ):
        yield (
            "--environment_config is missing: name the pool of workers, such as localhost:50000."
        )


def _refused_image(flag: str, image: str) -> Iterator[str]:
    """Yield what is wrong with the name of a worker image."""
    suffix = image_suffix()
    build = "Build and push it as docker/README.md says"
    if not image:
        yield (
            f"{flag} is missing, and Beam's own image lacks this package. {build}, and name it: "
            f"{flag}=REGISTRY/corpusmill-worker:VERSION-{suffix}."
        )
        return
    tag = tag_of(image)
    if not tag or tag == "latest":
        yield f"{flag}={image}: name the version of the image by a tag that ends in {suffix}."
    elif tag != suffix and not tag.endswith(f"-{suffix}"):
        yield (
            f"{flag}={image}: this launcher has {suffix}, and the image's tag has to end in it, or "
            f"workers cannot read what the launcher sends. {build}, with this Beam and this Python."
        )


def tag_of(image: str) -> str:
    """Return the tag of an image's name, or "".

    >>> tag_of("localhost:5000/team/worker:0.1.0-beam2.77.0-py3.11@sha256:12")
    '0.1.0-beam2.77.0-py3.11'
    >>> tag_of("localhost:5000/team/worker")
    ''
    """
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def refused_paths(
    options: PipelineOptions, run: str, inputs: Iterable[str], models: Mapping[str, str]
) -> Iterator[str]:
    """Yield the paths that workers of Dataflow cannot see.

    Those of Spark and Flink may share a disk with the launcher, so there a path that they do not
    see is found out when a worker first looks at the run directory.

    Args:
        options: options of Beam.
        run: the run directory.
        inputs: the input files.
        models: paths of this machine that workers read besides, by flag.
    """
    if not is_dataflow(options):
        return
    unseen = "workers of Dataflow do not see this machine's disk"
    if is_local(run):
        yield f"the output {run}: {unseen}. Name a directory on a store, such as gs://BUCKET/NAME."
    if local := next((path for path in inputs if is_local(path)), ""):
        yield f"the input {local}: {unseen}. Copy the inputs to a store, and name them there."
    for flag, path in models.items():
        if not _in_image(path):
            yield (
                f"{flag} {path}: {unseen}. Copy it to {MODELS_IN_IMAGE} in the worker image, start "
                "the command in that image, and name it there (docker/README.md)."
            )


def _in_image(path: str) -> bool:
    return PurePosixPath(MODELS_IN_IMAGE) in PurePosixPath(path).parents


def graph_of(pipeline: beam.Pipeline) -> api.Pipeline:
    """Return the graph of a pipeline, without the environment that its workers run in."""
    return pipeline.to_runner_api(default_environment=EmbeddedPythonEnvironment.default())


def refused_graph(graph: api.Pipeline, *, dataflow: bool) -> Iterator[str]:
    """Yield what is wrong with the graph of a job: elements that are pickled, and its size."""
    made_by = producers(graph.components)
    for collection, value in graph.components.pcollections.items():
        name = made_by[collection]
        # Beam's own Reshuffle pickles the window and the timestamp that it takes off an element.
        if "Reshuffle" not in name and _pickles(graph.components.coders, value.coder_id):
            yield (
                f"the step '{name}' yields elements of no declared type, which are pickled: slow, "
                "and different in every version. Declare its type (with_output_types)."
            )
    size = graph.ByteSize()
    if dataflow and size > GRAPH_BYTES:
        yield (
            f"the graph has {size / 1e6:.1f} MB, and Dataflow takes {GRAPH_BYTES / 1e6:.0f}: name "
            "fewer inputs per run, and more runs."
        )


def producers(parts: api.Components) -> dict[str, str]:
    """Return the name of the transform that makes each collection of a graph.

    Some composite transforms hand on their input, and others hand on what a part of theirs made.
    """
    return {
        collection: transform.unique_name
        for transform in parts.transforms.values()
        if not transform.subtransforms
        for collection in transform.outputs.values()
        if collection not in transform.inputs.values()
    }


def _pickles(coders: Mapping[str, api.Coder], coder_id: str) -> bool:
    coder = coders[coder_id]
    return coder.spec.urn == PICKLED_CODER or any(
        _pickles(coders, part) for part in coder.component_coder_ids
    )


def gcp_is_installed() -> bool:
    """Return whether Beam's client of Dataflow can be imported."""
    try:
        return find_spec("google.cloud.dataflow") is not None
    except ModuleNotFoundError:
        return False
