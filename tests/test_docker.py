"""What docker/ says agrees with the project: versions, files, ports, and the commands of its page.

No container engine is needed. `make lint` runs hadolint over the same Dockerfiles, and
test_worker_image.py runs the steps that they run.
"""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from pipelines.__main__ import make_app
from pipelines.engine import preflight
from pipelines.engine.cluster import options_of
from pipelines.engine.config import BYTES_DEPEND_ON
from pipelines.engine.preflight import MODELS_IN_IMAGE, refused_options

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
README = (DOCKER / "README.md").read_text("utf-8")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
BEAM = "2.77.0"
PYTHON = "3.11"
WORKER = f"corpusmill-worker:{PROJECT['version']}-beam{BEAM}-py{PYTHON}"


class Instruction(NamedTuple):
    """An instruction of a Dockerfile, on one line."""

    name: str
    rest: str


def instructions(path: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile, without comments."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def requirements(names: list[str]) -> dict[str, Requirement]:
    """Return the requirements that hold on the Python of the images, by name."""
    python = {"python_version": "3.11"}
    given = map(Requirement, names)
    return {r.name: r for r in given if r.marker is None or r.marker.evaluate(python)}


def locked() -> dict[str, Version]:
    """Return the versions of docker/versions.txt by package."""
    lines = (DOCKER / "versions.txt").read_text("utf-8").splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {name: Version(version) for name, version in pins}


def images(path: Path) -> list[str]:
    """Return the images that a Dockerfile begins from, with the values of its arguments."""
    values: dict[str, str] = {}
    stages: set[str] = set()
    found = []
    for name, rest in instructions(path):
        if name == "ARG":
            key, _, value = rest.partition("=")
            values[key] = value.strip('"')
        elif name == "FROM":
            image, *stage = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], rest).split(" AS ")
            if image not in stages:
                found.append(image)
            stages.update(stage)
    return found


