"""Stack Exchange from archives to threads: HTML to text, the whole command, and its memory.

Run with ``pytest -m benchmark -s`` and the path of this file: a line per figure.
The inputs are the real archives; ``CORPUSMILL_BENCH_POSTS`` asks for a made site of so many posts
besides, whose bodies are those of the archives. Commands are timed from start to exit, imports
included.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from filters.stackexchange.body import html_to_text
from pipelines.readers.sevenzip import read_member
from pipelines.samples.stackexchange import archive, posts_xml
from pipelines.samples.threads import SamplePost
from pipelines.stackexchange.records import Post, RawRow, frame_rows, post_of
from tests.benchmarks.measure import measure, report

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

ROUNDS = 3
POSTS = int(os.environ.get("CORPUSMILL_BENCH_POSTS", "0"))
PER_THREAD = 3  # posts


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


@pytest.mark.parametrize("workers", [1, 2])
def test_pipeline(archives: list[Path], tmp_path: Path, workers: int) -> None:
    """From the archives to documents."""
    megabytes = sum(len(_xml(path)) for path in archives) / 1e6
    sites = ",".join(path.name.removesuffix(".7z") for path in archives)
    _curate(archives, tmp_path / "run", megabytes, "--sites", sites, "--workers", str(workers))


def test_large_site(archives: list[Path], tmp_path: Path) -> None:
    """A made site, larger than the real ones: what a worker's memory does."""
    if not POSTS:
        pytest.skip("set CORPUSMILL_BENCH_POSTS to a number of posts")
    bodies = _bodies(archives)
    posts = []
    for number in range(1, POSTS + 1):
        question = number - (number - 1) % PER_THREAD
        post = SamplePost(number, bodies[number % len(bodies)], score=number * 7919 % 100)
        named = {"post_type": 1, "title": f"Question {number}"}
        posts.append(
            replace(post, **named) if number == question else replace(post, parent=question)  # type: ignore[arg-type] # fields
        )
    xml = posts_xml(posts)
    path = tmp_path / "made.example.com.7z"
    path.write_bytes(archive({"Posts.xml": xml}))
    _curate([path], tmp_path / "run", len(xml) / 1e6, "--workers", "1")


def _curate(inputs: list[Path], run: Path, megabytes: float, *flags: str) -> None:
    words = ["pipelines", "stackexchange", "--input", *map(str, inputs), "--run", str(run)]
    measured = measure(*words, "--quiet", *flags)
    report(
        f"{' '.join(flags[-2:])}: {megabytes:.0f} MB of XML in {measured.seconds:.1f} s, "
        f"{megabytes / measured.seconds:.1f} MB/s; launcher {measured.launcher / 1e6:.0f} MB, "
        f"worker {measured.worker / 1e6:.0f} MB"
    )
