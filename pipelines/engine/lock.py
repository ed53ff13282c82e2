"""One launcher per run directory: the file ``LOCK`` says who works there.

A launcher creates it exclusively (locally by a hard link, on s3:// and gs:// by a conditional
write, on other stores by writing and reading back), renews it every 30 s, and removes it when it
ends. A lock that nobody renews is taken over: at once where its process ran on this machine and is
gone, after 5 minutes otherwise. To take over is to write one's own lock over the old one and to
read it back after a moment: of two that do so together, the one whose lock is there has it.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from pipelines.engine.config import to_bytes
from pipelines.engine.errors import RunError
from pipelines.engine.runs import LOCK, Run
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

RENEW_SECONDS = 30.0
STALE_SECONDS = 300.0  # without renewal
_SETTLE_SECONDS = 1.0  # in which another that takes over at the same moment is through


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works in a run directory."""

    host: str
    machine: str  # tells whether a process id of the lock means anything here
    pid: int
    born: str  # when the process began, in the kernel's ticks: a process id may be used again
    started: str  # UTC, as all times here
    renewed: str
    note: str  # the command, or the id of its job on a cluster
    token: str

    @classmethod
    def here(cls, note: str) -> "Holder":
        """Return what a lock of this process says."""
        pid, now = os.getpid(), _now()
        host, token = socket.gethostname(), secrets.token_hex(16)
        return cls(host, _machine(), pid, _born(pid), now, now, note, token)

    @property
    def gone(self) -> bool:
        """Whether the process ran on this machine and is not there any more."""
        return self.machine == _machine() and not _alive(self.pid, self.born)

    @property
    def idle_seconds(self) -> float:
        """How long the lock was not renewed."""
        then = datetime.fromisoformat(self.renewed)
        return (datetime.now(UTC) - then).total_seconds()

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"process {self.pid} on {self.host}, since {self.started}{note}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read_kernel(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123 -- a kernel's file
            return stream.read().strip()
    except OSError:  # another kernel than Linux
        return ""


def _machine() -> str:
    """Return what two processes share that know each other's ids: host, boot, and id space."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 -- a kernel's file
    except OSError:
        space = ""
    return f"{socket.gethostname()} {_read_kernel('/proc/sys/kernel/random/boot_id')} {space}"


def _state_and_birth(pid: int) -> tuple[str, str]:
    """Return the state of a process and when it began, "" where the kernel does not say."""
    after_name = _read_kernel(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (after_name[0], after_name[19]) if len(after_name) > 19 else ("", "")


def _born(pid: int) -> str:
    return _state_and_birth(pid)[1]


def _alive(pid: int, born: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    state, birth = _state_and_birth(pid)
    if state in ("Z", "X"):  # it has ended, and nobody has asked how
        return False
    return not born or birth in ("", born)


def read_lock(run: Run) -> Holder | None:
    """Return who works in a run directory, None if nobody does.

    Raises:
        RunError: ``LOCK`` is not what a launcher wrote.
    """
    path = run.at(LOCK)
    try:
        content = storage.read_bytes(path)
    except storage.MissingFile:
        return None
    except UnreadableFile as error:
        raise RunError(str(error)) from error
    try:
        holder = Holder(**json.loads(content))
        holder.idle_seconds.hex()  # its time and its process are what a launcher writes
        return replace(holder, pid=int(holder.pid))
    except (ValueError, TypeError) as error:
        raise RunError(
            f"{path} is not a lock of this program. If nothing works in {run.path}, remove it and "
            "run the same command again."
        ) from error


def _print_remark(remark: str) -> None:
    print(remark, file=sys.stderr, flush=True)


class RunLock:
    """Holds a run directory while a block works in it; a complete run is only read, and free.

    Args:
        run: the run directory.
        note: what works there: the command, or the id of its job on a cluster.
        remark: says a word to the user, by default on standard error.
    """

    def __init__(
        self, run: Run, note: str = "", *, remark: Callable[[str], None] = _print_remark
    ) -> None:
        self.run = run
        self._note = note
        self._remark = remark
        self._mine: Holder | None = None
        self._taken_by = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            RunError: another launcher works in the directory; the message says which.
        """
        if self.run.completed:
            return self
        storage.make_directory(self.run.path)
        mine = Holder.here(self._note)
        while not storage.create(self.run.at(LOCK), to_bytes(asdict(mine))):
            holder = read_lock(self.run)
            if holder is None:  # it has just gone
                continue
            self._take_over(holder, mine)
            break
        self._mine = mine
        self._thread = threading.Thread(target=self._renew, name="lock", daemon=True)
        self._thread.start()
        return self

    def _take_over(self, holder: Holder, mine: Holder) -> None:
        if holder.gone:
            why = "which is not running any more"
        elif holder.idle_seconds > STALE_SECONDS:
            why = f"which has not been heard of for {holder.idle_seconds / 60:.0f} minutes"
        else:
            raise RunError(
                f"{self.run.path} is in use by {holder}. Wait for it, or stop it and run the same "
                "command again."
            )
        storage.write_bytes(self.run.at(LOCK), to_bytes(asdict(mine)))
        time.sleep(_SETTLE_SECONDS)
        there = read_lock(self.run)
        if there is None or there.token != mine.token:
            raise RunError(f"{self.run.path} is in use by {there}, which took it over just now.")
        self._remark(f"{self.run.path}: taken over from {holder}, {why}")

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            assert self._mine is not None
            try:
                holder = read_lock(self.run)
                if holder is not None and holder.token != self._mine.token:
                    self._taken_by = str(holder)
                    return
                self._mine = replace(self._mine, renewed=_now(), note=self._note)
                storage.write_bytes(self.run.at(LOCK), to_bytes(asdict(self._mine)), durable=False)
            except (OSError, RunError, storage.StorageError):
                continue  # the next renewal may succeed; ten can fail before the lock is stale

    def note(self, note: str) -> None:
        """Say more of what works here, such as the id of a job that has begun; within 30 s."""
        self._note = note

    def check(self) -> None:
        """See that the lock is still held; call it before the run is finished.

        Raises:
            RunError: another launcher has taken the run over, since this one was not heard of.
        """
        if self._mine is None:  # the run is complete: nobody locks it
            return
        if not self._taken_by:
            holder = read_lock(self.run)
            if holder is None or holder.token != self._mine.token:
                self._taken_by = str(holder or "another command, which has ended")
        if self._taken_by:
            raise RunError(
                f"{self.run.path} was taken over by {self._taken_by}, since this command was not "
                "heard of for too long. Leave the run to it."
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the lock, if it is still this launcher's."""
        if self._mine is None:
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            holder = read_lock(self.run)
            if holder is not None and holder.token == self._mine.token:
                storage.remove([self.run.at(LOCK)])
        except (OSError, RunError, storage.StorageError):
            pass  # what went wrong in the block matters more; the lock goes stale by itself
