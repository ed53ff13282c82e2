"""A time budget for each document (docs/rules/sources.md 0.2, rule 5).

A pathological document may use up its budget, but must not stop the run. A watchdog thread reads
the CPU clock of the working thread and raises :class:`DocumentTimeout` there; the ledger turns that
into the reject ``timeout``. The budget is CPU time and not wall time, so that a busy machine drops
no more documents than an idle one.

Traps: signals reach only the main thread, and Beam works in other threads. An exception raised from
outside arrives at the next bytecode, which is after the end of a long call into C that holds the
interpreter lock; such code needs a process of its own (``child``).
"""

import ctypes
import threading
import time
from typing import Self

DOCUMENT_SECONDS = 60.0  # CPU seconds a document may take (docs/rules/sources.md 0.2, rule 5)
_POLL_SECONDS = 0.25


class DocumentTimeout(BaseException):
    """A document used up its CPU seconds. No ``Exception``, so that no filter catches it."""


class _Withdrawn(BaseException):
    """Replaces a :class:`DocumentTimeout` that was raised too late."""


def _raise_in(thread: int, exception: type[BaseException]) -> None:
    value = ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)


class TimeGuard:
    """Limit the CPU time of each document, in the thread that made the guard.

    :class:`DocumentTimeout` may be raised at any bytecode from :meth:`begin` to the return of
    :meth:`end`, so the caller must catch it around both.
    """

    def __init__(self, seconds: float = DOCUMENT_SECONDS) -> None:
        self.seconds = seconds
        self._thread = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._lock = threading.Lock()
        self._serial = 0  # number of the current document; 0 between documents
        self._count = 0
        self._raised = False  # whether the current document has timed out
        self._closed = threading.Event()
        self._watchdog: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._watchdog = threading.Thread(target=self._watch, name="document-timer", daemon=True)
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        if self._watchdog:
            self._watchdog.join()

    def begin(self) -> None:
        """Start the budget of the next document."""
        self._count += 1
        self._serial = self._count

    def end(self) -> None:
        """Stop the budget; after this returns nothing is raised."""
        with self._lock:  # the watchdog raises only while it holds the lock
            self._serial = 0
            raised, self._raised = self._raised, False
        if raised:
            try:
                _raise_in(self._thread, _Withdrawn)  # replaces the pending exception
                while True:  # wait for it: it is raised at the next jump back
                    pass
            except _Withdrawn:
                return

    def _watch(self) -> None:
        seen, began = 0, 0.0
        while not self._closed.wait(min(_POLL_SECONDS, self.seconds / 4)):
            with self._lock:
                serial = self._serial
                if not serial:
                    seen = 0
                    continue
                used = time.clock_gettime(self._clock)
                if serial != seen:
                    # The document is new: its budget starts here, at most one poll late.
                    seen, began = serial, used
                elif used - began > self.seconds:
                    self._raised = True
                    _raise_in(self._thread, DocumentTimeout)
                    seen, began = serial, used  # raise again later, in case a filter caught it
