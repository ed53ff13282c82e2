"""The log of a run: ``log.txt`` in its directory, with what every launch of the run had to say.

It holds the command, warnings, workers that died, files that could not be read, how long the launch
took, and the error that ended it. It is no output of the run: it has dates, is not in the manifest,
and grows with every launch.
"""

import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.engine.runs import Run
from pipelines.storage import files as storage

NAME = "log.txt"


class RunLog(logging.Handler):
    """Write lines to the log of a run while the block runs, warnings of the pipelines among them.

    On a local disk a line is in the file at once, and stays there whatever ends the process. A
    store has no appending: there the lines are added when the block ends.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(logging.INFO)
        self._path = run.at(NAME)
        self._local = storage.is_local(self._path)
        self._waiting: list[str] = []
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        logging.getLogger("pipelines").addHandler(self)
        self.say(f"command: {' '.join(sys.argv)}")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        logging.getLogger("pipelines").removeHandler(self)
        ended = f"ended by {type(error).__name__}: {error}" if error else "complete"
        try:
            self.say(f"{ended} after {time.monotonic() - self._began:.1f} s")
            if not self._local:
                self._append_waiting()
        except (OSError, storage.StorageError, storage.UnreadableFile):
            if error is None:  # otherwise the user has to see what ended the block
                raise

    def _append_waiting(self) -> None:
        try:
            before = storage.read_bytes(self._path)
        except storage.MissingFile:
            before = b""
        storage.write_bytes(self._path, before + "".join(self._waiting).encode())

    def say(self, line: str) -> None:
        """Add a line, with the date in UTC before it."""
        stamped = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(line.split())}\n"
        if self._local:
            with Path(self._path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(stamped)
        else:
            self._waiting.append(stamped)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a message of the pipelines' own loggers."""
        self.say(f"{record.levelname.lower()}: {record.getMessage()}")
