r"""Stack Exchange from dumps to threads: HTML to text, the whole command, and its memory.

Run with ``pytest -m benchmark -s`` and the path of this file: a line per figure. The inputs are the
real archives and a made site (``made_site``): ``CORPUSMILL_BENCH_POSTS`` sets its number of posts,
``CORPUSMILL_BENCH_CHARACTERS`` the median of their lengths. Commands are measured from start to
exit, imports included. Ten million posts on two workers::

    CORPUSMILL_BENCH_POSTS=10000000 CORPUSMILL_BENCH_CHARACTERS=100 python -m pytest -s \
        -m benchmark tests/benchmarks/test_stackexchange_pipeline.py -k "made_site and 2"
"""

import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import py7zr
import pytest

from filters.stackexchange.body import html_to_text
from pipelines.readers.sevenzip import read_member
from pipelines.stackexchange.records import Post, RawRow, frame_rows, post_of
from tests.benchmarks.made_site import MEDIAN_CHARACTERS, SITE, MadeSite, write_site
from tests.benchmarks.measure import measure, report

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

ROUNDS = 3
POSTS = int(os.environ.get("CORPUSMILL_BENCH_POSTS", "100000"))
CHARACTERS = int(os.environ.get("CORPUSMILL_BENCH_CHARACTERS", str(MEDIAN_CHARACTERS)))
ARCHIVED_POSTS = 90_000  # of the usual length: 118 MB of XML
MEMORY = 2e9  # bytes that a worker may take
# Unpacking takes as long for archives that were packed with less effort.
FAST = [{"id": py7zr.FILTER_LZMA2, "preset": 1}]


@pytest.fixture(scope="module")
def archives(data: Path) -> list[Path]:
    """Return the real archives."""
    return sorted((data / "stackexchange").glob("*.7z"))


def _xml(path: Path) -> bytes:
    pieces: list[bytes] = []
    with path.open("rb") as stream:
        read_member(stream, path.name, "Posts.xml", pieces.append)
    return b"".join(pieces)


def _bodies(archives: list[Path]) -> list[str]:
    rows = (row for path in archives for row in frame_rows([_xml(path)], whole=True))
    posts = (post_of(row) for row in rows if isinstance(row, RawRow))
    return [post.body for post in posts if isinstance(post, Post)]


def test_html_to_text(archives: list[Path]) -> None:
    """One core; UTF-8 of HTML."""
    bodies = _bodies(archives)
    megabytes = sum(len(body.encode()) for body in bodies) / 1e6
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for body in bodies:
            html_to_text(body)
        seconds.append(time.process_time() - began)
    report(f"html_to_text: {megabytes / min(seconds):.1f} MB/s of HTML")


def test_archives(archives: list[Path], tmp_path: Path) -> None:
    """From 7z to documents on one worker: the real archives, and one of a made site."""
    _, path = write_site(tmp_path, ARCHIVED_POSTS)
    packed = tmp_path / f"{SITE}.7z"
    with py7zr.SevenZipFile(packed, "w", filters=FAST) as out:
        out.write(path, "Posts.xml")
    megabytes = path.stat().st_size / 1e6 + sum(len(_xml(path)) for path in archives) / 1e6
    path.unlink()
    inputs = [*archives, packed]
    sites = ",".join(path.name.removesuffix(".7z") for path in inputs)
    _curate(inputs, tmp_path / "run", megabytes, "--sites", sites, "--workers", "1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MadeSite, Path]]:
    """Yield what a made site holds, and its ``Posts.xml``, which may take gigabytes."""
    folder = tmp_path_factory.mktemp("made")
    yield write_site(folder, POSTS, CHARACTERS)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def manifests() -> list[Any]:
    """Return a place for the files of the runs, with their hashes."""
    return []


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_made_site(
    made: tuple[MadeSite, Path], manifests: list[Any], tmp_path: Path, workers: int
) -> None:
    """Every post of a large site is accounted for, within a worker's memory, the same bytes."""
    site, path = made
    run = tmp_path / "run"
    _curate([path.parent], run, path.stat().st_size / 1e6, "--workers", str(workers))
    stats = json.loads((run / "stats.json").read_text())
    rejected = {stage["stage"]: stage["rejected"] for stage in stats["stages"]}
    wikis = sum(rejected["stackexchange.type"].values())
    assert (stats["records_read"], stats["bad_records"]) == (site.posts, 0)
    assert (stats["documents"], stats["joined"]) == (site.questions, site.answers)
    assert (wikis, rejected["stackexchange.thread"]) == (
        site.wikis,
        {"orphan_answer": site.orphans},
    )
    manifests.append(json.loads((run / "manifest.json").read_text())["files"])
    assert manifests[0] == manifests[-1]
    shutil.rmtree(run)


def _curate(inputs: list[Path], run: Path, megabytes: float, *flags: str) -> None:
    words = ["pipelines", "stackexchange", "--input", *map(str, inputs), "--run", str(run)]
    before = _cpu_seconds()
    measured = measure(*words, "--quiet", *flags)
    cpu = _cpu_seconds() - before
    report(
        f"{' '.join(flags[-2:])}: {megabytes:.0f} MB of XML in {measured.seconds:.1f} s, "
        f"{cpu:.1f} s of CPU, {megabytes / cpu:.1f} MB per CPU second; "
        f"launcher {measured.launcher / 1e6:.0f} MB, worker {measured.worker / 1e6:.0f} MB"
    )
    assert measured.worker < MEMORY


def _cpu_seconds() -> float:
    """Return what commands have taken, their worker processes included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
