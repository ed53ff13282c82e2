"""A recipe builds every source, then the tokenizer, then the token shards.

::

    name = "demo"

    [sources.github]            # the source's flags, with _ for -
    input = ["{data}/github"]

    [lm]                        # the flags of a command that trains a model
    lang = "en"

    [tokenizer]                 # settings of SentencePiece and of its training sample
    vocab_size = 4096
    mixture = "llama1"

    [tokens]
    seed = 0

``{data}`` is replaced by the value of ``--data`` and ``{out}`` by that of ``--out``. Finished parts
are skipped, so running the same command again resumes.
"""

import dataclasses
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mixtures.mixture import MixtureError, load
from pipelines.catalog import MODELS, SOURCE_BY_NAME, ModelStep
from pipelines.engine.config import to_bytes
from pipelines.engine.costs import Laps
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.runs import failed_files
from pipelines.engine.settings import from_table
from pipelines.engine.source import Source
from pipelines.storage import files as storage
from pipelines.tokenize import TokenizeConfig, tokenize
from tokenizer.corpus import Corpus
from tokenizer.settings import nearest, setting
from tokenizer.train import SAMPLE_BYTES, TrainSettings, train

BUNDLED = ("demo", "llama1")


@dataclass(frozen=True)
class SampleSettings:
    """How the tokenizer's training sample is drawn (docs/rules/tokens.md 1.4)."""

    sample_bytes: int = setting(SAMPLE_BYTES, at_least=0, help="bytes of text, 0 for all")
    weights: Mapping[str, float] | None = setting(
        None, help="share of each source in these bytes; by default as the documents come"
    )
    mixture: str = setting("", help="mixture by file or name, whose shares are these weights")
    random_seed: int = setting(0, at_least=0, help="chooses the sample")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `tokenizer.train.train` once the weights are resolved."""
        return {
            "sample_bytes": self.sample_bytes,
            "weights": self.weights,
            "random_seed": self.random_seed,
        }


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read and checked."""

    name: str
    sources: Sequence[tuple[Source, Any]]  # with settings, in the order of building
    models: Sequence[tuple[ModelStep, Any]]
    tokenizer: TrainSettings
    sample: SampleSettings
    tokens: Mapping[str, Any]  # settings of the shards, without runs and tokenizer


