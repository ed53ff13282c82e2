"""What the documents of a run are like: histograms, and the most frequent hosts and so on.

Everything here is measured on columns of the run, kept and rejected documents apart. No model is
loaded, and no text is judged again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.engine.runs import Run
from pipelines.report.sample import NOTHING, POOL, Extent, Folder, Place, Smallest, number_of

TOP = 10  # rows of a list of the most frequent
EXAMPLES = 3  # rejected documents of a rule
_COLUMNS = ["id", "url", "lang", "license", "lang_score", "perplexity", "wikiref_score", "meta"]


@dataclass(frozen=True, slots=True)
class Scale:
    """The bins of a histogram: ``edges`` has one number more than there are bins."""

    name: str
    title: str
    unit: str
    edges: NDArray[np.float64]
    log: bool = False


def _decades(low: float, high: float, per_decade: int) -> NDArray[np.float64]:
    """Return edges that grow by a constant factor, from 10**low to 10**high."""
    return np.asarray(10.0 ** np.linspace(low, high, round((high - low) * per_decade) + 1))


_UNIT = np.linspace(0.0, 1.0, 26)
LENGTH = Scale("length", "Length", "characters per document", _decades(0, 8, 8), log=True)
SCALES = {
    scale.name: scale
    for scale in (
        LENGTH,
        Scale("lang_score", "Language score", "score of the best language", _UNIT),
        Scale("perplexity", "Perplexity", "perplexity per token", _decades(0, 6, 16), log=True),
        Scale("wikiref_score", "Classifier score", "probability of a reference", _UNIT),
        Scale("duplicates", "Duplicate lines per page", "lines removed, of all lines", _UNIT),
    )
}


@dataclass(slots=True)
class Histogram:
    """Counts of kept and of rejected documents in the bins of a scale.

    What lies outside of the scale is counted in its first or last bin.
    """

    scale: Scale
    kept: NDArray[np.int64]
    rejected: NDArray[np.int64]

    @classmethod
    def of(cls, scale: Scale) -> "Histogram":
        """Return an empty histogram."""
        bins = len(scale.edges) - 1
        return cls(scale, np.zeros(bins, np.int64), np.zeros(bins, np.int64))

    def add(self, values: NDArray[Any], *, kept: bool) -> None:
        """Count values; those that are no numbers are left out."""
        values = values[np.isfinite(values)]
        edges = self.scale.edges
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        if kept:
            self.kept += counts
        else:
            self.rejected += counts

    @property
    def count(self) -> int:
        """How many documents were counted."""
        return int(self.kept.sum() + self.rejected.sum())

    def trimmed(self) -> "Histogram":
        """Return the histogram without the empty bins at both ends of a logarithmic scale."""
        used = np.flatnonzero(self.kept + self.rejected)
        if not self.scale.log or not len(used):
            return self
        part = slice(int(used[0]), int(used[-1]) + 1)
        edges = self.scale.edges[part.start : part.stop + 1]
        scale = Scale(self.scale.name, self.scale.title, self.scale.unit, edges, self.scale.log)
        return Histogram(scale, self.kept[part], self.rejected[part])


@dataclass(slots=True)
class Measures:
    """What was measured on the documents of a run, and the documents to show."""

    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram.of(scale) for name, scale in SCALES.items()}
    )
    tops: dict[str, Counter[str]] = field(default_factory=dict)
    columns: Extent = NOTHING
    texts: Extent = NOTHING
    kept: list[dict[str, Any]] = field(default_factory=list)  # rows of documents, in hash order
    places: list[Place] = field(default_factory=list)  # of these rows
    rejected: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)


# Lines of a page that are left, and those that it had, in ``meta``, whose keys are sorted.
_LINES = r'"nlines":(?P<a>\d+),"original_length":\d+,"original_nlines":(?P<b>\d+)'
# What a list counts, by its title: a column, or a pattern for the text of ``meta``.
_TOPS: Mapping[str, tuple[str, str]] = {
    "Hosts": ("url", r"^[A-Za-z]+://(?:www\.)?(?P<v>[^/?#:]+)"),
    "Languages": ("lang", ""),
    "Licences": ("license", ""),
    "Programming languages": ("meta", r'"language":"(?P<v>[^"\\]+)"'),
    "Extensions": ("meta", r'"path":"[^"]*?(?P<v>\.[A-Za-z0-9_+#-]+)"'),
}


def measure(run: Run) -> Measures:
    """Read the columns of a run, and choose the documents to show.

    Raises:
        RunError: a file of the run is missing or has another size than the manifest says.
    """
    found = Measures()
    documents, rejects = Folder.open(run, "documents"), Folder.open(run, "rejects")
    for _, table in documents.columns(_COLUMNS):
        _add_scores(found, table, kept=True)
        _add_tops(found, table)
    choices: dict[tuple[str, str], Smallest] = {}
    for place, table in rejects.columns([*_COLUMNS, "stage", "reason"]):
        _add_scores(found, table, kept=False)
        _choose(choices, place, table)
    found.columns = documents.extent + rejects.extent
    pool = Smallest(POOL)
    for place, table in documents.texts():
        _add_lengths(found, table, kept=True)
        for row, name in enumerate(table["id"].to_pylist()):
            pool.offer(number_of(name), Place(place.path, place.group, row))
    for _, table in rejects.texts():
        _add_lengths(found, table, kept=False)
    found.texts = Extent(found.texts.read, documents.total + rejects.total)
    rows = documents.rows(pool.items())
    found.places = pool.items()
    found.kept = [rows[place] for place in found.places]
    rows = rejects.rows(place for chosen in choices.values() for place in chosen.items())
    found.rejected = {
        rule: [rows[place] for place in chosen.items()] for rule, chosen in choices.items()
    }
    return found


def _add_scores(found: Measures, table: pa.Table, *, kept: bool) -> None:
    for name in ("lang_score", "perplexity", "wikiref_score"):
        values = table[name].drop_null().to_numpy()
        found.histograms[name].add(values.astype(np.float64), kept=kept)
    meta = table["meta"]
    gone = 0  # pages of which every line is a duplicate
    if not kept:
        alone = pc.equal(table["reason"], "all_paragraphs_duplicate")
        gone = pc.sum(alone).as_py() or 0
        meta = meta.filter(pc.invert(alone))
    lines = pc.extract_regex(meta, _LINES).drop_null()
    if gone or len(lines):
        left, before = (
            pc.cast(pc.struct_field(lines, name), pa.float64()).to_numpy() for name in "ab"
        )
        shares = np.concatenate([1 - left / np.maximum(before, 1), np.ones(gone)])
        found.histograms["duplicates"].add(shares, kept=kept)


def _add_tops(found: Measures, table: pa.Table) -> None:
    for title, (column, pattern) in _TOPS.items():
        values = table[column]
        if pattern:
            values = pc.struct_field(pc.extract_regex(values, pattern), "v")
        counts = found.tops.setdefault(title, Counter())
        for pair in values.drop_null().value_counts().to_pylist():
            counts[pair["values"]] += pair["counts"]


def _add_lengths(found: Measures, table: pa.Table, *, kept: bool) -> None:
    lengths = pc.utf8_length(table["text"]).to_numpy().astype(np.float64)
    # A reject of a rule that needs no text, as of a licence, has none.
    found.histograms["length"].add(lengths[lengths > 0], kept=kept)
    found.texts = Extent(found.texts.read + table.num_rows, 0)


def _choose(choices: dict[tuple[str, str], Smallest], place: Place, table: pa.Table) -> None:
    """Offer the rejects of a row group as examples of their rules."""
    names: Sequence[Sequence[str]] = [table[c].to_pylist() for c in ("id", "stage", "reason")]
    for row, (name, stage, reason) in enumerate(zip(*names, strict=True)):
        chosen = choices.get((stage, reason))
        if chosen is None:
            chosen = choices[stage, reason] = Smallest(EXAMPLES)
        chosen.offer(number_of(name), Place(place.path, place.group, row))
