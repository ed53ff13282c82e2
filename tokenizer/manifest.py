"""What a directory of token shards says about itself (docs/rules/tokens.md 3).

`manifest.json` is written last: a directory with it is complete, a directory without it is not.
Reading is strict, since a trainer that misreads a vocabulary or an end-of-document id learns
rubbish without an error: unknown and missing keys, wrong types, totals that do not add up and
names out of order are all refused, with a message that says which key of which file.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizer.errors import UserError
from tokenizer.files import write_atomically
from tokenizer.settings import build, nearest

MANIFEST_NAME: Final = "manifest.json"
FORMAT: Final = "corpusmill-shards"
VERSION: Final = 1

SPLITS: Final = {"heldout": "heldout", "train": "shard"}  # split -> how its shards are named
FILE_KINDS: Final = ("bin", "idx", "docs.parquet")
UINT16_VOCAB_MAX: Final = 65_536  # ids 0 to 65,535

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHARD_NAME = re.compile(r"(shard|heldout)-(\d{5,})-of-(\d{5,})")


class ManifestError(UserError, ValueError):
    """A manifest that is absent, unreadable or contradicts itself."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of a shard: its size in bytes and its SHA-256 in lower-case hexadecimal."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What a split holds.

    ``tokens`` counts bos and eos; ``text_bytes`` is UTF-8 before tokenization.
    """

    documents: int
    tokens: int
    text_bytes: int


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """One shard: ``name.bin``, ``name.idx`` and ``name.docs.parquet``, in ``files`` by suffix."""

    name: str
    split: str  # "train" or "heldout"
    documents: int
    tokens: int
    text_bytes: int
    files: Mapping[str, FileInfo]

    def file_name(self, kind: str) -> str:
        """Name of the file of ``kind`` ("bin", "idx" or "docs.parquet") in the directory."""
        return f"{self.name}.{kind}"

    @property
    def index(self) -> int:
        """Which shard of its split this is, from 0."""
        return parse_shard_name(self.name)[1]

    @property
    def of(self) -> int:
        """How many shards the documents of this split were spread over."""
        return parse_shard_name(self.name)[2]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a reader of token shards must know before it opens one."""

    source: str
    tokenizer_sha256: str
    vocab_size: int
    dtype: str  # "uint16" or "uint32", little-endian
    bos_id: int
    eos_id: int
    add_bos: bool
    add_eos: bool
    seed: int
    heldout_fraction: float  # 0 to 1, of the documents
    config_sha256: str
    input_sha256: str
    splits: Mapping[str, Totals]  # "train" and "heldout"
    shards: tuple[ShardInfo, ...]  # sorted by name

    def split_shards(self, split: str) -> tuple[ShardInfo, ...]:
        """Shards of ``split`` ("train" or "heldout"), in file-name order."""
        if split not in SPLITS:
            raise ManifestError(f"unknown split {split!r}{nearest(split, SPLITS)}")
        return tuple(shard for shard in self.shards if shard.split == split)

    def to_json(self) -> str:
        """The text of ``manifest.json``; raises ManifestError if the manifest is inconsistent."""
        check_manifest(self, MANIFEST_NAME)
        content = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_manifest(directory: str | Path) -> Manifest:
    """Read and check ``directory/manifest.json``.

    Raises:
        ManifestError: no such file (the shards are not finished), not JSON, another format or
            version, an unknown, missing or mistyped key, or totals that contradict the shards.
    """
    path = Path(directory) / MANIFEST_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: there is none, so the shards are not complete; "
            "run the tokenize pipeline on this directory again, it goes on where it stopped"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    return parse_manifest(text, where=str(path))