def read(path: str, *, data: str, out: str) -> Recipe:
    """Read a recipe by path, or one that comes with the package by name (``demo``).

    Args:
        path: path or name of the recipe.
        data: the value of ``{data}``.
        out: the value of ``{out}``.

    Raises:
        RunError: there is no such recipe, it is not TOML, or it has an unknown key.
    """
    bundled = resources.files("pipelines") / "recipes" / f"{path}.toml"
    try:
        text = bundled.read_text("utf-8") if bundled.is_file() else Path(path).read_text("utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError as error:
        hint = nearest(path, BUNDLED) or f". Give a file, or one of: {', '.join(BUNDLED)}"
        raise RunError(f"{path}: no such recipe{hint}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not TOML: {error}") from error
    steps = {step.name: step for step in MODELS}
    known = ("name", "sources", *steps, "tokenizer", "tokens")
    for key in content:
        if key not in known:
            raise RunError(f"{path}: unknown key '{key}'{nearest(key, known)}")
    tables = content.get("sources", {})
    for name in tables:
        if name not in SOURCE_BY_NAME:
            raise RunError(f"{path}: unknown source '{name}'{nearest(name, SOURCE_BY_NAME)}")
    if not tables:
        names = ", ".join(SOURCE_BY_NAME)
        raise RunError(f"{path}: no [sources.NAME]: name at least one of {names}")
    places = {"data": data, "out": out}
    sources = [entry.load() for name, entry in SOURCE_BY_NAME.items() if name in tables]
    table = dict(content.get("tokenizer", {}))
    drawn = {field.name for field in dataclasses.fields(SampleSettings)}
    sample = {key: table.pop(key) for key in drawn & table.keys()}
    tokens = content.get("tokens", {})
    from_table(TokenizeConfig, {"runs": [], "tokenizer": "", **tokens}, f"{path}: tokens")
    return Recipe(
        name=content.get("name", Path(path).stem),
        sources=[
            (
                source,
                _settings(source, tables[source.name], places, f"{path}: sources.{source.name}"),
            )
            for source in sources
        ],
        models=[
            (step, _settings(step, content[step.name], places, f"{path}: {step.name}"))
            for name, step in steps.items()
            if name in content
        ],
        tokenizer=from_table(TrainSettings, table, f"{path}: tokenizer"),
        sample=_with_weights(
            from_table(SampleSettings, sample, f"{path}: tokenizer"),
            [source.name for source in sources],
            f"{path}: tokenizer",
        ),
        tokens=tokens,
    )


def _with_weights(sample: SampleSettings, sources: Sequence[str], where: str) -> SampleSettings:
    """Take the weights of the sample from its mixture, and check those that the recipe gives."""
    weights = _shares(sample, sources, where) if sample.mixture else sample.weights
    if weights is None:
        return sample
    for name, weight in weights.items():
        if name not in sources:
            raise RunError(f"{where}: weights: no source {name!r} here{nearest(name, sources)}")
        if not 0 <= weight < math.inf:
            raise RunError(f"{where}: weights: {name} is {weight}, expected a number from 0 up")
    if missing := [name for name in sources if name not in weights]:
        of = sample.mixture or "weights"
        raise RunError(f"{where}: {of} has no share of {missing[0]}; 0 leaves a source out")
    if not any(weights.values()):
        raise RunError(f"{where}: every source has the weight 0, so nothing is left to sample")
    return dataclasses.replace(sample, weights=weights)


def _shares(sample: SampleSettings, sources: Sequence[str], where: str) -> dict[str, float]:
    """Return the shares that the sample's mixture has of these sources, of which any may lack."""
    if sample.weights is not None:
        raise RunError(f"{where}: it has a mixture and weights; take one out")
    try:
        mixture = load(sample.mixture)
    except MixtureError as error:
        raise RunError(f"{where}: mixture: {error}") from error
    if mixture.kind == "epochs":
        raise RunError(
            f"{where}: {sample.mixture} gives epochs, which are no shares of a sample; give "
            "weights = {SOURCE = SHARE} instead"
        )
    shares = {source.name: float(source.amount) for source in mixture.sources}
    return {name: share for name, share in shares.items() if name in sources}


def _settings(
    of: Source | ModelStep, table: Mapping[str, Any], places: Mapping[str, str], where: str
) -> Any:
    """Read a table of a recipe, with ``{data}`` and ``{out}`` replaced in its values."""
    filled = {key: _fill(value, places, f"{where}: {key}") for key, value in table.items()}
    return from_table(of.settings, filled, where)


def _fill(value: Any, places: Mapping[str, str], where: str) -> Any:
    if isinstance(value, list):
        return [_fill(item, places, where) for item in value]
    if isinstance(value, str):
        for name, place in places.items():
            if f"{{{name}}}" in value:
                if not place:
                    raise RunError(f"{where}: {value} needs --{name} DIR")
                value = value.replace(f"{{{name}}}", place.rstrip("/"))
    return value


def build(
    recipe: Recipe,
    out: str,
    launch: Launch,
    say: Callable[[str], None] = print,
) -> dict[str, str]:
    """Build everything below ``out``: ``SOURCE/``, models, ``tokenizer/``, ``tokens/SOURCE/``.

    The inputs of every source are looked up before the first is built, except those of a source
    that needs a model of this recipe: without the model its settings cannot be checked.
    If this one command does all of it on this machine, ``timings.json`` says what each part took.

    Returns:
        the input files that could not be read, and why.

    Raises:
        RunError, StorageError: the message says what went wrong and what to do.
        ValueError: the tokenizer cannot be trained; the message says why.
    """
    first = storage.join(out, recipe.sources[0][0].name, "config.json")
    whole = not storage.exists(first) and not launch.beam_flags
    laps = Laps(launch.workers)
    waiting = {step.before for step, _ in recipe.models}
    for source, settings in recipe.sources:
        if source.name not in waiting:
            source.find(settings)
    failed: dict[str, str] = {}
    for source, settings in recipe.sources:
        for step, step_settings in recipe.models:
            if step.before == source.name:
                say(f"{recipe.name}: {step.name}")
                step.train(
                    step_settings, storage.join(out, step.out), lambda words: say(f"  {words}")
                )
                laps.end(step.name)
        say(f"{recipe.name}: {source.name}")
        run = storage.join(out, source.name)
        ledger = run_source(source, settings, run, launch)
        laps.end(source.name)
        failed |= failed_files(run)
        say(f"  {ledger.documents:,} of {ledger.records_read:,} records kept: {run}")
    model = train_tokenizer(recipe, out, say)
    laps.end("tokenizer")
    for source, _ in recipe.sources:
        name = source.name
        say(f"{recipe.name}: token shards of {name}")
        table = {"runs": [storage.join(out, name)], "tokenizer": model, **recipe.tokens}
        config = from_table(TokenizeConfig, table, "tokens")
        tokens = storage.join(out, "tokens", name)
        splits = tokenize(config, tokens, launch).splits
        laps.end(f"tokens.{name}")
        train_tokens, held_out = splits["train"].tokens, splits["heldout"].tokens
        say(f"  {train_tokens:,} tokens, {held_out:,} held out: {tokens}")
    if whole:
        storage.write_bytes(storage.join(out, "timings.json"), to_bytes(laps.facts()))
    return failed


def train_tokenizer(recipe: Recipe, out: str, say: Callable[[str], None]) -> str:
    """Train the tokenizer on the runs, unless the same one has been trained already.

    Returns:
        the path of the model.

    Raises:
        RunError: the folder holds a tokenizer of other settings; the message says what to do.
    """
    folder = storage.join(out, "tokenizer")
    model, record = storage.join(folder, "tokenizer.model"), storage.join(folder, "config.json")
    runs = [storage.join(out, source.name) for source, _ in recipe.sources]
    wanted = to_bytes(
        {
            "settings": dataclasses.asdict(recipe.tokenizer),
            "sample": recipe.sample.arguments(),
            "runs": [storage.read_bytes(storage.join(run, "COMPLETED")).decode() for run in runs],
        }
    )
    if storage.exists(record):
        if storage.read_bytes(record) == wanted:
            return model
        raise RunError(
            f"{folder} holds a tokenizer of other settings or documents, and token shards may "
            "depend on it. Name another --out, or remove that folder and the tokens/ beside it."
        )
    say(f"{recipe.name}: tokenizer of {recipe.tokenizer.vocab_size:,} pieces")
    trained = train(Corpus(runs), recipe.tokenizer, **recipe.sample.arguments())
    storage.make_directory(folder)
    trained.write(Path(folder) / "tokenizer")
    storage.write_bytes(record, wanted)
    return model
