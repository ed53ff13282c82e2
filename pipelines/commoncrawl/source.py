"""English Common Crawl (LLaMA, section 2.1, "English CommonCrawl", 67 % of the mixture).

The rules are docs/rules/web.md 2 to 8. A run takes one dump or several. The steps are in the order
of CCNet and of the paper:

1. Pages of WET files are read that have at least 300 characters.
2. Paragraphs that occur in two documents of a scope are dropped, with every copy.
3. fastText identifies the language, and English pages are kept.
4. An n-gram model trained on Wikipedia gives the perplexity, and pages with a low one are kept.
5. Of pages with equal digests, in this run and earlier ones, one is kept.
6. A classifier keeps pages that look like the references of Wikipedia.

The profile ``cc_net`` ends after step 4 and keeps all languages and buckets, as cc_net does.
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
from pipelines.joins.keys import DuplicateKeys, Keys, UnitKeys, drop_all, keep_first
from pipelines.joins.settle import Settle
from pipelines.readers.wet import WetPage

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
    """Yield the paragraph keys of all pages that are long enough (docs/rules/web.md 4.4)."""
    keys = UnitKeys(config.keep)
    for page in config.reader.hashed(unit, partial(keys_of, config)):
        if page.keys is not None:
            keys.add(page.row, page.keys)
    yield keys.claims()


def keys_of(config: CommonCrawlConfig, page: WetPage) -> Keys | None:
    """Return the keys of the paragraphs of a page, or None if the page is too short."""
    if len(page.text) < config.min_chars:
        return None
    return paragraphs.paragraph_keys(page.text, strip_accents=config.strip_accents)


def find(config: CommonCrawlConfig) -> Inputs:
    """Find the files of the dumps.

    Raises:
        StorageError: an input does not exist.
        RunError: a setting is wrong, or a model is missing or does not fit its cutoffs.
    """
    check_config(config)
    units = find_units(config)
    return Inputs(units, facts=model_facts(config) | earlier_runs(config.after))


def check_worker(config: CommonCrawlConfig, facts: Mapping[str, Any]) -> None:
    """Compare the models of a worker with those of the launcher.

    Raises:
        MachineError: a model is missing on the worker, or is another one.
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
