"""Ranges that the figures of a run are in when it covers a whole dump, each with its origin.

A figure outside of its range is a warning: a setting, a model or an input is probably not what it
should be. A small sample may well be outside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.catalog import SOURCE_BY_NAME
from pipelines.engine.ledger import Ledger
from tokenizer.manifest import Manifest

Share = tuple[float, float]  # a part, and the whole


@dataclass(frozen=True, slots=True)
class Range:
    """A figure of a source in percent, and where it usually is."""

    source: str
    what: str
    low: float
    high: float
    origin: str
    share: Callable[[Ledger], Share]


def _kept_by(stage: str) -> Callable[[Ledger], Share]:
    """Return the documents that a stage keeps, of those that reach it."""

    def share(ledger: Ledger) -> Share:
        tally = ledger.stages.get(stage)
        return (tally.documents_out, tally.documents_in) if tally else (0, 0)

    return share


# Those of Common Crawl's deduplication, languages, buckets and classifier are in its own review.
RANGES = (
    Range(
        "commoncrawl",
        "pages of at least 300 characters",
        85,
        100,
        "about 95 % in one WET file, docs/rules/web.md 12",
        _kept_by("commoncrawl.length"),
    ),
    Range(
        "c4",
        "clean pages without a bad word",
        88,
        97,
        "92.8 % of the pages of C4, docs/rules/web.md 12",
        _kept_by("c4.badwords"),
    ),
)
# Bytes of UTF-8 per token of LLaMA's tokenizer: disk size by unique tokens (docs/rules/tokens.md
# 4.1). Another tokenizer, or a small one, has fewer.
BYTES_PER_TOKEN: Mapping[str, float] = {
    "commoncrawl": 3.87,
    "c4": 3.95,
    "github": 3.33,
    "wikipedia": 3.23,
    "books": 3.01,
    "arxiv": 2.79,
    "stackexchange": 2.87,
}
_TOLERANCE = 0.3  # of the bytes per token


def warnings_of(name: str, ledger: Ledger, failed_files: int, tokens: Manifest | None) -> list[str]:
    """Return what is unusual in a run of a source, one sentence each."""
    found = [f"{_counted(failed_files, 'input file')} could not be read"] if failed_files else []
    found += _own(name, ledger)
    for usual in RANGES:
        part, whole = usual.share(ledger) if usual.source == name else (0, 0)
        if whole and not usual.low <= 100 * part / whole <= usual.high:
            found.append(
                f"{usual.what}: {100 * part / whole:.0f} %, {usual.low:g} to {usual.high:g} % is "
                f"usual for a whole dump ({usual.origin})"
            )
    if tokens is not None and name in BYTES_PER_TOKEN:
        paper = BYTES_PER_TOKEN[name]
        count = sum(split.tokens for split in tokens.splits.values())
        size = sum(split.text_bytes for split in tokens.splits.values())
        if count and abs(size / count - paper) > _TOLERANCE * paper:
            found.append(
                f"bytes per token: {size / count:.2f}, about {paper:.2f} is usual for this source "
                "with LLaMA's tokenizer (docs/rules/tokens.md 4.1)"
            )
    failed = sum(
        n
        for tally in ledger.stages.values()
        for reason, n in tally.rejected.items()
        if reason.startswith("failed:") or reason == "timeout"
    )
    if failed:
        found.append(f"a rule failed or took too long on {_counted(failed, 'document')}")
    if bad := ledger.bad_records.total():
        found.append(f"{_counted(bad, 'record')} could not be read")
    return found


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _own(name: str, ledger: Ledger) -> list[str]:
    """Return the remarks of the source itself, if it has any."""
    if name not in SOURCE_BY_NAME:
        return []
    return [
        f"{remark} (docs/rules/web.md 12)" for remark in SOURCE_BY_NAME[name].load().review(ledger)
    ]
