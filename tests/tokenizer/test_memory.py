"""Memory of whoever writes and checks shards follows from the size of a shard, not of the source.

Shards and chunks are made small, so that a source of several megabytes has many of them.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tokenizer.finished_runs import write_run
from tokenizer.model import Tokenizer

TEXT_BYTES = 20_000  # of a document
GROWTH = 12.0  # megabytes allowed; a source that is held takes its text and its ids, 70 more

# Anonymous memory, since pages of mapped files are the system's to take back.
MEASURED = r"""
import re, sys, threading, time
from pathlib import Path
from tokenizer import local, shards
from tokenizer.__main__ import main
shards.SHARD_CHARACTERS = 2_000_000
local.CHUNK_TOKENS = 300_000
peak, done = [0.0], threading.Event()
def watch():
    while not done.wait(0.003):
        status = Path("/proc/self/status").read_text()
        peak[0] = max(peak[0], int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1000)
watcher = threading.Thread(target=watch)
watcher.start()
code = main(sys.argv[1:])
done.set()
watcher.join()
print("peak", peak[0])
sys.exit(code)
"""


def peak_megabytes(root: Path, words: Sequence[str | Path]) -> float:
    """Run a command of the tokenizer: the most anonymous memory that it had at a time."""
    command = [sys.executable, "-c", MEASURED, *map(str, words)]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return float(done.stdout.split("peak ")[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for its memory")
def test_a_source_six_times_as_large_takes_no_more_memory(
    texts: list[str], tokenizer: Tokenizer, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Neither to write its shards nor to check them."""
    text = "".join(texts)
    written, checked = [], []
    for number, documents in enumerate((400, 2400)):
        begins = (begin % (len(text) - TEXT_BYTES) for begin in range(0, 10**9, 7919))
        rows = [
            (str(i), text[begin : begin + TEXT_BYTES])
            for i, begin in zip(range(documents), begins, strict=False)
        ]
        run = write_run(tmp_path / f"run{number}", "github", rows, files=documents // 50)
        shards = tmp_path / f"shards{number}"
        words = ["shard", "--input", run, "--model", tokenizer.path, "--output", shards]
        written.append(peak_megabytes(pytestconfig.rootpath, words))
        checked.append(peak_megabytes(pytestconfig.rootpath, ["verify", shards]))
    assert written[1] - written[0] < GROWTH, written
    assert checked[1] - checked[0] < GROWTH, checked
