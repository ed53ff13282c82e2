"""A function in a child process: whatever it does costs its call and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.engine.child import Child, ChildFailed

REPOSITORY = Path(__file__).parents[3]
SECONDS = 30  # in which anything here must happen


def behave(what: str) -> str:
    """Do as told: what a parser may do to its process."""
    if what == "loop":
        while True:
            pass
    if what == "hold":  # one long call into C, which nothing in the interpreter can interrupt
        sum(range(10**12))
    if what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what.startswith("killed"):  # as often as the file has lines too few
        path, times = what.split()[1:]
        with open(path, "a+", encoding="utf-8") as marks:  # noqa: PTH123 -- a few bytes
            marks.seek(0)
            if len(marks.readlines()) < int(times):
                marks.write("x\n")
                marks.flush()
                os.kill(os.getpid(), signal.SIGKILL)
    if what == "eat":
        return "x" * (8 << 30)
    if what == "recurse":
        return behave(what)
    if what == "print":
        print("in between")
        os.write(1, b"in between")
    return what.upper()


@pytest.fixture
def child() -> Iterator[Child]:
    """A child with a small budget."""
    with Child(behave, seconds=0.3) as made:
        yield made


def _reason(child: Child, what: str) -> str:
    with pytest.raises(ChildFailed) as failed:
        child.call(what)
    return failed.value.reason


@pytest.mark.parametrize("times", [1, 2])
def test_a_kill_from_outside_is_not_held_against_the_call(
    child: Child, tmp_path: Path, times: int
) -> None:
    """As where memory is short: it is tried again, and then it is the machine's fault."""
    what = f"killed {tmp_path / 'marks'} {times}"
    if times == 1:
        assert child.call(what) == what.upper()
    else:
        with pytest.raises(MemoryError, match="killed 2 times"):
            child.call(what)
    assert child.started == 2
    assert child.call("a") == "A"


def test_it_starts_with_the_first_call_and_stays(child: Child) -> None:
    """A process is not paid for by who needs none, and one serves all calls."""
    assert child.started == 0
    assert [child.call("a"), child.call("b")] == ["A", "B"]
    assert child.started == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [("loop", "timeout"), ("hold", "timeout"), ("die", "died")],
)
def test_a_call_that_loops_or_dies_costs_a_process_and_the_next_gets_another(
    child: Child, what: str, reason: str
) -> None:
    """By what it did."""
    assert _reason(child, what) == reason
    assert child.call("a") == "A"
    assert child.started == 2


@pytest.mark.parametrize("what", ["eat", "recurse"])
def test_an_error_costs_the_call_alone(child: Child, what: str) -> None:
    """Also that of memory: its limit makes an error of it."""
    assert _reason(child, what) == "raised"
    assert child.call("a") == "A"
    assert child.started == 1


def test_what_it_prints_is_no_answer(child: Child) -> None:
    """Its standard output is not the pipe."""
    assert [child.call("print"), child.call("a")] == ["PRINT", "A"]


def test_a_child_killed_between_two_calls_is_replaced(child: Child) -> None:
    """By somebody, such as the kernel for want of memory."""
    child.call("a")
    assert child._process
    child._process.kill()
    child._process.wait()
    assert child.call("a") == "A"


def test_it_does_not_wait_for_ever(child: Child) -> None:
    """A child that stops using CPU time is killed by the clock on the wall."""
    child.call("a")
    assert child._process
    os.kill(child._process.pid, signal.SIGSTOP)
    child.seconds = 0.01
    assert _reason(child, "a") == "timeout"


def test_threads_share_it(child: Child) -> None:
    """Each gets its own answer."""
    answers: dict[str, str] = {}
    words = [f"word{i}" for i in range(20)]
    threads = [
        threading.Thread(target=lambda word=word: answers.update({word: child.call(word)}))
        for word in words
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert answers == {word: word.upper() for word in words}


@pytest.mark.parametrize("what", ["a", "hold"])
def test_it_ends_with_a_caller_that_is_killed(what: str) -> None:
    """At rest when its pipe closes, at work when its time is over: no orphan."""
    program = (
        "import sys; from pipelines.engine.child import Child;"
        "from tests.pipelines.engine import test_child;"
        "made = Child(test_child.behave, seconds=2); made.call('a');"
        f"print(made._process.pid, flush=True); made.call({what!r}); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    child = psutil.Process(int(process.stdout.readline()))
    time.sleep(0.2)
    process.kill()
    process.communicate(timeout=SECONDS)
    _, alive = psutil.wait_procs([child], timeout=SECONDS)
    assert not alive
