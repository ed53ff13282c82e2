"""Train the models that sources need, and read rules for templates from dumps."""

from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from pipelines.catalog import MODELS, ModelStep
from pipelines.wikipedia.templates import TemplatesConfig, make_rules
from tokenizer.commandline import flags_of, take_settings

OUT = Annotated[str, Parameter(help="local path to write to: a folder; for wikiref a file")]


def command_of(step: ModelStep) -> Callable[..., int]:
    """Return the function of the command that trains a model."""

    def train(*, settings: Any, out: OUT) -> int:
        step.train(settings, out, print)
        return 0

    take_settings(train, step.settings)
    return train


def templates(
    *,
    settings: flags_of(TemplatesConfig),  # type: ignore[valid-type] # made for cyclopts
    out: Annotated[str, Parameter(help="where the rules go: a name in .json")],
) -> int:
    """Read rules for Wikipedia's templates from the definitions in dumps."""
    make_rules(settings, out, print)
    return 0


def __getattr__(name: str) -> Callable[..., int]:
    """Return the command of the model of that name, which is imported now."""
    for step in MODELS:
        if step.name == name:
            return command_of(step)
    raise AttributeError(name)
