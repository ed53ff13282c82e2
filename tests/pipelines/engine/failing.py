"""Parsers that fail, each in its way; a child process imports them, so nothing else is here."""

import os
import signal
from typing import Any


def loop(*_: Any) -> None:
    """Never come back."""
    while True:
        pass


def die(*_: Any) -> None:
    """End the process, as a crash in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(*_: Any) -> None:
    """Raise."""
    raise ValueError("no")
