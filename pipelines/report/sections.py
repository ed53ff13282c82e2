"""What the report says of one run: its funnel, its rules with examples, its charts and lists."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from pipelines.report.charts import REJECTED, Bar, Chart, Limit, bars, histogram
from pipelines.report.marks import Piece, mark_kept, mark_reject, pieces
from pipelines.report.measures import TOP, Histogram, Measures, measure
from pipelines.report.ranges import warnings_of
from pipelines.report.removed import Removed, removed_by_stages
from pipelines.report.sample import number_of
from tokenizer.manifest import Manifest

_KEPT_EXAMPLES = 2  # kept documents per rule
_LEAST_SECONDS = 0.005  # of a stage in the chart, which shows two decimals
_LANGUAGE = {"language", "language_score", "ignored_language", "low_confidence", "no_predictions"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule decides by: a setting of the run, and the value that a kept document has."""

    setting: str = ""  # key of config.json
    column: str = ""  # of a documents file; "meta.KEY" for what is in meta


# By stage and reason. A rule that is not here is told by its reason and detail alone.
_RULES: Mapping[tuple[str, str], Rule] = {
    ("github.quality", "max_line_length"): Rule("max_line_length", "meta.max_line_length"),
    ("github.quality", "avg_line_length"): Rule("avg_line_length", "meta.avg_line_length"),
    ("github.quality", "alnum_ratio"): Rule("min_alnum_ratio", "meta.alnum_ratio"),
    ("github.license", "license_not_allowed"): Rule("", "license"),
    ("github.license", "no_license"): Rule("", "license"),
    ("commoncrawl.length", "too_short"): Rule("min_chars"),
    ("commoncrawl.language", "language"): Rule("languages", "lang"),
    ("commoncrawl.language", "language_score"): Rule("min_language_score", "lang_score"),
    ("commoncrawl.bucket", "bucket_tail"): Rule("buckets", "perplexity"),
    ("commoncrawl.reference", "not_a_reference"): Rule("wikiref_threshold", "wikiref_score"),
    ("c4.language", "ignored_language"): Rule("", "lang"),
    ("c4.language", "low_confidence"): Rule("", "lang_score"),
    ("arxiv.length", "too_short"): Rule("min_chars"),
    ("wikipedia.length", "too_short"): Rule("min_chars"),
    ("books.length", "too_short"): Rule("min_words"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of the funnel."""

    name: str
    documents_in: int
    documents_out: int
    characters_in: int
    characters_out: int
    tokens_out: int | None  # estimated by the characters; None where they are not known
    rejected: Mapping[str, int]  # by reason, the largest first
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A document that unfolds."""

    id: str
    url: str
    title: str  # what the rule measured
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class RuleSection:
    """A rule with its documents."""

    stage: str
    reason: str
    documents: int
    share: float  # of the documents that reach the stage
    setting: str
    rejected: Sequence[Example]
    kept: Sequence[Example]


@dataclass(frozen=True, slots=True)
class Section:
    """What the page shows of a run."""

    key: str  # in the page's addresses: the source, with a number where there are several
    source: str
    run: str  # its directory as the user calls it
    stats: Mapping[str, Any]
    stages: Sequence[Stage]
    rules: Sequence[RuleSection]
    charts: Sequence[Chart]
    tops: Mapping[str, Sequence[tuple[str, int, float]]]
    warnings: Sequence[str]
    notes: Sequence[str]
    tokens: Manifest | None
    measures: Measures
    language_lost: int
    removed: Removed

    @property
    def decides_without_text(self) -> bool:
        """Whether stages keep documents whose texts are not read yet."""
        return any(stage.documents_out and not stage.characters_out for stage in self.stages)

    @property
    def costliest(self) -> RuleSection | None:
        """The rule that rejects most documents."""
        return self.rules[0] if self.rules else None


def section(run: Run, key: str, path: str, tokens: Manifest | None) -> Section:
    """Read a complete run.

    Args:
        run: the run.
        key: its name in the page's addresses.
        path: its directory as the user calls it.
        tokens: manifest of the shards of its documents, if there are any.

    Raises:
        RunError: the run is damaged.
    """
    stats = run.stats()
    config = run.read_json("config.json")["config"]
    ledger = Ledger.from_json(stats)
    seconds = run.read_json("timings.json")["seconds"]
    measures = measure(run)
    stages = _stages(stats, seconds, _tokens_per_character(stats, tokens))
    rules = _rules(stats, config, measures)
    return Section(
        key=key,
        source=run.source,
        run=path,
        stats=stats,
        stages=stages,
        rules=rules,
        charts=_charts(run.source, stages, rules, measures, config),
        tops=_tops(measures),
        warnings=warnings_of(run.source, ledger, len(stats["failed_files"]), tokens),
        notes=_notes(config, measures),
        tokens=tokens,
        measures=measures,
        language_lost=sum(
            n
            for stage in stats["stages"]
            for reason, n in stage["rejected"].items()
            if reason in _LANGUAGE
        ),
        removed=removed_by_stages(run, measures.places, measures.kept),
    )


def _tokens_per_character(stats: Mapping[str, Any], tokens: Manifest | None) -> float | None:
    if tokens is None or not stats["characters"]:
        return None
    return sum(split.tokens for split in tokens.splits.values()) / float(stats["characters"])


def _stages(
    stats: Mapping[str, Any], seconds: Mapping[str, float], rate: float | None
) -> list[Stage]:
    return [
        Stage(
            name=stage["stage"],
            documents_in=stage["documents_in"],
            documents_out=stage["documents_out"],
            characters_in=stage["characters_in"],
            characters_out=stage["characters_out"],
            # Before a stage reads the texts, their characters are not counted.
            tokens_out=round(stage["characters_out"] * rate)
            if rate and stage["characters_out"]
            else None,
            rejected=dict(sorted(stage["rejected"].items(), key=lambda pair: (-pair[1], pair[0]))),
            seconds=seconds.get(stage["stage"]),
        )
        for stage in stats["stages"]
    ]


def _rules(
    stats: Mapping[str, Any], config: Mapping[str, Any], measures: Measures
) -> list[RuleSection]:
    """Return every rule that rejected something, the costliest first."""
    found = [
        RuleSection(
            stage=stage["stage"],
            reason=reason,
            documents=count,
            share=count / stage["documents_in"],
            setting=_setting(stage["stage"], reason, config),
            rejected=[
                _example(row, row["detail"], pieces(mark_reject(row)))
                for row in measures.rejected.get((stage["stage"], reason), ())
            ],
            kept=_kept(stage["stage"], reason, measures),
        )
        for stage in stats["stages"]
        for reason, count in stage["rejected"].items()
    ]
    return sorted(found, key=lambda rule: -rule.documents)


def _setting(stage: str, reason: str, config: Mapping[str, Any]) -> str:
    key = _RULES.get((stage, reason), Rule()).setting
    if key not in config:
        return ""
    value = config[key]
    if stage == "commoncrawl.bucket":
        return f"buckets kept: {', '.join(value)}"
    return f"{key} = {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _kept(stage: str, reason: str, measures: Measures) -> list[Example]:
    """Choose kept documents for a rule, others for each rule, with what the run knows of them."""
    order = sorted(measures.kept, key=lambda row: number_of(f"{stage} {reason} {row['id']}"))
    column = _RULES.get((stage, reason), Rule()).column
    return [
        _example(row, _value(row, column), pieces(mark_kept(row))) for row in order[:_KEPT_EXAMPLES]
    ]


def _value(row: Mapping[str, Any], column: str) -> str:
    if not column:
        return ""
    if column.startswith("meta."):
        value = json.loads(row["meta"]).get(column.removeprefix("meta."))
    else:
        value = row[column]
    if value is None:
        return ""
    told = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{column.removeprefix('meta.')} {told}"


def _example(row: Mapping[str, Any], title: str, shown: Sequence[Piece]) -> Example:
    return Example(id=row["id"], url=row["url"] or "", title=title, pieces=shown)


def _charts(
    source: str,
    stages: Sequence[Stage],
    rules: Sequence[RuleSection],
    measures: Measures,
    config: Mapping[str, Any],
) -> list[Chart]:
    def plain(name: str) -> str:
        return name.removeprefix(f"{source}.").replace("_", " ")

    funnel = []
    for stage in stages:
        lost, left = sum(stage.rejected.values()), stage.documents_out
        told = f"{left:,} (\N{MINUS SIGN}{lost:,})" if lost else f"{left:,}"
        funnel.append(Bar(plain(stage.name), left, told, lost))
    charts = [bars(f"{source}: documents after each stage", funnel)]
    if rules:
        rows = [
            Bar(f"{plain(r.stage)}: {r.reason.replace('_', ' ')}", r.documents, f"{r.documents:,}")
            for r in rules[:TOP]
        ]
        charts.append(bars(f"{source}: documents that each rule takes", rows, REJECTED))
    timed = [stage for stage in stages if (stage.seconds or 0) >= _LEAST_SECONDS]
    if timed:
        timed = sorted(timed, key=lambda stage: -(stage.seconds or 0))[:TOP]
        rows = [Bar(plain(s.name), s.seconds or 0, f"{s.seconds or 0:,.2f} s") for s in timed]
        charts.append(bars(f"{source}: seconds in each stage, all workers together", rows))
    charts += [
        _histogram(source, found, config) for found in measures.histograms.values() if found.count
    ]
    return charts


def _histogram(source: str, found: Histogram, config: Mapping[str, Any]) -> Chart:
    shown = found.trimmed()
    return histogram(
        f"{source}: {found.scale.title}",
        shown.scale.edges.tolist(),
        shown.kept.tolist(),
        shown.rejected.tolist(),
        unit=shown.scale.unit,
        log=shown.scale.log,
        limits=_limits(source, found.scale.name, config),
    )


def _limits(source: str, name: str, config: Mapping[str, Any]) -> list[Limit]:
    """Return the thresholds of the run that a histogram shows."""
    if name == "perplexity":
        tables = config.get("model_hashes", {}).get("cutoffs") or {}
        if len(tables) == 1:  # of several languages, no line is that of all bars
            (table,) = tables.values()
            percentiles = {"30": "head", "60": "middle"}
            return [Limit(table[p], to) for p, to in percentiles.items() if p in table]
    keys = {"lang_score": "min_language_score", "wikiref_score": "wikiref_threshold"}
    if name == "length" and source in ("commoncrawl", "arxiv", "wikipedia"):
        keys["length"] = "min_chars"
    value = config.get(keys.get(name, ""))
    return [Limit(float(value), f"{value:g}")] if isinstance(value, int | float) else []


def _tops(measures: Measures) -> dict[str, list[tuple[str, int, float]]]:
    """Return the most frequent values of each list that has more than one."""
    found = {}
    for title, counts in measures.tops.items():
        if len(counts) > 1 or (title == "Licences" and counts):
            total = counts.total()
            ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
            found[title] = [(name, n, n / total) for name, n in ordered]
    return found


def _notes(config: Mapping[str, Any], measures: Measures) -> list[str]:
    """Say how much of the run the histograms, lists and examples were made from."""
    columns, texts = measures.columns, measures.texts
    notes = []
    if columns.whole:
        notes.append(f"Scores and lists: of all {columns.total:,} documents that the run holds.")
    else:
        notes.append(
            f"Scores, lists and examples: of a sample of {columns.read:,} of the "
            f"{columns.total:,} documents that the run holds, in files chosen by hash."
        )
    if texts.whole:
        notes.append("Lengths: of every text that the run holds.")
    else:
        notes.append(
            f"Lengths and kept examples: of a sample of {texts.read:,} of {texts.total:,} texts, "
            "in row groups chosen by hash."
        )
    if config["rejects"] != "all":
        notes.append(
            f"The run keeps rejects as --rejects={config['rejects']}, so histograms show fewer "
            "rejected documents than there were. The table counts all of them."
        )
    return notes
