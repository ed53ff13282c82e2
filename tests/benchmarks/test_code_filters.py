"""Speed of the GitHub filters, in MB of UTF-8 a second and core.

Run with `pytest -m benchmark tests/benchmarks/test_code_filters.py`. The files are modules of
Python's own library, with a licence on top: every installation has them.
"""

import argparse
import subprocess
import tarfile
import typing
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from filters.github.bigcode import comment_ratio
from filters.github.generated import check_generated, check_generated_documentation
from filters.github.headers import split_header, strip_header_redpajama, strip_license_header
from filters.github.languages import language_of_file
from filters.github.licenses import check_license
from filters.github.notice_licenses import check_notice_license, notice_license
from filters.github.paths import check_extension, check_path
from filters.github.quality import (
    check_binary_like,
    check_source_file,
    clean_key,
    normalize_source,
    source_statistics,
)

pytestmark = pytest.mark.benchmark

NOTICE = """\
# Copyright 2020 The Authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""


def _source(module: ModuleType) -> str:
    assert module.__file__
    return Path(module.__file__).read_text("utf-8")


MODULES = [NOTICE + _source(module) for module in (argparse, subprocess, tarfile, typing)]
# GitHub's files are smaller than these modules: 10 kB on average.
ASCII_FILES = [
    NOTICE + text[start : start + 10_000]
    for text in MODULES
    for start in range(0, len(text), 10_000)
]
FILES = {
    "ascii": ASCII_FILES,
    "accents": [text.replace("The Authors", "Zoë Müller") + "# déjà vu\n" for text in ASCII_FILES],
    "chinese": [NOTICE + "# 这是一段用来测试的中文注释。\nreturn 1\n" * 400] * 20,
    "windows": [text.replace("\n", "\r\n") for text in ASCII_FILES],
}
FUNCTIONS: dict[str, Callable[[str], object]] = {
    "normalize_source": normalize_source,
    "check_binary_like": check_binary_like,
    "strip_license_header": partial(strip_license_header, path="a/b.py"),
    "strip_header_redpajama": strip_header_redpajama,
    "check_generated": check_generated,
    "check_generated_documentation": partial(check_generated_documentation, path="a/b.html"),
    "language_of_file": partial(language_of_file, "a/b.h"),
    "source_statistics": source_statistics,
    "check_source_file": check_source_file,
    "clean_key": clean_key,
    "comment_ratio": partial(comment_ratio, path="a/b.py"),
}


def _megabytes(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def _whole_chain(text: str, path: str) -> bool:
    """Run every default step on one file, as a pipeline does."""
    if not (check_license("mit").keep and check_path(path, "33188").keep):
        return False
    if not check_extension(path).keep:
        return False
    text = normalize_source(text)
    if not check_binary_like(text).keep:
        return False
    if not (language_of_file(path, text) and check_generated_documentation(text, path).keep):
        return False
    text, notice = split_header(text, path)
    if not check_notice_license(notice_license(notice), "mit").keep:
        return False
    verdict = check_source_file(text, path, statistics=source_statistics(text))
    return verdict.keep and bool(clean_key(text))


def _run(benchmark: BenchmarkFixture, function: Callable[[str], object], texts: list[str]) -> None:
    megabytes = _megabytes(texts)
    benchmark(lambda: [function(text) for text in texts])
    benchmark.extra_info["megabytes"] = round(megabytes, 3)
    if benchmark.stats:  # none with --benchmark-disable
        benchmark.extra_info["MB/s"] = round(megabytes / benchmark.stats.stats.median, 1)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(benchmark: BenchmarkFixture, name: str, kind: str) -> None:
    """One function alone."""
    _run(benchmark, FUNCTIONS[name], FILES[kind])


@pytest.mark.parametrize("kind", FILES)
def test_whole_chain(benchmark: BenchmarkFixture, kind: str) -> None:
    """All default steps, one after the other."""
    _run(benchmark, partial(_whole_chain, path="src/b.py"), FILES[kind])


def test_gates(benchmark: BenchmarkFixture) -> None:
    """The gates that see no text: files a second."""
    paths = [f"src/main/java/org/example/module{i}/Class{i}.java" for i in range(1000)]

    def run() -> int:
        return sum(check_path(path, 33188).keep and check_extension(path).keep for path in paths)

    assert benchmark(run) == len(paths)
    if benchmark.stats:
        benchmark.extra_info["files/s"] = round(len(paths) / benchmark.stats.stats.median)