def parse_manifest(text: str, *, where: str = MANIFEST_NAME) -> Manifest:
    """Parse the text of a manifest; ``where`` names it in errors (see `read_manifest`)."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{where}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ManifestError(f"{where}: expected an object, found {type(content).__name__}")
    found = content.pop("format", None)
    if found != FORMAT:
        raise ManifestError(f"{where}: format is {found!r}, expected {FORMAT!r}")
    version = content.pop("version", None)
    if version != VERSION:
        raise ManifestError(f"{where}: version {version!r}, but this code reads {VERSION}")
    try:
        manifest: Manifest = build(Manifest, content, where)
    except ValueError as error:
        raise ManifestError(str(error)) from None
    check_manifest(manifest, where)
    return manifest


def write_manifest(directory: str | Path, manifest: Manifest) -> None:
    """Commit the shards in ``directory``: write its manifest, whole or not at all."""
    write_atomically(Path(directory) / MANIFEST_NAME, manifest.to_json().encode())


def shard_name(split: str, index: int, of: int) -> str:
    """Name of shard ``index`` of the ``of`` shards of ``split``.

    >>> shard_name("heldout", 0, 1)
    'heldout-00000-of-00001'
    """
    if not 0 <= index < of:
        raise ManifestError(f"shard {index} of {of}: no such shard")
    return f"{SPLITS[split]}-{index:05d}-of-{of:05d}"


def parse_shard_name(name: str) -> tuple[str, int, int]:
    """Split, index and number of shards that ``name`` stands for.

    >>> parse_shard_name("shard-00002-of-00007")
    ('train', 2, 7)
    """
    match = _SHARD_NAME.fullmatch(name)
    if match:
        split = next(split for split, prefix in SPLITS.items() if prefix == match[1])
        index, of = int(match[2]), int(match[3])
        if index < of and name == shard_name(split, index, of):
            return split, index, of
    raise ManifestError(f"{name!r} is no shard's name, such as 'shard-00000-of-00001'")


def dtype_for(vocab_size: int) -> str:
    """Smallest dtype of the format that holds ids below ``vocab_size``.

    >>> dtype_for(32_000), dtype_for(65_537)
    ('uint16', 'uint32')
    """
    return "uint16" if vocab_size <= UINT16_VOCAB_MAX else "uint32"


def check_manifest(manifest: Manifest, where: str) -> None:
    """Raise ManifestError, prefixed with ``where``, if the manifest contradicts itself."""
    for problem in _problems(manifest):
        raise ManifestError(f"{where}: {problem}")


def total(shards: Iterable[ShardInfo]) -> Totals:
    """Documents, tokens and text bytes of ``shards`` together."""
    counts = [(shard.documents, shard.tokens, shard.text_bytes) for shard in shards]
    return Totals(*map(sum, zip(*counts, strict=True))) if counts else Totals(0, 0, 0)


def _problems(manifest: Manifest) -> Iterator[str]:
    yield from _header_problems(manifest)
    names = [shard.name for shard in manifest.shards]
    if names != sorted(set(names)):
        yield "shards are not sorted by name, each once"
    for shard in manifest.shards:
        yield from _shard_problems(shard, manifest.dtype)
    if set(manifest.splits) != set(SPLITS):
        yield f"splits are {sorted(manifest.splits)}, expected {sorted(SPLITS)}"
        return
    for split, totals in manifest.splits.items():
        shards = [shard for shard in manifest.shards if shard.split == split]
        if totals != total(shards):
            yield f"splits.{split} is {totals}, but its shards sum to {total(shards)}"
        if len({shard.of for shard in shards}) > 1:
            yield f"shards of {split} disagree on how many they are"


def _header_problems(manifest: Manifest) -> Iterator[str]:
    for key in ("tokenizer_sha256", "config_sha256", "input_sha256"):
        if not _SHA256.fullmatch(getattr(manifest, key)):
            yield f"{key} is not a SHA-256 in lower-case hexadecimal"
    if manifest.dtype != dtype_for(manifest.vocab_size):
        yield (
            f"dtype is {manifest.dtype!r}, but ids below {manifest.vocab_size} "
            f"are stored as {dtype_for(manifest.vocab_size)!r}"
        )
    if not (manifest.add_bos or manifest.add_eos):
        yield "neither add_bos nor add_eos is true, so documents have no boundaries"
    for name, used in (("bos", manifest.add_bos), ("eos", manifest.add_eos)):
        special = getattr(manifest, f"{name}_id")
        if used and not 0 <= special < manifest.vocab_size:
            yield f"add_{name} is true, but {name}_id {special} is not in the vocabulary"
    if not 0.0 <= manifest.heldout_fraction <= 1.0:
        yield f"heldout_fraction {manifest.heldout_fraction} is not within 0 to 1"


def _shard_problems(shard: ShardInfo, dtype: str) -> Iterator[str]:
    try:
        named = parse_shard_name(shard.name)[0]
    except ManifestError as error:
        yield f"shards: {error}"
        return
    if shard.split != named:
        yield f"{shard.name}: split is {shard.split!r}, but the name says {named!r}"
    if set(shard.files) != set(FILE_KINDS):
        yield f"{shard.name}: files are {sorted(shard.files)}, expected {sorted(FILE_KINDS)}"
        return
    if shard.documents < 0 or shard.text_bytes < 0 or shard.tokens < shard.documents:
        yield f"{shard.name}: {shard.documents} documents cannot have {shard.tokens} tokens"
    expected = shard.tokens * (2 if dtype == "uint16" else 4)
    if shard.files["bin"].bytes != expected:
        yield (
            f"{shard.name}.bin: {shard.files['bin'].bytes} bytes, but {shard.tokens} tokens "
            f"of {dtype} take {expected}"
        )
    for kind, file in shard.files.items():
        if not _SHA256.fullmatch(file.sha256):
            yield f"{shard.name}.{kind}: sha256 is not a SHA-256 in lower-case hexadecimal"
