"""A directory of token shards from documents that fit into memory, written in one process.

The pipeline ``tokenize`` writes sources of any size; this is for small ones that are made beside a
training: instructions, and the arms of an ablation. Both write the same format.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizer.files import write_atomically
from tokenizer.layout import make_manifest
from tokenizer.manifest import (
    MANIFEST_NAME,
    SPLITS,
    Manifest,
    read_manifest,
    shard_name,
    write_manifest,
)
from tokenizer.model import Tokenizer
from tokenizer.shards import TokenizedDocument, encode_shard


def write_directory(
    directory: Path,
    documents: Mapping[str, Sequence[TokenizedDocument]],
    tokenizer: Tokenizer,
    *,
    settings: Mapping[str, Any],
    heldout_fraction: float,
    extra: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Write one shard for each split that has documents, then the manifest.

    Args:
        directory: is made; its name is the source's.
        documents: by split, "train" and "heldout", in the order of the shard, with BOS and EOS.
        tokenizer: with which they were encoded.
        settings: what the documents follow from, as JSON; see `is_written`.
        heldout_fraction: 0 to 1, of the documents, for the manifest.
        extra: content of more files beside the shards, by name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    shards = []
    for split in sorted(SPLITS):
        if not documents.get(split):
            continue
        name = shard_name(split, 0, 1)
        files = encode_shard(documents[split], tokenizer.dtype.name)
        for kind, content in files.content().items():
            write_atomically(directory / f"{name}.{kind}", content)
        shards.append(files.info(name))
    for file, content in (extra or {}).items():
        write_atomically(directory / file, content)
    manifest = make_manifest(
        directory.name,
        tokenizer,
        shards,
        heldout_fraction=heldout_fraction,
        config_sha256=_sha256(settings),
        input_sha256=_sha256(
            [document.text_sha1 for split in documents.values() for document in split]
        ),
    )
    write_manifest(directory, manifest)
    return manifest


def is_written(directory: Path, settings: Mapping[str, Any]) -> bool:
    """Tell whether a directory is complete and was written with these settings.

    Raises:
        ManifestError: there is a manifest, and it cannot be read.
    """
    if not (directory / MANIFEST_NAME).exists():
        return False
    return read_manifest(directory).config_sha256 == _sha256(settings)


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
