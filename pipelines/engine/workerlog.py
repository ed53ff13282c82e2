"""What the worker processes of a pool print.

It goes to a file without a name, which is kept under one only if a message names it: nothing is
left of a run that ends well, or of a launcher that is killed.
"""

import os
import shutil
import tempfile
import uuid
from pathlib import Path


class WorkerLog:
    """What the workers print: a file that has no name until it is kept."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.fileno = self._file.fileno()
        name = f"corpusmill-workers-{uuid.uuid4().hex[:12]}.log"
        self.name = str(Path(tempfile.gettempdir()) / name)  # that it gets if it is kept

    @property
    def size(self) -> int:
        """Bytes that were printed."""
        return os.fstat(self.fileno).st_size

    def keep(self) -> bool:
        """Give the file its name; return False if nothing was printed."""
        if self.size:
            self._file.seek(0)
            with Path(self.name).open("wb") as named:
                shutil.copyfileobj(self._file, named)
        return self.size > 0

    def close(self) -> None:
        """Remove the file, unless it was kept."""
        self._file.close()
