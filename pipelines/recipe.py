"""A recipe: every source, then the tokenizer, then the token shards, in order (DESIGN 1).

::

    name = "demo"

    [sources.github]            # settings of the source, by the names of its flags
    input = ["{data}/github"]

    [tokenizer]                 # settings of SentencePiece, and of the sample it is trained on
    vocab_size = 4096

    [tokens]
    seed = 0

``{data}`` is what ``--data`` says. What is finished is skipped, so the command may be given again.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.launch import Launch, Source, run_source
from pipelines.runs import RunError, to_bytes
from pipelines.settings import from_table
from pipelines.tokenize import TokenizeConfig, tokenize
from tokenizer.corpus import Corpus
from tokenizer.strict import nearest
from tokenizer.train import TrainSettings, train

_SAMPLE_KEYS = {"sample_bytes": 2_000_000_000, "weights": None, "random_seed": 0}


@dataclass(frozen=True)
class Recipe:
    """A recipe, read and checked."""

    name: str
    sources: Mapping[str, Any]  # name -> its settings
    tokenizer: TrainSettings
    sample: Mapping[str, Any]  # how the tokenizer's sample is drawn
    tokens: Mapping[str, Any]  # settings of the shards


def read(path: str, sources: Sequence[Source], data: str) -> Recipe:
    """Read a recipe by path, or one that comes with the package by name (``demo``).

    Raises:
        RunError: it is not there, not TOML, or holds a key that nothing knows.
    """
    bundled = resources.files("pipelines") / "recipes" / f"{path}.toml"
    try:
        text = bundled.read_text("utf-8") if bundled.is_file() else Path(path).read_text("utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError as error:
        raise RunError(f"{path}: no such recipe. Give a file, or one of: demo, llama1") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not TOML: {error}") from error
    known = ("name", "sources", "tokenizer", "tokens")
    for key in content:
        if key not in known:
            raise RunError(f"{path}: unknown key '{key}'{nearest(key, known)}")
    by_name = {source.name: source for source in sources}
    settings = {}
    for name, table in content.get("sources", {}).items():
        if name not in by_name:
            raise RunError(f"{path}: unknown source '{name}'{nearest(name, by_name)}")
        filled = {key: _fill(value, data, f"{path}: {name}.{key}") for key, value in table.items()}
        settings[name] = from_table(by_name[name].settings, filled, f"{path}: sources.{name}")
    if not settings:
        raise RunError(f"{path}: no [sources.NAME]: name at least one of {', '.join(by_name)}")
    table = dict(content.get("tokenizer", {}))
    sample = {key: table.pop(key, default) for key, default in _SAMPLE_KEYS.items()}
    return Recipe(
        name=content.get("name", Path(path).stem),
        sources=settings,
        tokenizer=from_table(TrainSettings, table, f"{path}: tokenizer"),
        sample=sample,
        tokens=content.get("tokens", {}),
    )


def _fill(value: Any, data: str, where: str) -> Any:
    if isinstance(value, list):
        return [_fill(item, data, where) for item in value]
    if isinstance(value, str) and "{data}" in value:
        if not data:
            raise RunError(f"{where}: {value} needs --data DIR")
        return value.replace("{data}", data.rstrip("/"))
    return value


def build(
    recipe: Recipe,
    sources: Sequence[Source],
    out: str,
    launch: Launch,
    say: Callable[[str], None] = print,
) -> None:
    """Build everything below ``out``: ``SOURCE/``, ``tokenizer/``, ``tokens/SOURCE/``.

    Raises:
        RunError, StorageError: what went wrong and what to do.
        ValueError: the tokenizer cannot be trained; the message says why.
    """
    for source in sources:
        if source.name in recipe.sources:
            say(f"{recipe.name}: {source.name}")
            run = storage.join(out, source.name)
            ledger = run_source(source, recipe.sources[source.name], run, launch)
            say(f"  {ledger.documents:,} of {ledger.records_read:,} records kept: {run}")
    model = train_tokenizer(recipe, out, say)
    for name in recipe.sources:
        say(f"{recipe.name}: token shards of {name}")
        table = {"runs": [storage.join(out, name)], "tokenizer": model, **recipe.tokens}
        config = from_table(TokenizeConfig, table, "tokens")
        tokens = storage.join(out, "tokens", name)
        splits = tokenize(config, tokens, launch).splits
        train_tokens, held_out = splits["train"].tokens, splits["heldout"].tokens
        say(f"  {train_tokens:,} tokens, {held_out:,} held out: {tokens}")


def train_tokenizer(recipe: Recipe, out: str, say: Callable[[str], None]) -> str:
    """Train the tokenizer on the runs, unless it was trained with the same settings on the same.

    Returns:
        the path of the model.

    Raises:
        RunError: another tokenizer is there; the way out is in the message.
    """
    folder = storage.join(out, "tokenizer")
    model, record = storage.join(folder, "tokenizer.model"), storage.join(folder, "config.json")
    runs = [storage.join(out, name) for name in recipe.sources]
    wanted = to_bytes(
        {
            "settings": dataclasses.asdict(recipe.tokenizer),
            "sample": dict(recipe.sample),
            "runs": [storage.read_bytes(storage.join(run, "COMPLETED")).decode() for run in runs],
        }
    )
    if storage.exists(record):
        if storage.read_bytes(record) == wanted:
            return model
        raise RunError(
            f"{folder} holds a tokenizer of other settings or documents, and token shards may "
            "depend on it. Name another --out, or remove that folder and the tokens beside it."
        )
    say(f"{recipe.name}: tokenizer of {recipe.tokenizer.vocab_size:,} pieces")
    trained = train(Corpus(runs), recipe.tokenizer, **recipe.sample)
    storage.make_directory(folder)
    trained.write(Path(folder) / "tokenizer")
    storage.write_bytes(record, wanted)
    return model
