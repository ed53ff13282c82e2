"""The card of a trained model says what it was made from; it is written last, beside the model.

A card commits a model, as ``COMPLETED`` commits a run. The same command run again finds the card
and does nothing; a command with other options is refused with the difference.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.engine.config import tell_differences, to_bytes
from pipelines.engine.errors import RunError
from pipelines.storage.files import is_local, write_bytes


@dataclass(frozen=True)
class ModelFiles:
    """The files of one language's model, in a folder."""

    folder: Path
    lang: str

    @property
    def pieces(self) -> Path:
        """The SentencePiece model."""
        return self.folder / f"{self.lang}.sp.model"

    @property
    def ngrams(self) -> Path:
        """The KenLM model."""
        return self.folder / f"{self.lang}.arpa.bin"

    @property
    def card(self) -> Path:
        """The card of the two models."""
        return self.folder / f"{self.lang}.json"

    @property
    def cutoffs(self) -> Path:
        """The table of cutoffs of all languages in the folder."""
        return self.folder / "cutoffs.csv"

    @property
    def cutoffs_card(self) -> Path:
        """The card of the language's cutoffs."""
        return self.folder / f"{self.lang}.cutoffs.json"

    def exist(self) -> bool:
        """Return whether both models exist, even if this program did not train them."""
        return self.pieces.is_file() and self.ngrams.is_file()


def local_folder(path: str) -> Path:
    """Return the local folder for models, which need not be there yet.

    Raises:
        RunError: the path is an address, or is not a folder.
    """
    if not is_local(path):
        raise RunError(f"--out={path}: models are made on this machine; name a local path.")
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise RunError(f"--out={path}: it is a file; name a folder.")
    return folder


def is_made(card: Path, config: Mapping[str, Any]) -> bool:
    """Return whether a model was made with this configuration, as its card says.

    Raises:
        RunError: the model was made with another configuration.
    """
    if not card.is_file():
        return False
    wanted = json.loads(to_bytes(dict(config)))
    if told := tell_differences(json.loads(card.read_bytes())["config"], wanted):
        raise RunError(
            f"{card} is of a model with another configuration ({told}). Give the same options, or "
            "name another --out. To replace the model, remove its files first."
        )
    return True


def write_card(card: Path, content: Mapping[str, Any]) -> None:
    """Write a card, whole or not at all."""
    write_bytes(str(card), to_bytes(dict(content)))
