"""Cut a run off at a call, and know which units a function was called for.

Workers are processes of their own: files tell the test what they did.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.engine.units import Unit


def failing_after(calls: int, function: Callable[..., Any], done: Path) -> Callable[..., Any]:
    """Return a function that fails after so many calls.

    Args:
        calls: that succeed.
        function: that is called for a unit.
        done: folder that is made, and gets a file named by each unit.
    """
    done.mkdir()

    def call(*arguments: Any, **options: Any) -> Any:
        if len(list(done.iterdir())) == calls:
            raise RunError("cut off")
        (unit,) = (argument for argument in arguments if isinstance(argument, Unit))
        (done / unit.name).touch()
        return function(*arguments, **options)

    return call


def names(done: Path) -> set[str]:
    """Return the units that the function was called for."""
    return {path.name for path in done.iterdir()}
