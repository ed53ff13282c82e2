"""Make the cutoffs of a run of Common Crawl before its plan, if they are missing."""

import logging
from collections.abc import Sequence
from pathlib import Path

from pipelines.commoncrawl.config import CommonCrawlConfig, check_config
from pipelines.commoncrawl.records import WET, kind_of
from pipelines.commoncrawl.units import places
from pipelines.engine.errors import RunError
from pipelines.models.cards import ModelFiles
from pipelines.models.lm_cutoffs import FAIR_SAMPLE, CutoffSample
from pipelines.models.lm_cutoffs import make_cutoffs as make_cutoffs_of_language

CUTOFF_FILES = 8  # to measure cutoffs on; they have about 100,000 English pages


def prepare(config: CommonCrawlConfig) -> None:
    """Make the cutoffs of the language models if they have none.

    Raises:
        StorageError: an input does not exist.
        RunError: a setting is wrong, or there are no pages to measure cutoffs on.
    """
    check_config(config)
    if not config.cutoffs and not Path(config.language_models.table).is_file():
        make_cutoffs(config, [file.path for _, file in places(config)])


def make_cutoffs(config: CommonCrawlConfig, paths: Sequence[str]) -> None:
    """Measure the cutoffs of the models on files of this run (docs/rules/web.md 7).

    Raises:
        RunError: there are no pages to measure them on.
    """
    models = config.language_models
    wet = [path for path in paths if kind_of(path) == WET]
    if not wet:
        raise RunError(
            f"{models.table} is missing, and there are no WET files to measure cutoffs on. Give "
            "--cutoffs published for cc_net's models, or make a table with "
            f"`python -m pipelines lm --out {config.models} --cutoffs-from WET ...`."
        )
    say = logging.getLogger(__name__).warning
    sample = CutoffSample(
        # Take files from the whole range of a dump, in the order of its listing.
        inputs=tuple(wet[:: -(-len(wet) // CUTOFF_FILES)]),
        documents=FAIR_SAMPLE,
        langid=config.langid,
        min_language_score=config.min_language_score,
        per_line=config.per_line,
    )
    say("%s is missing; measuring cutoffs on files of this run", models.table)
    for language in models.languages() if config.every_language else config.languages:
        make_cutoffs_of_language(ModelFiles(Path(config.models), language), sample, say)
