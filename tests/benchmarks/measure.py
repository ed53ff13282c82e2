"""Time a command as its user would, from start to exit, and watch the memory of its processes."""

import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.05
BUSY = 1.5  # a load above which a figure says it
REPORTED: list[tuple[str, str]] = []  # the test, and its figure


@dataclass(frozen=True)
class Measured:
    """What a command took."""

    seconds: float
    launcher: int  # bytes resident, at their peak
    worker: int  # of the largest worker process; 0 if there was none
    output: str
    # Of the largest worker, without pages of mapped files, which the kernel may drop at any time.
    worker_own: int = 0


def measure(*arguments: str) -> Measured:
    """Run a Python command; time it and watch the memory of its processes."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    peaks: defaultdict[int, int] = defaultdict(int)
    own: defaultdict[int, int] = defaultdict(int)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, own, done))
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    assert process.returncode == 0
    launcher = peaks.pop(process.pid, 0)
    own.pop(process.pid, 0)
    largest, own_largest = (max(found.values(), default=0) for found in (peaks, own))
    return Measured(seconds, launcher, largest, output, own_largest)


def _watch(root: int, peaks: dict[int, int], own: dict[int, int], done: threading.Event) -> None:
    while not done.wait(POLL_SECONDS):
        try:
            launcher = psutil.Process(root)
            for process in (launcher, *launcher.children(recursive=True)):
                memory = process.memory_info()
                peaks[process.pid] = max(peaks[process.pid], memory.rss)
                mapped = getattr(memory, "shared", 0)  # Linux alone tells it
                own[process.pid] = max(own[process.pid], memory.rss - mapped)
        except psutil.Error:  # it ended meanwhile
            continue


def report(figure: str) -> None:
    """Print a figure, as ``what: value``, with the machine's load, and keep it for the page."""
    load = psutil.getloadavg()[0]
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    REPORTED.append((test, f"{figure} (load {load:.1f})" if load > BUSY else figure))
    print(f"\n{figure} [{psutil.cpu_count()} cores, load {load:.1f}]")
