"""The steps of docker/worker.Dockerfile, run without a container engine.

They run in a copy of what the image is built from, with an environment that has nothing but a PATH
with one Python and the system's compiler. Beam's worker pool is started from what they made, and a
source runs on it with the bytes of a local run. It takes minutes: `make test-all`.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.engine.runs import Run
from pipelines.samples.github import write_github_export

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = ("filters", "mixtures", "pipelines", "tokenizer", "trainer")
POOL = "apache_beam.runners.worker.worker_pool_main"
START_SECONDS = 120
STOP_SECONDS = 20


class Image:
    """What the steps make, below a folder; the folder stands for the image's /."""

    def __init__(self, folder: Path) -> None:
        self.source, self.out, self.venv = folder / "src", folder / "build", folder / "venv"
        self.folder = folder
        system = folder / "bin"
        system.mkdir()
        python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        (system / "python").symlink_to(python)
        (folder / "home").mkdir()
        self.path = f"{system}:/usr/bin:/bin"

    def copy_sources(self) -> None:
        """Copy what .dockerignore lets through."""
        ignore = shutil.ignore_patterns("__pycache__", "*.so")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
            if line.startswith("!"):
                source, target = ROOT / line[1:], self.source / line[1:]
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, ignore=ignore)
                else:
                    shutil.copy2(source, target)

    def environment(self, path: str) -> dict[str, str]:
        """Return an environment with a PATH, and with the package index of this machine."""
        index = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        return {"HOME": str(self.folder / "home"), "PATH": path, **index}

    def step(self, name: str, *words: Path) -> None:
        """Run a step of the Dockerfile."""
        done = subprocess.run(
            [self.source / "docker" / "build_worker.sh", name, self.out, *words],
            cwd=self.folder,
            env=self.environment(self.path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]

    @property
    def final(self) -> dict[str, str]:
        """The environment that the image's ENV lines set."""
        there = self.environment(f"{self.venv}/bin:{self.path}")
        return there | {"XDG_CACHE_HOME": str(self.out / "cache")}

    def wheel(self) -> Path:
        """Return the project's wheel."""
        (found,) = (self.out / "wheel").glob("*.whl")
        return found


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Run the steps, or take what they made earlier (CORPUSMILL_IMAGE)."""
    made = Image(tmp_path_factory.mktemp("image"))
    made.copy_sources()
    if earlier := os.environ.get("CORPUSMILL_IMAGE"):  # while one works on a later step
        made.out, made.venv = Path(earlier) / "build", Path(earlier) / "venv"
        return made
    for step in ("tools", "packages", "wheel"):
        made.step(step)
    made.step("install", made.venv)
    return made


def test_the_wheel_holds_all_data_and_no_tests(image: Image) -> None:
    """Everything that is under version control in the packages, and their extensions."""
    assert image.wheel().name.split("-", 2)[2].startswith("cp311-abi3-")
    with zipfile.ZipFile(image.wheel()) as archive:
        held = set(archive.namelist())
    info = {name for name in held if ".dist-info/" in name}
    extensions = {name for name in held if name.endswith(".so")}
    assert extensions == {
        "filters/c4/_langdetect.abi3.so",
        "filters/commoncrawl/_paragraphs.abi3.so",
        "filters/commoncrawl/_perplexity.abi3.so",
        "filters/fasttext/_fasttext.abi3.so",
        "filters/wikipedia/_lines.abi3.so",
        "filters/wikipedia/_marks.abi3.so",
        "tokenizer/_bpe.abi3.so",
    }
    sources = {
        path.relative_to(image.source).as_posix()
        for package in PACKAGES
        for path in (image.source / package).rglob("*")
        if path.is_file() and path.suffix not in {".so", ".pyc"}
    }
    assert held - info - extensions == sources
    assert any(name.endswith("licenses/LICENSE") for name in info)


def test_the_environment_holds_the_locked_versions_and_nothing_else(image: Image) -> None:
    """So a launcher made from docker/versions.txt is the workers' twin."""
    listing = subprocess.run(
        [image.venv / "bin" / "python", "-m", "pip", "list", "--format=freeze"],
        env=image.final, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    normal = str.maketrans("_.", "--")
    found = {line.lower().translate(normal) for line in listing.split()}
    lines = (image.source / "docker" / "versions.txt").read_text("utf-8").splitlines()
    wanted = {line.translate(normal) for line in lines if not line.startswith("#")}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    extra = {name.split("==")[0] for name in found - wanted}
    assert wanted <= found
    assert extra <= {"corpusmill", "pip"}
    assert f"corpusmill=={version}".translate(normal) in found


def test_compiled_programs_run_on_every_machine(image: Image) -> None:
    """No instruction of AVX is in what we compile: the build itself stops at one."""
    (tool,) = (image.out / "cache" / "corpusmill").glob("kenlm-*/bin/lmplz")
    assert not avx(tool)
    broken = image.folder / "avx.c"
    broken.write_text("void f(float *x) { for (int i = 0; i < 64; i++) x[i] *= 2.0f; }", "utf-8")
    program = broken.with_suffix(".so")
    if os.uname().machine == "x86_64":
        flags = ["-O3", "-mavx2", "-shared", "-fPIC", "-o", program]
        subprocess.run(["cc", *flags, broken], check=True)
        assert avx(program)  # so the test sees what it looks for


def avx(path: Path) -> bool:
    """Return whether a program has instructions of AVX."""
    listing = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", path], capture_output=True, check=True
    )
    return b"%ymm" in listing.stdout or b"%zmm" in listing.stdout


@contextmanager
def pool(image: Image, port: int) -> Iterator[None]:
    """Run Beam's worker pool as the image's entrypoint does, while a block lasts."""
    log = image.folder / "pool.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["python", "-m", POOL, f"--service_port={port}"],
            executable=image.venv / "bin" / "python",
            cwd=image.folder,
            env=image.final,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not listening(port):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < end, log.read_text("utf-8")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def listening(port: int) -> bool:
    """Return whether a port of this machine is open."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_source_runs_on_workers_of_the_image(image: Image, tmp_path: Path) -> None:
    """The launcher is of the image too; every file has the SHA-256 of a local run."""
    inputs, here, there = tmp_path / "in", tmp_path / "here", tmp_path / "there"
    write_github_export(inputs, megabytes=0.2)
    assert main(["github", "--input", str(inputs), "--run", str(here), "--quiet"]) == 0
    port = free_port()
    command = ["-m", "pipelines", "github", "--quiet", "--input", inputs, "--run", there, "--"]
    runner = ["--runner=PortableRunner", "--job_endpoint=embed"]
    workers = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
    with pool(image, port):
        done = subprocess.run(
            [
                image.venv / "bin" / "python",
                *command,
                *runner,
                *workers,
            ],
            cwd=image.folder,
            env=image.final,
            capture_output=True,
            text=True,
            check=False,
        )
    log = (image.folder / "pool.log").read_text("utf-8")
    assert done.returncode == 0, done.stderr + log[-3000:]
    assert "Starting worker with command" in log
    assert Run(str(there)).manifest == Run(str(here)).manifest
    assert (there / "manifest.json").read_bytes() == (here / "manifest.json").read_bytes()
