"""A run directory has one launcher at a time: the file ``LOCK`` names it.

A launcher creates the file exclusively: locally by a hard link, on s3:// and gs:// by a conditional
write, on other stores by writing it and reading it back. It renews the lock every 30 s and removes
it when it ends. A lock that is no longer renewed is taken over: at once if its process ran on this
machine and has ended, after 5 minutes otherwise. A launcher takes over by writing its own lock over
the old one and reading it back after a moment; of two that do so at once, the one whose lock is
read back holds the directory.
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
from typing import Self

from pipelines.engine.config import to_bytes
from pipelines.engine.errors import RunError
from pipelines.engine.runs import LOCK, Run
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

RENEW_SECONDS = 30.0
STALE_SECONDS = 300.0  # without renewal
FENCE_SECONDS = 10.0  # between two looks of a worker at the lock
_SETTLE_SECONDS = 1.0  # in which another launcher that takes over now has written its lock


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that works in a run directory."""

    host: str
    machine: str  # where its process id means something: see ``_machine``
    pid: int
    born: str  # kernel ticks at the process's start, since process ids are used again
    started: str  # UTC, as all times here
    renewed: str
    note: str  # the command, or the id of its job on a cluster
    token: str

    @classmethod
    def here(cls, note: str) -> "Holder":
        """Return this process as a holder."""
        pid, now = os.getpid(), _now()
        host, token = socket.gethostname(), secrets.token_hex(16)
        return cls(host, _machine(), pid, _born(pid), now, now, note, token)

    @property
    def gone(self) -> bool:
        """Whether the process ran on this machine and has ended."""
        return self.machine == _machine() and not _alive(self.pid, self.born)

    @property
    def idle_seconds(self) -> float:
        """Seconds since the lock was renewed."""
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
    """Return host, boot and process namespace: where they are equal, process ids are too."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 -- a kernel's file
    except OSError:
        space = ""
    return f"{socket.gethostname()} {_read_kernel('/proc/sys/kernel/random/boot_id')} {space}"


def _state_and_birth(pid: int) -> tuple[str, str]:
    """Return state and start of a process, each "" where the kernel does not say."""
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
    if state in ("Z", "X"):  # it has ended, but its parent has not waited for it
        return False
    return not born or birth in ("", born)


def read_lock(run: Run) -> Holder | None:
    """Return the process that works in a run directory, or None.

    Raises:
        RunError: ``LOCK`` was not written by a launcher.
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
        holder.idle_seconds.hex()  # raises if the time is not one that a launcher writes
        return replace(holder, pid=int(holder.pid))
    except (ValueError, TypeError) as error:
        raise RunError(
            f"{path} is not a lock of this program. If nothing works in {run.path}, remove it and "
            "run the same command again."
        ) from error


@dataclass(frozen=True)
class Fence:
    """Keeps the job of a launcher that is gone from working beside the job of the next one.

    A cluster's job lives on when its launcher is killed. Workers look from time to time whether
    the run is still held by the launcher of their job. Two jobs at one unit write the same bytes,
    so the seconds between two looks do no harm.
    """

    token: str  # of the launcher's lock; "" for a job that is submitted when no launcher is left

    def check(self, run: Run) -> None:
        """Check that the launcher still holds a run.

        Raises:
            RunError: another one does, or none does.
        """
        if not self.token:
            return
        now = time.monotonic()
        if now - _LOOKED.get((run.path, self.token), -FENCE_SECONDS) < FENCE_SECONDS:
            return
        holder = read_lock(run)
        if holder is None or holder.token != self.token:
            raise RunError(
                f"{run.path} is no longer held by the launcher of this job, but by "
                f"{holder or 'none'}. This job ends; leave the run to the command that holds it."
            )
        _LOOKED[run.path, self.token] = now


_LOOKED: dict[tuple[str, str], float] = {}  # when this process last saw a lock


def remove_left_behind(run: Run) -> None:
    """Remove the lock of a launcher that died once its run was complete."""
    holder = read_lock(run)
    if holder is not None and (holder.gone or holder.idle_seconds > STALE_SECONDS):
        storage.remove_file(run.at(LOCK))


def _print_remark(remark: str) -> None:
    print(remark, file=sys.stderr, flush=True)


class RunLock:
    """Holds a run directory while a block works in it; a complete run needs no lock.

    Args:
        run: the run directory.
        note: what works there: the command, or the id of its job on a cluster.
        remark: shows a line to the user, by default on standard error.
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
            remove_left_behind(self.run)
            return self
        storage.make_directory(self.run.path)
        mine = Holder.here(self._note)
        while not storage.create(self.run.at(LOCK), to_bytes(asdict(mine))):
            holder = read_lock(self.run)
            if holder is None:  # it has just been removed
                continue
            self._take_over(holder, mine)
            break
        self._mine = mine
        self._thread = threading.Thread(target=self._renew, name="lock", daemon=True)
        self._thread.start()
        return self

    def _take_over(self, holder: Holder, mine: Holder) -> None:
        if holder.gone:
            why = "which is no longer running"
        elif holder.idle_seconds > STALE_SECONDS:
            why = f"which has not renewed its lock for {holder.idle_seconds / 60:.0f} minutes"
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

    @property
    def fence(self) -> Fence:
        """What a cluster's workers check before each unit."""
        assert self._mine is not None
        return Fence(self._mine.token)

    def note(self, note: str) -> None:
        """Replace the note, for instance by the id of a started job; written within 30 s."""
        self._note = note

    def check(self) -> None:
        """Check that the lock is still held; call this before the run is completed.

        Raises:
            RunError: another launcher has taken the run over, since the lock was not renewed.
        """
        if self._mine is None:  # the run is complete: nobody locks it
            return
        if not self._taken_by:
            holder = read_lock(self.run)
            if holder is None or holder.token != self._mine.token:
                self._taken_by = str(holder or "another command, which has ended")
        if self._taken_by:
            raise RunError(
                f"{self.run.path} was taken over by {self._taken_by}, since this command had not "
                "renewed its lock for too long. Leave the run to it."
            )

    def __exit__(self, *_: object) -> None:
        """Remove the lock, if it is still this launcher's."""
        if self._mine is None:
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        try:
            holder = read_lock(self.run)
            if holder is not None and holder.token == self._mine.token:
                storage.remove_file(self.run.at(LOCK))
        except (OSError, RunError, storage.StorageError):
            pass  # an error of the block matters more, and the lock expires by itself
