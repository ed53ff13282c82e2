"""Token shards as a mixture sees them: what ``TOKENS/<source>/manifest.json`` says.

The manifest is written last, so a source without one is not finished (spec ``tokens.md`` 3). Only
the counts and the identity of the tokenizer are read here; the shards themselves stay closed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mixtures.mixture import MixtureError

FORMAT = "corpusmill-shards"
VERSION = 1

# What all sources of a mixture must have in common: ids mean the same tokens everywhere.
_SHARED = ("tokenizer_sha256", "vocab_size", "dtype", "bos_id", "eos_id", "add_bos", "add_eos")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrainShard:
    """One shard of a source's train split."""

    name: str  # of its files, without suffix
    tokens: int  # bos and eos included
    sha256: str  # of the file of token ids


@dataclass(frozen=True, slots=True)
class Manifest:
    """The train split of one source."""

    source: str
    shards: tuple[TrainShard, ...]  # in name order
    shared: Mapping[str, object]  # the tokenizer's identity and the document marks

    @property
    def tokens(self) -> int:
        """Tokens of all train shards."""
        return sum(shard.tokens for shard in self.shards)


def read_manifest(path: Path) -> Manifest:
    """Read one source's manifest.

    Raises:
        MixtureError: there is none, it is of another format or version, or it contradicts itself.
    """
    try:
        table = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MixtureError(
            f"{path}: no such file, so the shards are not complete: tokenize "
            f"{path.parent.name!r} again, it goes on where it stopped"
        ) from None
    except OSError as error:
        raise MixtureError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MixtureError(f"{path}: is not JSON: {error}") from error
    try:
        return _manifest(table)
    except MixtureError as error:
        raise MixtureError(f"{path}: {error}") from None


def read_manifests(tokens: Path, sources: Iterable[str]) -> dict[str, Manifest]:
    """Read the manifests of ``sources`` under the directory ``tokens``.

    Raises:
        MixtureError: a source has no shards there, its manifest is bad, or two sources were
            tokenized differently.
    """
    try:
        found = sorted(path.name for path in tokens.iterdir() if path.is_dir())
    except OSError as error:
        raise MixtureError(
            f"{tokens}: cannot be read: {error.strerror}; name the folder that holds the token "
            "shards of each source, as `python -m pipelines build` writes them"
        ) from error
    manifests: dict[str, Manifest] = {}
    for source in sources:
        if source not in found:
            raise MixtureError(
                f"{tokens}: no token shards of {source!r}, only of {', '.join(found) or 'nothing'}"
                ": tokenize it, or leave it out of the mixture"
            )
        manifest = read_manifest(tokens / source / "manifest.json")
        if manifest.source != source:
            raise MixtureError(f"{tokens / source}: holds the shards of {manifest.source!r}")
        for other in manifests.values():
            _check_same_tokens(manifest, other)
        manifests[source] = manifest
    return manifests


def _check_same_tokens(manifest: Manifest, other: Manifest) -> None:
    for key in _SHARED:
        if manifest.shared[key] != other.shared[key]:
            raise MixtureError(
                f"sources {other.source!r} and {manifest.source!r} were tokenized differently: "
                f"{key} is {other.shared[key]} and {manifest.shared[key]}"
            )


def _manifest(table: object) -> Manifest:
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise MixtureError(f"is no manifest of token shards: format is not {FORMAT!r}")
    if table.get("version") != VERSION:
        raise MixtureError(f"version {table.get('version')!r} is not known, only {VERSION}")
    shards = []
    for row in _field(table, "shards", list):
        if not isinstance(row, dict):
            raise MixtureError("shards holds something that is no shard")
        if _field(row, "split", str) == "train":
            ids = _field(_field(row, "files", dict), "bin", dict)
            shards.append(
                TrainShard(
                    _field(row, "name", str), _field(row, "tokens", int), _field(ids, "sha256", str)
                )
            )
    shards.sort(key=lambda shard: shard.name)
    manifest = Manifest(
        source=_field(table, "source", str),
        shards=tuple(shards),
        shared={key: _field(table, key, object) for key in _SHARED},
    )
    if len({shard.name for shard in shards}) < len(shards):
        raise MixtureError("names a shard twice")
    total = _field(_field(_field(table, "splits", dict), "train", dict), "tokens", int)
    if manifest.tokens != total:
        raise MixtureError(
            f"its train shards hold {manifest.tokens:,} tokens, its train split {total:,}: "
            "write the shards again"
        )
    return manifest


def _field(table: Mapping[str, Any], key: str, kind: type[_T]) -> _T:
    value = table.get(key)
    if value is None or not isinstance(value, kind) or (kind is int and value is True):
        raise MixtureError(f"{key} is missing or is no {kind.__name__}")
    return value
