"""English Common Crawl (LLaMA, section 2.1, "English CommonCrawl", 67 % of the mixture).

The rules are docs/rules/web.md 2 to 8. One run is one dump, or several. In the order of CCNet and
of the paper:

1. pages of WET files with at least 300 characters;
2. paragraphs that occur in two documents of a scope are dropped, every copy of them;
3. fastText names the language; English is kept;
4. an n-gram model trained on Wikipedia gives the perplexity; pages like Wikipedia are kept;
5. pages of equal digest, in this run or an earlier one, are kept once;
6. a classifier keeps pages that look like the references of Wikipedia.

The profile ``cc_net`` ends after 4 and keeps all languages and buckets, as cc_net's output does.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from filters.commoncrawl import paragraphs
from pipelines.commoncrawl.config import CommonCrawlConfig, check_config, model_facts
from pipelines.commoncrawl.digests import (
    document_id,
    earlier_digests,
    earlier_files,
    earlier_runs,
    staged_claim,
)
from pipelines.commoncrawl.prepare import prepare
from pipelines.commoncrawl.review import review
from pipelines.commoncrawl.stages import page_stages, reference_stage
from pipelines.commoncrawl.units import find_units, order_of, scope_of
from pipelines.engine.config import tell_differences
from pipelines.engine.errors import MachineError, RunError, one_line
from pipelines.engine.passes import Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.joins.claims import Claims
from pipelines.joins.keys import DuplicateKeys, UnitKeys, drop_all, keep_first
from pipelines.joins.settle import Settle

PARAGRAPHS = Topic("paragraphs", DuplicateKeys, scope_of)


def phases(config: CommonCrawlConfig, _units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the pages of a dump, in order."""
    paragraphs_meet = Claims(
        "hash paragraphs",
        PARAGRAPHS,
        partial(paragraph_claims, config),
        decide=drop_all if config.keep == "none" else keep_first,
        order=order_of,
    )
    pages_meet = Settle(
        "commoncrawl.digest",
        "duplicate_digest",
        partial(staged_claim, position=len(config.after)),
        after=earlier_files(config.after),
        earlier=earlier_digests,
        then=[reference_stage(config)] if config.wikiref else [],
        describe=document_id,
    )
    clean = Write(
        "clean" if config.settles else "write",
        config.reader.records,
        config.reader.converter,
        # Named here, by the launcher: a worker that lacks one of them must not score without it.
        partial(page_stages, config, PARAGRAPHS, frozenset(config.language_models.languages())),
        wants=[PARAGRAPHS],
        staged=pages_meet.staged if config.settles else None,
    )
    return [paragraphs_meet, clean, *([pages_meet] if config.settles else [])]


def paragraph_claims(
    config: CommonCrawlConfig, unit: Unit, _verdicts: Verdicts
) -> Iterator[pa.Table]:
    """Yield the keys of the paragraphs of all pages that are long enough (4.4, first pass)."""
    keys = UnitKeys(config.keep)
    for page in config.reader.pages(unit):
        if len(page.text) >= config.min_chars:
            found = paragraphs.paragraph_keys(page.text, strip_accents=config.strip_accents)
            keys.add(page.row, found)
    yield keys.claims()


def find(config: CommonCrawlConfig) -> Inputs:
    """Find the files of the dumps.

    Raises:
        StorageError: an input is not there.
        RunError: a setting is wrong, or a model is missing or does not fit.
    """
    check_config(config)
    units = find_units(config)
    return Inputs(units, facts=model_facts(config) | earlier_runs(config.after))


def check_worker(config: CommonCrawlConfig, facts: Mapping[str, Any]) -> None:
    """Compare the models of a worker with those that the run was begun with.

    Raises:
        MachineError: a model is missing here, or is another one.
    """
    for language in facts["model_hashes"]["language_models"]:
        config.language_models.needed(language)
    try:
        here = model_facts(config)["model_hashes"]
    except (OSError, RunError) as error:
        raise MachineError(one_line(error, config.models)) from error
    if told := tell_differences(facts["model_hashes"], here):
        raise MachineError(
            f"this worker has other models than the launcher ({told}). Put the launcher's models "
            "at the same paths on all workers, and run the same command again."
        )


COMMONCRAWL = Source(
    "commoncrawl",
    CommonCrawlConfig,
    find,
    phases,
    prepare=prepare,
    check_worker=check_worker,
    review=review,
)
