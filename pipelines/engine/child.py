"""Call a function in a child process, so that a loop, a crash or a leak costs one call only.

The time budget of ``guard`` cannot stop a call into C that holds the interpreter lock, and a parser
written in C may hold it for ever. Here the kernel stops it: the child limits its memory, and before
each call sets a timer of its own CPU time, so it ends by itself even when its parent is gone. The
next call starts a new child. Pickles travel through the pipes: the function by name once, then the
arguments of each call, and its result in return.

Trap: forking a process that has threads, as Beam's workers do, may deadlock. So the child is a new
interpreter, which imports only this module and the one of the function.
"""

import atexit
import contextlib
import os
import pickle
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, Self

CALL_SECONDS = 10.0  # of CPU time: a large page takes less than one
CHILD_MEGABYTES = 4096  # of address space
_START_SECONDS = 60.0  # of wall time, for the interpreter and its imports on a loaded machine
_EXIT_SECONDS = 10.0  # from the end of its pipe to its exit code
_MAX_KILLS = 2  # from outside, of one call
_WALL_FACTOR = 30.0  # a call may wait that much longer for its CPU seconds
_SIZE = struct.Struct("<Q")


class ChildFailed(Exception):  # noqa: N818 - named after what happened to the child
    """The call has no result: ``reason`` is ``timeout``, ``died``, or the function's error."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class _KilledError(Exception):
    """The process was killed from outside."""


class Child:
    """Call ``function`` in a process that starts with the first call and is replaced when it dies.

    Args:
        function: a function of a module, or a partial of one. It is pickled, as are arguments and
            results.
        seconds: CPU time that one call may take.
        megabytes: address space that the process may use.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        seconds: float = CALL_SECONDS,
        megabytes: int = CHILD_MEGABYTES,
    ) -> None:
        self.function = function
        self.seconds = seconds
        self.megabytes = megabytes
        self.started = 0  # how many processes there have been
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, *arguments: Any) -> Any:
        """Call the function and return its result.

        A process that is killed from outside says nothing about the call, which is tried once more.

        Raises:
            ChildFailed: it raised, took too long, or the process died.
            MemoryError: the process was killed twice, as the kernel does where memory is short.
            OSError: no process can be started.
        """
        with self._lock:
            for _ in range(_MAX_KILLS):
                with contextlib.suppress(_KilledError):
                    result, problem = self._call(arguments)
                    break
            else:
                raise MemoryError(f"a child process was killed {_MAX_KILLS} times at one call")
        if problem:
            raise ChildFailed("raised", problem)
        return result

    def _call(self, arguments: tuple[Any, ...]) -> tuple[Any, str]:
        """Return the result and "", or None and what the function raised."""
        try:
            process = self._running()
            _send(process.stdin, arguments)
            answer: tuple[Any, str] = _receive(process.stdout, self.seconds * _WALL_FACTOR)
        except (EOFError, OSError) as error:
            if self._process is None:  # it could not be started
                raise
            raise self._lost(isinstance(error, TimeoutError)) from error
        except BaseException:  # a time budget ran out here: the next answer would be stale
            self.close()
            raise
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it was killed between two calls
        if self._process is None:
            self.started += 1
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.engine.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
            _send(self._process.stdin, (self.function, self.seconds, self.megabytes))
            _receive(self._process.stdout, _START_SECONDS)
        return self._process

    def _lost(self, waited: bool) -> Exception:
        code = self.close()
        if code == -signal.SIGKILL and not waited:  # no function does that to its process
            return _KilledError()
        if waited or code == -signal.SIGPROF:
            return ChildFailed("timeout", f"more than {self.seconds:g} s of CPU time")
        return ChildFailed("died", f"exit code {code}")

    def close(self) -> int | None:
        """End the process, if there is one, and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            # A child that has died gives its exit code; one that hangs is killed.
            process.wait(_EXIT_SECONDS if process.stdout and _ended(process.stdout) else 0)
        except subprocess.TimeoutExpired:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # flushing into a closed pipe
                    pipe.close()
        return process.wait()


def _ended(stream: IO[bytes]) -> bool:
    """Tell whether the other side has closed the pipe."""
    return _readable(stream, 0.0)


def _readable(stream: IO[bytes], seconds: float) -> bool:
    """Wait for bytes or the end of the pipe; ``select`` fails on large file descriptors."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _send(stream: IO[bytes] | None, value: Any) -> None:
    assert stream
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes] | None, seconds: float | None = None) -> Any:
    """Read one message; raise EOFError where the pipe ends, TimeoutError after ``seconds``."""
    assert stream
    deadline = None if seconds is None else time.monotonic() + seconds
    (size,) = _SIZE.unpack(_read(stream, _SIZE.size, deadline))
    return pickle.loads(_read(stream, size, deadline))  # noqa: S301 - our own child wrote it


def _read(stream: IO[bytes], size: int, deadline: float | None) -> bytes:
    found = bytearray()
    while len(found) < size:
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            if not _readable(stream, left):
                raise TimeoutError
        if not (data := os.read(stream.fileno(), min(size - len(found), 1 << 20))):
            raise EOFError
        found += data
    return bytes(found)


_children: dict[Any, Child] = {}
_children_lock = threading.Lock()


def shared_child(function: Callable[..., Any], *, seconds: float = CALL_SECONDS) -> Child:
    """Return this process's child for a function of a module; the child ends with the process."""
    with _children_lock:
        key = (function, seconds, os.getpid())
        if key not in _children:
            _children[key] = Child(function, seconds=seconds)
            atexit.register(_children[key].close)
        return _children[key]


def main() -> None:
    """Answer calls until the other side closes the pipe."""
    # The function's output must not be mixed into the answers, so it goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    calls = sys.stdin.buffer
    function, seconds, megabytes = _receive(calls)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process even if C code holds the lock
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the launcher to handle
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = megabytes << 20 if hard == resource.RLIM_INFINITY else min(megabytes << 20, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _send(answers, "ready")
    while True:
        try:
            arguments = _receive(calls)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            answer = function(*arguments), ""
        except Exception as error:  # noqa: BLE001 - the caller gets it as ChildFailed
            answer = None, f"{type(error).__name__}: {error}"[:500]
        signal.setitimer(signal.ITIMER_PROF, 0)
        try:
            _send(answers, answer)
        except BrokenPipeError:  # the parent is gone
            return


if __name__ == "__main__":
    main()
