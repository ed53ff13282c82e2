"""Decide the pages of a run of Common Crawl again, by the scores that are columns.

A page carries the score of its language, its perplexity and the score of the classifier. What
decides by them can be decided again without a model: the language, the bucket and its cutoffs, the
threshold of the classifier, and after them the duplicates, whose digests are in ``meta``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filters.commoncrawl.cutoffs import Cutoffs, ModelFingerprint
from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.digests import earlier_runs
from pipelines.commoncrawl.source import phases
from pipelines.commoncrawl.stages import NameBucket
from pipelines.engine.documents import Document
from pipelines.engine.errors import RunError
from pipelines.engine.passes import Write
from pipelines.engine.recorded import settings_of_run
from pipelines.engine.runs import Run
from pipelines.engine.stages import Stage
from pipelines.engine.units import Unit
from pipelines.joins.settle import Settle
from pipelines.joins.stored_scores import Recut, StoredScore, rounded
from pipelines.models.load import cutoff_table

# The column of each stage that needs a model, and the decimals of its scores.
_STORED = {
    "commoncrawl.perplexity": ("perplexity", 1),
    "commoncrawl.reference_score": ("wikiref_score", 4),
}
_LANGUAGE_DECIMALS = 2
_LAST_BEFORE = "commoncrawl.langid"  # the stages up to here keep their verdicts
_NOWHERE = "-"  # path of a model that is not read


class StoredCutoffs(NameBucket):
    """Name the bucket of a page by cutoffs that are at hand, and not in a file."""

    def __init__(self, cutoffs: Cutoffs) -> None:
        super().__init__(_NOWHERE)
        self._cutoffs = cutoffs

    @property
    def cutoffs(self) -> Cutoffs:
        """The table."""
        return self._cutoffs


def plan(old: Run, changes: Mapping[str, Any], after: tuple[str, ...], cutoffs: str) -> Recut:
    """Return how a run is decided again with changed settings.

    Args:
        old: the complete run.
        changes: new values of settings.
        after: the earlier runs that the old run was given.
        cutoffs: path of another table of cutoffs, or "" for that of the run.

    Raises:
        RunError: the changes cannot be decided by columns.
    """
    facts: dict[str, Any] = old.read_json("config.json")["config"]
    hashes: dict[str, Any] = facts["model_hashes"]
    if facts["after_completed"] != earlier_runs(after)["after_completed"]:
        raise RunError(
            f"{old.path} was made after {len(facts['after_completed'])} earlier runs, whose pages "
            "win over its own: name the same ones with --after, in the same order"
        )
    config: CommonCrawlConfig = settings_of_run(
        CommonCrawlConfig,
        old,
        models=_NOWHERE,
        langid=_NOWHERE,
        wikiref=_NOWHERE if "wikiref" in hashes else "",
        after=after,
    )
    _refuse_what_decides_nothing(config, changes)
    config = replace(config, **changes)
    if not config.every_language:
        for language in config.languages:
            if language not in hashes["language_models"]:
                raise RunError(
                    f"--languages {language}: the run had no language model of it, so its pages "
                    "have no perplexity. Run commoncrawl again with this language"
                )
    table = _cutoffs(hashes, cutoffs, per_line=config.per_line)
    columns = {
        language: {str(percentile): value for percentile, value in column.items()}
        for language, column in table.by_language.items()
        if language in hashes["language_models"]
    }
    changed = {**changes, "model_hashes": {**hashes, "cutoffs": columns}}
    found = phases(config, ())
    (write,) = (phase for phase in found if isinstance(phase, Write))
    settle = next((phase for phase in found if isinstance(phase, Settle)), None)
    return Recut(changed, Stages(write, table), settle, row_of, is_recounted, prepare)


def _refuse_what_decides_nothing(config: CommonCrawlConfig, changes: Mapping[str, Any]) -> None:
    """Refuse a flag that would change the configuration and no page."""
    for name in changes:
        if name.startswith("wikiref") and not config.wikiref:
            flag = name.replace("_", "-")
            raise RunError(
                f"--{flag}: the run had no classifier, so its pages have no score. Run commoncrawl "
                "again with --wikiref"
            )
        if config.cc_net and name in ("languages", "buckets"):
            raise RunError(f"--{name}: the run has --profile cc_net, which keeps all of them")


def _cutoffs(hashes: Mapping[str, Any], path: str, *, per_line: bool) -> Cutoffs:
    """Return the table of a path, or the one that the configuration of the run holds.

    Raises:
        RunError: the table was made with other models, or is malformed.
    """
    unit: Any = "line" if per_line else "document"
    models = {name: ModelFingerprint(**one) for name, one in hashes["language_models"].items()}
    if not path:
        columns = {
            language: {int(percentile): value for percentile, value in column.items()}
            for language, column in hashes["cutoffs"].items()
        }
        return Cutoffs(columns, models, unit=unit)
    try:
        table = cutoff_table(path)
    except (OSError, ValueError) as error:
        raise RunError(f"--cutoffs: {error}") from error
    for language, model in models.items():
        if language in table.by_language and (
            table.unit != unit or (table.models is not None and table.models.get(language) != model)
        ):
            raise RunError(
                f"--cutoffs {path}: it was measured with another model for {language!r} than the "
                "pages of the run were scored with. Give a table that was made with the same one"
            )
    return table


@dataclass(frozen=True)
class Stages:
    """Makes the stages that decide the pages of a unit again."""

    write: Write
    cutoffs: Cutoffs

    def __call__(self, unit: Unit) -> tuple[Sequence[str], Sequence[Stage]]:
        """Return the names of the stages whose verdicts stay, and the stages that decide again."""
        stages = self.write.all_stages("commoncrawl", unit, {})
        names = [stage.name for stage in stages]
        first = names.index(_LAST_BEFORE) + 1
        return names[:first], [self._again(stage) for stage in stages[first:]]

    def _again(self, stage: Stage) -> Stage:
        if stage.name in _STORED:
            return StoredScore(stage.name, *_STORED[stage.name])
        return StoredCutoffs(self.cutoffs) if isinstance(stage, NameBucket) else stage


def is_recounted(note: str) -> bool:
    """Tell whether a note of a unit is counted by a stage that decides again."""
    return note.startswith("bucket ")


def prepare(document: Document) -> None:
    """Give a page the form in which the decision on its language saw it."""
    document.lang_score = rounded(document.lang_score, _LANGUAGE_DECIMALS)
    document.meta.pop("bucket", None)


def row_of(document_id: str) -> int:
    """Return the number of the record that a document or a bad record was made of.

    >>> row_of("commoncrawl:CC-MAIN-20190215183319-20190215205319-00000:17")
    17
    """
    return int(document_id.rpartition(":")[2])
