"""What a process of a cluster knows of the run that it works on, and checks before it works."""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.engine.lock import Fence
from pipelines.engine.runs import Run
from pipelines.engine.workspace import Workspace


@dataclass(frozen=True)
class Worker:
    """The workspace of a cluster's workers, and the check that each passes before it works."""

    workspace: Workspace
    check: Callable[
        [Run], None
    ]  # raises MachineError if versions or models differ from the launcher's
    fence: Fence | None = None  # against the job of a launcher that is gone

    @property
    def death(self) -> str:
        """How a worker dies that leaves its note; those of other launchers' jobs do not count."""
        return f"did not end{f' in job {self.fence.token[:8]}' if self.fence else ''}"

    def check_wanted(self) -> None:
        """Raise RunError if another launcher has taken the run over."""
        if self.fence:
            self.fence.check(self.workspace.run)

    def begin(self) -> None:
        """Raise MachineError if this process must not work on the run."""
        if self.workspace.run.path not in _CHECKED:
            self.check(self.workspace.run)
            _CHECKED.add(self.workspace.run.path)


_CHECKED: set[str] = set()  # run directories for which this process has been checked