def test_the_files_are_there() -> None:
    """The tests below have something to look at."""
    assert [path.name for path in DOCKERFILES] == ["trainer.Dockerfile", "worker.Dockerfile"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_images_begin_from_pinned_tags(path: Path) -> None:
    """A tag names a version with three parts, so that an image made next year is the same."""
    found = images(path)
    assert found
    for image in found:
        assert re.search(r":.*\d+\.\d+\.\d+", image), image


def test_beam_of_the_image_is_that_of_the_project() -> None:
    """The launcher's and the worker's must be one version."""
    pinned = requirements(PROJECT["dependencies"])["apache-beam"]
    assert str(pinned.specifier) == f"=={BEAM}"
    for extra in ("gcp", "aws", "dev"):
        assert str(requirements(EXTRAS[extra])["apache-beam"].specifier) == f"=={BEAM}"
    image = f"apache/beam_python{PYTHON}_sdk:{BEAM}"
    assert images(DOCKER / "worker.Dockerfile") == [image, image]
    assert locked()["apache-beam"] == Version(BEAM)
    assert PYTHON in PROJECT["requires-python"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_what_is_copied_exists_and_is_not_ignored(path: Path) -> None:
    """A COPY of a file that .dockerignore leaves out fails only where images are built."""
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    copied = [rest for name, rest in instructions(path) if name == "COPY"]
    assert copied
    for rest in copied:
        if rest.startswith("--from="):
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(Path(source).is_relative_to(place) for place in kept), source


def test_the_tools_are_built_from_what_is_copied_before(tmp_path: Path) -> None:
    """Their step comes before the sources are copied, and before any package is installed."""
    for name, rest in instructions(DOCKER / "worker.Dockerfile"):
        if name == "RUN" and "build_worker.sh tools" in rest:
            break
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, tmp_path / target)
                else:
                    (tmp_path / target).mkdir(parents=True, exist_ok=True)
                    shutil.copy2(ROOT / source, tmp_path / target)
    script = "from pipelines.setup import kenlm, langid"
    assert script in (DOCKER / "build_worker.sh").read_text("utf-8")
    # Without the site module no installed package is seen, this project's among them.
    subprocess.run([sys.executable, "-ES", "-c", script], cwd=tmp_path, check=True)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_arguments_are_declared_in_the_stage_that_uses_them(path: Path) -> None:
    """An ARG before FROM is known only to FROM lines; elsewhere it is silently empty."""
    before: set[str] = set()
    known: set[str] = set()
    stages = 0
    for name, rest in instructions(path):
        used = set(re.findall(r"\$\{(\w+)\}", rest))
        if name == "FROM":
            stages += 1
            known = {"PATH"}
            assert used <= before
        elif name == "ARG":
            (known if stages else before).add(rest.partition("=")[0])
        else:
            if name == "ENV":
                known |= set(re.findall(r"(\w+)=", rest))
            assert used <= known, (name, rest)


def test_pytorch_and_cuda_belong_together() -> None:
    """PyTorch is in the range of the extra, and its index is that of the image's CUDA."""
    arguments = dict(
        rest.split("=", 1)
        for name, rest in instructions(DOCKER / "trainer.Dockerfile")
        if name == "ARG"
    )
    assert Version(arguments["TORCH"]) in requirements(EXTRAS["trainer"])["torch"].specifier
    major, minor, _ = arguments["CUDA"].split(".")
    assert arguments["TORCH_INDEX"].endswith(f"/cu{major}{minor}")


def test_the_trainer_image_holds_what_the_trainer_imports() -> None:
    """It installs the project without its dependencies, which are mostly the pipelines'."""
    installed = {
        re.split(r"[=<>~]", word)[0].strip('"').replace("-", "_")
        for name, rest in instructions(DOCKER / "trainer.Dockerfile")
        if name == "RUN" and "pip install" in rest
        for word in rest.split()
    }
    imported = {
        alias.name.partition(".")[0]
        for package in ("trainer", "tokenizer", "mixtures")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for alias in (
            node.names
            if isinstance(node, ast.Import)
            else [ast.alias(node.module or "")]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    optional = {"flash_attn_interface", "lm_eval", "pynvml", "wandb", "xformers"}
    known = {*sys.stdlib_module_names, "trainer", "tokenizer", "mixtures", ""}
    assert imported - known - optional - installed == set()
    assert {"torch", "flash_attn", "numpy"} <= installed


def test_every_needed_package_is_locked_in_a_version_that_the_project_takes() -> None:
    """Those that decide the bytes of a run among them."""
    versions = locked()
    assert all(name == name.lower() for name in versions)
    needed = requirements([*PROJECT["dependencies"], *EXTRAS["gcp"], *EXTRAS["aws"]])
    for name, requirement in needed.items():
        assert versions[name] in requirement.specifier, name
    # An extractor of choice, and what takes the place of kenlm on another Python.
    assert set(BYTES_DEPEND_ON) - versions.keys() == {"trafilatura", "ufal-kenlm"}


def test_nothing_is_compiled_for_the_machine_it_is_compiled_on() -> None:
    """A worker of another kind would end with an illegal instruction."""
    paths = [*DOCKERFILES, ROOT / "pyproject.toml", *(ROOT / "pipelines" / "setup").glob("*.py")]
    for path in paths:
        assert not re.search(r"march|mtune|mavx", path.read_text("utf-8")), path


def test_services_find_each_other() -> None:
    """Networks, dependencies and volumes are of the file; images are pinned, and ours are built."""
    services = COMPOSE["services"]
    spark = requirements(EXTRAS["spark"])["pyspark"].specifier
    for name, service in services.items():
        image = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", service["image"])
        tag = image.rpartition(":")[2]
        assert re.match(r"\d+\.\d+\.\d+", tag), name
        if image.startswith("apache/spark:"):
            assert Version(tag.split("-")[0]) in spark
        elif image.startswith("apache/beam_spark3_job_server:"):
            assert tag == BEAM
        else:
            assert image == WORKER
        for other in service.get("depends_on", []):
            assert other in services
        mode, _, other = service.get("network_mode", "service:" + name).partition(":")
        assert (mode, other in services) == ("service", True)
        for volume in service["volumes"]:
            place = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
            assert place.startswith(".") or place in COMPOSE["volumes"]
        # A service in the network of another has neither ports nor a name of its own.
        assert "network_mode" not in service or not {"ports", "hostname"} & service.keys()
    build = services["launcher"]["build"]
    assert (DOCKER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_every_spark_worker_has_a_pool_of_python_workers() -> None:
    """And master, job server and workers name the same addresses."""
    services = COMPOSE["services"]
    workers = {name for name in services if name.startswith("spark-worker")}
    pools = {
        service["network_mode"].removeprefix("service:"): service["command"]
        for name, service in services.items()
        if name.startswith("sdk-worker")
    }
    assert pools == {worker: ["--worker_pool"] for worker in workers}
    assert len(workers) == 2
    url = "spark://spark-master:7077"
    assert {"--host=spark-master", "--port=7077"} <= {*services["spark-master"]["command"]}
    assert all(services[worker]["command"][-1] == url for worker in workers)
    assert f"--spark-master-url={url}" in services["job-server"]["command"]
    assert "--job-port=8099" in services["job-server"]["command"]
    assert services["launcher"]["network_mode"] == "service:job-server"


def test_compose_takes_the_file() -> None:
    """Its client reads it without an engine."""
    docker = shutil.which("docker") or "docker"
    try:
        subprocess.run([docker, "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no `docker compose` here")
    subprocess.run(
        [docker, "compose", "--file", DOCKER / "compose.yaml", "config", "--quiet"], check=True
    )


def test_the_spark_application_runs_our_image_beside_spark() -> None:
    """The versions are those of compose.yaml, and each executor has a pool of workers."""
    application = yaml.safe_load((DOCKER / "spark-application.yaml").read_text("utf-8"))
    spec: dict[str, Any] = application["spec"]
    assert spec["image"] == COMPOSE["services"]["spark-master"]["image"]
    assert Version(spec["sparkVersion"]) in requirements(EXTRAS["spark"])["pyspark"].specifier
    (pool,) = spec["executor"]["sidecars"]
    assert pool["image"].rpartition("/")[2] == WORKER
    assert pool["args"] == ["--worker_pool"]
    assert pool["ports"] == [{"containerPort": 50000}]


def commands() -> Iterator[list[str]]:
    """Yield the words of every command of docker/README.md."""
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                yield shlex.split(line)


def pipelines_words(words: list[str]) -> list[str]:
    """Return what a command gives to `python -m pipelines`, or nothing."""
    for start in (["-m", "pipelines"], ["--rm", "launcher"]):
        for at in range(len(words)):
            if words[at : at + len(start)] == start:
                return words[at + len(start) :]
    return []


def test_the_commands_of_the_page_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their flags exist, and the pre-flight has nothing against them."""
    monkeypatch.setattr(preflight, "gcp_is_installed", lambda: True)
    monkeypatch.setattr(preflight, "image_suffix", lambda: f"beam{BEAM}-py{PYTHON}")
    launches = 0
    for words in commands():
        if not (given := pipelines_words(words)):
            continue
        cut = given.index("--") if "--" in given else len(given)
        make_app("corpusmill").parse_args(given[:cut], exit_on_error=False, print_error=False)
        if flags := given[cut + 1 :]:
            launches += 1
            assert list(refused_options(options_of(flags, workers=1))) == [], flags
    assert launches >= 5


def test_the_page_names_images_by_their_tags_and_files_that_exist() -> None:
    """Every worker image has the tag that a launch asks for."""
    named = set(re.findall(r"corpusmill-worker:[\w.-]+\w", README))
    assert named == {WORKER}
    for words in commands():
        for word in words:
            if word.startswith("docker/"):
                assert (ROOT / word).exists(), word
    assert MODELS_IN_IMAGE in README
