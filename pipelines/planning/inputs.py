"""How much input each step of a recipe has: of files that are there, or by tables of sizes."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.planning.measured import TOKENS
from pipelines.planning.tables import Rates, Size
from pipelines.recipe import Recipe
from pipelines.storage import files as storage

# The settings that name what a step reads, and of which step that is.
_FIELDS = ("input", "wet", "gutenberg", "books3", "wikipedia", "commoncrawl", "cutoffs_from")
_OTHER_STEP = {("c4", "wet"): "c4.wet"}
_PLACES = ("{data}", "{out}")
TOKENIZER = "tokenizer"


def steps_of(recipe: Recipe) -> list[tuple[str, dict[str, tuple[str, ...]]]]:
    """Return the steps of a recipe that read inputs, in order, each with its patterns by setting.

    A model comes before the source that needs it.
    """
    steps: list[tuple[str, dict[str, tuple[str, ...]]]] = []
    for source, settings in recipe.sources:
        for model, model_settings in recipe.models:
            if model.before == source.name:
                steps.append((model.name, _patterns(model_settings)))
        by_step: dict[str, dict[str, tuple[str, ...]]] = {}
        for name, patterns in _patterns(settings).items():
            step = _OTHER_STEP.get((source.name, name), source.name)
            by_step.setdefault(step, {})[name] = patterns
        steps += by_step.items()
    return steps


def source_of(step: str) -> str:
    """Return the source that a step is of: ``c4`` of ``c4.wet``."""
    return step.split(".", 1)[0]


def _patterns(settings: Any) -> dict[str, tuple[str, ...]]:
    values = {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.name in _FIELDS
    }
    return {name: tuple(value) for name, value in values.items() if value}


def sizes_there(recipe: Recipe, rates: Rates) -> dict[str, Size]:
    """Return the sizes of inputs that can be listed now.

    What is yet to be made (the text of a source) is reckoned from the share of text that the
    measured run kept.

    Raises:
        RunError, StorageError: an input is not there, or no rate is known that says its text.
    """
    sizes: dict[str, Size] = {}
    for step, fields in steps_of(recipe):
        count = total = 0.0
        for pattern in (one for patterns in fields.values() for one in patterns):
            made = pattern.removeprefix("{out}/")
            if made != pattern:
                if made not in sizes:
                    raise RunError(f"{recipe.name}: {step} reads {pattern}, which no step makes")
                files, size = sizes[made].files[0], sizes[made].text_bytes[0]
            else:
                files, size = _listed(pattern)
            count, total = count + files, total + size
        text = total * text_share(rates, step)
        pairs = ((count, count), (total, total), (text, text))
        sizes[step] = Size(pairs[0], pairs[1], "listed", pairs[2])
    return sizes


def _listed(pattern: str) -> tuple[int, int]:
    if any(place in pattern for place in _PLACES):
        raise RunError(f"{pattern}: name the folder of the inputs with --data")
    found = storage.list_tree(pattern) or storage.find_inputs([pattern])
    return len(found), sum(max(0, file.size) for file in found)


def text_share(rates: Rates, step: str) -> float:
    """Return the bytes of kept text per byte of input, as in the measured run."""
    rate = rates.step(step)
    return rate.text_bytes / rate.input_bytes


def sizes_told(recipe: Recipe, table: Mapping[str, Size], rates: Rates) -> dict[str, Size]:
    """Return the sizes that a table gives for the steps of a recipe.

    Raises:
        RunError: a step is not in the table.
    """
    sizes = {}
    for step, _ in steps_of(recipe):
        if step not in table:
            raise RunError(f"{recipe.name}: no size is given for {step}: put a [{step}] in --sizes")
        size = table[step]
        if not size.text_bytes:
            share = text_share(rates, step)
            size = dataclasses.replace(size, text_bytes=tuple(n * share for n in size.bytes))
        sizes[step] = size
    return sizes


def later_steps(recipe: Recipe, sizes: Mapping[str, Size], rates: Rates) -> dict[str, Size]:
    """Return the sizes of the steps that follow the sources: tokenizer, then shards per source."""
    shards: dict[str, Size] = {}
    for source, _ in recipe.sources:
        own = {step: size for step, size in sizes.items() if source_of(step) == source.name}
        text = _sums(size.text_bytes for size in own.values())
        # A unit of a source writes a file of documents.
        files = _sums(
            tuple(map(rates.step(step).units, size.files, size.bytes)) for step, size in own.items()
        )
        shards[f"{TOKENS}.{source.name}"] = Size(files, text, "the kept text of the source", text)
    sample = float(recipe.sample.sample_bytes) or math.inf  # 0: all text
    low, high = _sums(size.bytes for size in shards.values())
    read = (min(sample, low), min(sample, high))
    tokenizer = Size((1.0, 1.0), read, "sample_bytes of the recipe, or all text", (0.0, 0.0))
    return {TOKENIZER: tokenizer, **shards}


def _sums(pairs: Iterable[tuple[float, ...]]) -> tuple[float, float]:
    low, high = zip(*pairs, strict=True)
    return sum(low), sum(high)
