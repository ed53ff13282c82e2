"""What there is to build: the sources of the corpus and the models that they need, by name.

A source is imported when it is asked for, so that commands which need none of them start quickly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.engine.source import Source


@dataclass(frozen=True)
class SourceEntry:
    """A source in the catalog, before it is imported."""

    name: str
    place: str  # module and attribute of the Source
    help: str
    example: str  # flags of an example, without --run

    def load(self) -> "Source":
        """Return the source."""
        module, _, attribute = self.place.partition(":")
        found: Source = getattr(import_module(module), attribute)
        return found


@dataclass(frozen=True)
class ModelStep:
    """A command that trains a model for a source, and its place in a recipe."""

    name: str
    place: str  # module with the class of settings and the function that trains
    settings_name: str
    out: str  # path below the directory of the recipe
    before: str  # the source that needs the model
    help: str
    example: str

    @property
    def settings(self) -> type[Any]:
        """The class of the command's settings."""
        found: type[Any] = getattr(import_module(self.place), self.settings_name)
        return found

    @property
    def train(self) -> Callable[[Any, str, Callable[[str], None]], None]:
        """The function that trains: it takes settings, the path to write to, and ``say``."""
        found: Callable[[Any, str, Callable[[str], None]], None]
        found = getattr(import_module(self.place), self.name)
        return found


SOURCES = (
    SourceEntry(
        "github",
        "pipelines.github.source:GITHUB",
        "curate source code of GitHub, from BigQuery's exports",
        "--input exports/github",
    ),
    SourceEntry(
        "wikipedia",
        "pipelines.wikipedia.source:WIKIPEDIA",
        "curate Wikipedia, from dumps of 20 languages",
        "--input 'dumps/*-pages-articles-multistream.xml.bz2'",
    ),
    SourceEntry(
        "books",
        "pipelines.books.source:BOOKS",
        "curate books, without editions of the same book",
        "--gutenberg mirror",
    ),
    SourceEntry(
        "arxiv",
        "pipelines.arxiv.source:ARXIV",
        "curate arXiv's papers, with their macros expanded",
        "--input 'src/arXiv_src_*.tar'",
    ),
    SourceEntry(
        "stackexchange",
        "pipelines.stackexchange.source:STACKEXCHANGE",
        "curate Stack Exchange, answers by score",
        "--input 'dumps/*.7z'",
    ),
    SourceEntry(
        "commoncrawl",
        "pipelines.commoncrawl.source:COMMONCRAWL",
        "curate a dump of Common Crawl by CCNet's steps",
        "--input wet.paths.gz --models models",
    ),
    SourceEntry(
        "c4",
        "pipelines.c4.source:C4",
        "curate C4, from its published files or from a dump",
        "--input 'c4/en/*.json.gz'",
    ),
)
SOURCE_BY_NAME = {entry.name: entry for entry in SOURCES}  # in the order in which a recipe builds

MODELS = (
    ModelStep(
        "lm",
        "pipelines.models.lm",
        "LmConfig",
        out="models",
        before="commoncrawl",
        help="train the language model of Wikipedia, and its cutoffs",
        example="--input runs/wikipedia --lang en --out models",
    ),
    ModelStep(
        "wikiref",
        "pipelines.models.wikiref",
        "WikirefConfig",
        out="models/wikiref.bin",
        before="commoncrawl",
        help="train the classifier of pages like Wikipedia's references",
        example="--wikipedia 'dumps/*.xml.bz2' --commoncrawl runs/2019-09 --out models/wikiref.bin",
    ),
)


def load_sources() -> "list[Source]":
    """Return every source, in the order in which a recipe builds them."""
    return [entry.load() for entry in SOURCES]
