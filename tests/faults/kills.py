"""Kill a process of a run at a random moment, give the command again, and compare the bytes.

What must not change is every file of the run directory but the seconds that its stages took. That
also shows what was left behind: a lock, a temporary file, claims.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 400  # of one command; one that hangs longer is killed, and given again
# Minutes after which a command on a cluster ends a job in which nothing moves: Spark may wait for
# ever for a Python worker that died before it had connected.
MAX_STALL = "1.5"
MAX_TRIES = 4  # of the command, after a kill
MAX_MISSES = 12  # kills that came too late, of one fault
POLL_SECONDS = 0.01
# What differs from run to run: seconds per stage, which sidecars hold too.
NOT_COMPARED = ("timings.json", "log.txt", "units/")

Command = "subprocess.Popen[str]"


@dataclass(frozen=True)
class Subject:
    """A command whose run is disturbed: its words without the run directory, which come last."""

    name: str
    words: tuple[str, ...]
    run_flag: str = "--run"

    def start(self, run: Path, runner: Sequence[str], workers: int) -> "subprocess.Popen[str]":
        """Give the command, in a process of its own."""
        flags = [self.run_flag, str(run), "--workers", str(workers), "--quiet"]
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines", *self.words, *flags, *runner],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Target:
    """What is killed.

    ``kill`` ends it and tells whether it was there to be killed; ``restore`` is what an operator
    does afterwards, such as to start a service again.
    """

    name: str
    kill: Callable[["subprocess.Popen[str]", random.Random], bool]
    restore: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Fault:
    """A kill, and what came of it."""

    subject: str
    target: str
    seconds: float  # since the run directory was there
    done: str  # how far the run was: files by folder
    again: int  # how often the command had to be given again; 0: the run recovered by itself
    told: tuple[str, ...]  # the last line of each attempt that failed by itself
    # Files that differ from the undisturbed run's, and tracebacks that the user saw; empty: none.
    differences: tuple[str, ...]

    @property
    def survived(self) -> bool:
        """Whether the run is complete, and equal to one that was not disturbed."""
        return not self.differences

    def __str__(self) -> str:
        again = f"given again {self.again} times" if self.again else "recovered by itself"
        end = "equal" if self.survived else f"DIFFERS: {', '.join(self.differences[:4])}"
        told = f" [{' | '.join(self.told)}]" if self.told else ""
        where = f"{self.seconds:5.1f} s ({self.done})"
        return f"{self.subject:12} {self.target:12} at {where}: {again}, {end}{told}"


def content(run: Path) -> dict[str, bytes]:
    """Return every file of a run whose bytes must not change."""
    names = {
        path.relative_to(run).as_posix(): path for path in sorted(run.rglob("*")) if path.is_file()
    }
    return {n: path.read_bytes() for n, path in names.items() if not n.startswith(NOT_COMPARED)}


def progress(run: Path) -> str:
    """Return how far a run is: the files of each folder that shows it."""
    folders = {"claims": "*/*.claims", "verdicts": "*/*", "staged": "*.json", "units": "*.json"}
    found = {name: len(list((run / name).glob(glob))) for name, glob in folders.items()}
    return ", ".join(f"{name} {count}" for name, count in found.items() if count) or "begun"


def kill_launcher(command: "subprocess.Popen[str]", _rng: random.Random) -> bool:
    """Kill the process of the command itself."""
    if command.poll() is not None:
        return False
    command.kill()
    return True


def _any_child(_child: psutil.Process) -> bool:
    return True


def kill_child_of(
    pid: int,
    rng: random.Random,
    *,
    of: Callable[[psutil.Process], bool] = _any_child,
) -> bool:
    """Kill one of the processes that a process has started.

    Args:
        pid: of the process that has started them.
        rng: chooses one.
        of: tells which of them may be killed.
    """
    with suppress(psutil.NoSuchProcess):
        alive = [
            child.pid
            for child in psutil.Process(pid).children(recursive=True)
            if child.status() != psutil.STATUS_ZOMBIE and of(child)
        ]
        if alive:
            os.kill(rng.choice(sorted(alive)), signal.SIGKILL)
            return True
    return False


def kill_worker(command: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Kill one of the launcher's worker processes."""
    return command.poll() is None and kill_child_of(command.pid, rng)


