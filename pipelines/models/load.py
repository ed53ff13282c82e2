"""Models of Common Crawl: found and checked before a run, loaded once per process.

A run names its models by paths; their SHA-256 go into its configuration (docs/rules/web.md 14), so
that a run is not resumed with others. Workers load them from the same paths, memory-mapped where
the format allows it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filters.commoncrawl.cutoffs import PUBLISHED_PATH, Cutoffs, read_cutoffs
from filters.commoncrawl.perplexity import LanguageModel, load_language_model
from filters.fasttext.model import FastTextModel, load_fasttext
from pipelines.engine.errors import MachineError

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
        return sorted(name for name in names if self.ngrams(name))

    def pieces(self, language: str) -> str:
        """Return the path of the SentencePiece model."""
        return str(Path(self.folder) / f"{language}.sp.model")

    def ngrams(self, language: str) -> str:
        """Return the path of the KenLM model (binary, or ARPA text); "" if there is none."""
        for name in (f"{language}.arpa.bin", f"{language}.arpa"):
            if (Path(self.folder) / name).is_file():
                return str(Path(self.folder) / name)
        return ""

    def needed(self, language: str) -> tuple[str, str]:
        """Return the paths of a language's two models, which the run was planned with.

        Raises:
            MachineError: one of them is not on this machine.
        """
        pieces, ngrams = self.pieces(language), self.ngrams(language)
        if not ngrams or not Path(pieces).is_file():
            raise MachineError(
                f"{self.folder}: no {language}.sp.model with {language}.arpa.bin on this machine. "
                "Put the launcher's models at the same paths on all workers, and run the same "
                "command again."
            )
        return pieces, ngrams

    @property
    def table(self) -> str:
        """Path of the cutoff table."""
        return self.cutoffs or str(Path(self.folder) / "cutoffs.csv")


@contextmanager
def _of_this_machine(path: str) -> Iterator[None]:
    """Say of a model that does not load that the machine lacks it: no document is at fault."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        what = str(error) if path in str(error) else f"{path}: {error}"
        raise MachineError(what) from error


@lru_cache(8)
def classifier(path: str) -> FastTextModel:
    """Load a fastText model once per process; raises MachineError."""
    with _of_this_machine(path):
        return load_fasttext(path)


@lru_cache(64)
def language_model(pieces: str, ngrams: str) -> LanguageModel:
    """Load SentencePiece and KenLM of a language once per process; raises MachineError."""
    with _of_this_machine(ngrams):
        return load_language_model(pieces, ngrams)


@lru_cache(8)
def cutoff_table(path: str) -> Cutoffs:
    """Read a table of cutoffs once per process; raises MachineError."""
    with _of_this_machine(path):
        return read_cutoffs(PUBLISHED_PATH if path == PUBLISHED else path)
