"""Local worker processes: what they print, and what happens when one dies."""

import logging
import os
import shlex
import sys
import tempfile
import threading
from types import TracebackType
from typing import Any, Self

from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker

from pipelines.storage import files as storage

_GRACE_SECONDS = 5.0  # for Beam to notice by itself that a worker process died


class WorkerWatch:
    """Notice when a local worker process dies, as it does when memory runs out.

    What workers print, and what Beam has to say of them here, goes to a log, which stays only if
    one dies: their errors reach us as exceptions as well, and tracebacks of threads would hide the
    one line that says what to do.

    Beam only logs it: the run then fails with an error about a channel, or waits for ever for an
    answer. Here it ends with one line: by :attr:`died` where Beam fails by itself, else by leaving
    the process, since what waits cannot be woken; workers end when their channel closes.
    """

    def __init__(self) -> None:
        self.died = ""  # what happened, or "" while all live
        self._log = ""
        self._started = False
        self._handler: logging.Handler | None = None
        self._noticed = threading.Event()
        self._closed = threading.Event()
        self._run = SubprocessSdkWorker.run

    def __enter__(self) -> Self:
        handle, self._log = tempfile.mkstemp(prefix="corpusmill-workers-", suffix=".log")
        os.close(handle)
        quiet = f"exec >>{shlex.quote(self._log)} 2>&1; exec "

        def run(worker: Any) -> None:
            self._redirect()
            worker._worker_command_line = quiet + worker._worker_command_line  # noqa: SLF001 - Beam has no option
            try:
                self._run(worker)
            except RuntimeError as error:
                self._notice(str(error))

        SubprocessSdkWorker.run = run
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        SubprocessSdkWorker.run = self._run
        if self._handler:
            logging.getLogger("apache_beam").removeHandler(self._handler)
            logging.getLogger("apache_beam").propagate = True
            threading.excepthook = threading.__excepthook__
            self._handler.close()
        if not self.died:
            storage.remove([self._log])

    def _redirect(self) -> None:
        if self._started:
            return
        self._started = True
        self._handler = logging.FileHandler(self._log)
        beam_logger = logging.getLogger("apache_beam")
        beam_logger.addHandler(self._handler)
        beam_logger.propagate = False
        threading.excepthook = lambda failed: beam_logger.error(
            "in thread %s",
            failed.thread,
            exc_info=failed.exc_value,
        )

    def _notice(self, what: str) -> None:
        code = what.rsplit(" ", 1)[-1]
        self.died = (
            f"a worker process died (exit code {code}; its log: {self._log}), perhaps "
            "for want of memory. Give the same command again to resume; fewer --workers need less."
        )
        self._noticed.set()
        if not self._closed.wait(_GRACE_SECONDS):
            print(f"error: {self.died}", file=sys.stderr, flush=True)
            os._exit(1)

    def blame(self) -> str:
        """Return what happened to a worker; the news may come a moment after Beam's error."""
        if self._started:
            self._noticed.wait(1.0)
        return self.died
