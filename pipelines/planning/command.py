"""The command ``python -m pipelines plan``: what a recipe costs before it is run."""

from dataclasses import dataclass

from pipelines import recipe as recipes
from pipelines.engine.errors import RunError
from pipelines.planning.estimate import plan_steps
from pipelines.planning.inputs import later_steps, sizes_there, sizes_told
from pipelines.planning.measured import measured, parts_of
from pipelines.planning.page import comparison, page
from pipelines.planning.tables import bundled, prices_of, rates_of, read, sizes_of
from tokenizer.settings import setting

CORES = 512  # of the clusters that the page shows


@dataclass(frozen=True)
class PlanConfig:
    """Settings of the command, as flags."""

    data: str = setting("", help="folder of the inputs, to list them (default: --sizes)")
    sizes: str = setting("", help="TOML of the inputs' sizes (default: those of LLaMA-1)")
    measured: tuple[str, ...] = setting(
        (), help="your rates: TOML files, finished run directories, directories of built recipes"
    )
    prices: str = setting("", help="TOML of prices and assumptions")
    cores: int = setting(CORES, at_least=1, help="cores of the clusters that are shown")
    compare: str = setting(
        "", help="directory that the recipe was built in: show what it took beside the plan"
    )


def plan(name: str, config: PlanConfig) -> str:
    """Return the plan of a recipe as Markdown, or beside what it took.

    Raises:
        RunError, StorageError: the message is one line that says what to do.
    """
    if config.data and config.sizes:
        raise RunError("give --data, whose files are listed, or --sizes, and not both")
    recipe = recipes.read(name, data=config.data or "{data}", out="{out}")
    rates = measured(rates_of(*bundled("rates.toml")), config.measured)
    prices = prices_of(*(read(config.prices) if config.prices else bundled("prices.toml")))
    if config.data:
        sizes = sizes_there(recipe, rates)
    else:
        table = read(config.sizes) if config.sizes else bundled("llama1.toml")
        sizes = sizes_told(recipe, sizes_of(*table), rates)
    steps = plan_steps({**sizes, **later_steps(recipe, sizes, rates)}, rates)
    if config.compare:
        return comparison(steps, parts_of(config.compare))[0] + "\n"
    command = f"python -m pipelines plan {name}"
    return page(recipe.name, steps, rates, prices, cores=config.cores, command=command)