LOCAL_TARGETS = (Target("launcher", kill_launcher), Target("worker", kill_worker))


class Trials:
    """Runs of one subject: one undisturbed, and one for each fault.

    Args:
        subject: the command.
        folder: where the runs go.
        runner: flags of a runner, after ``--``; none for this machine's processes.
        workers: processes of each run.
    """

    def __init__(
        self, subject: Subject, folder: Path, runner: Sequence[str] = (), workers: int = 2
    ) -> None:
        self._subject = subject
        self._folder = folder
        self._runner = ["--max-stall", MAX_STALL, "--", *runner] if runner else []
        self._workers = workers
        self._count = 0
        self.whole: dict[str, bytes] = {}
        self.seconds = 0.0  # that the undisturbed run took after its directory was there

    def run_undisturbed(self, runner: Sequence[str] | None = None) -> None:
        """Run the command without a fault; what it leaves is what all others must leave.

        Raises:
            AssertionError: it failed.
        """
        run = self._folder / f"{self._subject.name}-whole"
        command = self._subject.start(run, self._runner if runner is None else runner, 2)
        self._wait_until_begun(command, run)
        begun = time.monotonic()
        _, errors = command.communicate(timeout=RUN_SECONDS)
        assert command.returncode == 0, errors[-3000:]
        self.seconds = time.monotonic() - begun
        self.whole = content(run)

    def disturb(self, target: Target, rng: random.Random) -> Fault:
        """Run the command, kill something at a random moment, and give it again until it ends.

        Raises:
            AssertionError: it never ends, or no kill comes before the end of the run.
        """
        length = self.seconds
        for _ in range(MAX_MISSES):
            self._count += 1
            run = self._folder / f"{self._subject.name}-{self._count:03d}"
            command = self._subject.start(run, self._runner, self._workers)
            self._wait_until_begun(command, run)
            moment = rng.uniform(0, length)
            begun = time.monotonic()
            while time.monotonic() < begun + moment and command.poll() is None:
                time.sleep(POLL_SECONDS)
            while command.poll() is None:
                if target.kill(command, rng):
                    seconds, done = time.monotonic() - begun, progress(run)
                    return self._after(target, run, command, seconds, done)
                time.sleep(POLL_SECONDS)  # its workers are yet to start
            command.communicate()
            # This run was faster than the undisturbed one: other work may have slowed that.
            length = min(length, 0.9 * (time.monotonic() - begun))
        raise AssertionError(f"{self._subject.name}: no {target.name} was there to be killed")

    def _after(
        self,
        target: Target,
        run: Path,
        command: "subprocess.Popen[str]",
        seconds: float,
        done: str,
    ) -> Fault:
        told: list[str] = []
        target.restore()
        again = tracebacks = 0
        while True:
            try:
                _, errors = command.communicate(timeout=RUN_SECONDS)
            except subprocess.TimeoutExpired:
                command.kill()
                command.communicate()
                errors = f"killed after {RUN_SECONDS} s"
            if command.returncode == 0:
                break
            if command.returncode > 0:  # it was not killed: it must say what is wrong
                tracebacks += "Traceback" in errors
                told.append((errors.strip().splitlines() or ["no word"])[-1])
            if again == MAX_TRIES:
                told.append("it never ended")
                break
            again += 1
            command = self._subject.start(run, self._runner, self._workers)
        differences = self._compare(run)
        if tracebacks:  # what went wrong must be told in a line
            differences += (f"{tracebacks} tracebacks",)
        return Fault(
            self._subject.name, target.name, seconds, done, again, tuple(told), differences
        )

    def _compare(self, run: Path) -> tuple[str, ...]:
        found = content(run)
        names = sorted({*found, *self.whole})
        return tuple(name for name in names if found.get(name) != self.whole.get(name))

    @staticmethod
    def _wait_until_begun(command: "subprocess.Popen[str]", run: Path) -> None:
        """Wait until a command has begun its work: the run directory has a configuration."""
        end = time.monotonic() + RUN_SECONDS
        while not (run / "config.json").exists():
            if command.poll() is not None or time.monotonic() > end:
                command.kill()
                raise AssertionError(f"it did not begin: {command.communicate()[1][-3000:]}")
            time.sleep(POLL_SECONDS)
