"""Models of Common Crawl: found and checked before a run, loaded once a process (DESIGN 8).

A run names its models by paths; their SHA-256 go into its configuration (``spec/web.md`` 14), so
that a run is not resumed with others. Workers load them from the same paths, memory-mapped where
the format allows it.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filters import cutoffs, fasttext_model, perplexity
from filters.cutoffs import Cutoffs
from pipelines.runs import RunError

PUBLISHED = "published"  # the table that comes with cc_net's published models


@dataclass(frozen=True)
class LanguageModels:
    """Where the language models lie: ``{lang}.sp.model``, ``{lang}.arpa.bin``, ``cutoffs.csv``."""

    folder: str
    cutoffs: str = ""  # another table, or "published"; by default the one in the folder

    def languages(self) -> list[str]:
        """Return the languages that have both files."""
        names = {
            path.name.removesuffix(".sp.model") for path in Path(self.folder).glob("*.sp.model")
        }
        return sorted(name for name in names if self.binary(name))

    def pieces(self, language: str) -> str:
        """Return the path of the SentencePiece model."""
        return str(Path(self.folder) / f"{language}.sp.model")

    def binary(self, language: str) -> str:
        """Return the path of the KenLM model (binary, or ARPA text); "" if there is none."""
        for name in (f"{language}.arpa.bin", f"{language}.arpa"):
            if (Path(self.folder) / name).is_file():
                return str(Path(self.folder) / name)
        return ""

    @property
    def table(self) -> str:
        """Path of the cutoff table."""
        return self.cutoffs or str(Path(self.folder) / "cutoffs.csv")


@lru_cache
def file_sha256(path: str) -> str:
    """Return the SHA-256 of a local file.

    Raises:
        RunError: it is not there.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}. Name a model file that is there.") from error


@lru_cache(8)
def load_fasttext(path: str) -> fasttext_model.Model:
    """Load a fastText model once a process."""
    return fasttext_model.load(path)


@lru_cache(64)
def load_language_model(pieces: str, binary: str) -> perplexity.LanguageModel:
    """Load SentencePiece and KenLM of a language once a process."""
    return perplexity.load_language_model(pieces, binary)


@lru_cache(8)
def load_cutoffs(path: str) -> Cutoffs:
    """Read a table of cutoffs once a process."""
    return cutoffs.published() if path == PUBLISHED else cutoffs.load(path)
