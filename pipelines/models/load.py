"""Find the models of Common Crawl before a run, and load each once per process.

Settings name models by their paths, and the run's configuration holds their SHA-256
(docs/rules/web.md 14), so that a run is not resumed with other models. Workers load them from the
same paths, memory-mapped where the format allows it.
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
    """A folder of language models: ``{lang}.sp.model``, ``{lang}.arpa.bin``, ``cutoffs.csv``."""

    folder: str
    cutoffs: str = ""  # path of another table, or "published"; "" takes the one in the folder

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
        return _needed(self, language)

    @property
    def table(self) -> str:
        """The path of the table of cutoffs."""
        return self.cutoffs or str(Path(self.folder) / "cutoffs.csv")


@lru_cache(64)
def _needed(models: LanguageModels, language: str) -> tuple[str, str]:
    """Look for the two models of a language on this machine, once per process if they are there."""
    pieces, ngrams = models.pieces(language), models.ngrams(language)
    if not ngrams or not Path(pieces).is_file():
        raise MachineError(
            f"{models.folder}: no {language}.sp.model with {language}.arpa.bin on this machine. "
            "Put the launcher's models at the same paths on all workers, and run the same "
            "command again."
        )
    return pieces, ngrams


@contextmanager
def _of_this_machine(path: str) -> Iterator[None]:
    """Turn the failure to load a model into a MachineError, so that no document is rejected."""
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
