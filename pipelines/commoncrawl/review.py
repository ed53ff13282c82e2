"""Remark on the shares of a finished run that are far from those of a whole dump."""

from pipelines.commoncrawl.stages import REFERENCE_STAGE, RemoveDuplicates
from pipelines.engine.ledger import Ledger

# The shares of a real dump in percent (docs/rules/web.md 12). Outside of these ranges a setting or
# a model is probably wrong.
EXPECTED = {
    "characters left by deduplication": (20, 60),
    "pages in the languages kept": (35, 50),
    "pages in bucket head": (20, 40),
    "pages in bucket middle": (20, 40),
    "pages in bucket tail": (30, 50),
    "pages kept by the classifier": (5, 60),
}


def review(ledger: Ledger) -> list[str]:
    """Return a remark for each share that is unusual for a dump of English pages."""
    shares: dict[str, tuple[float, float]] = {}
    if tally := ledger.stages.get(RemoveDuplicates.name):
        shares["characters left by deduplication"] = tally.characters_out, tally.characters_in
    if tally := ledger.stages.get("commoncrawl.language"):
        shares["pages in the languages kept"] = tally.documents_out, tally.documents_in
    named = sum(ledger.notes[f"bucket {name}"] for name in ("head", "middle", "tail"))
    for name in ("head", "middle", "tail"):
        shares[f"pages in bucket {name}"] = ledger.notes[f"bucket {name}"], named
    if tally := ledger.stages.get(REFERENCE_STAGE):
        shares["pages kept by the classifier"] = tally.documents_out, tally.documents_in
    remarks = []
    for what, (part, whole) in shares.items():
        low, high = EXPECTED[what]
        if whole and not low <= 100 * part / whole <= high:
            remarks.append(
                f"{what}: {100 * part / whole:.0f} %, {low} to {high} % is usual for a whole dump"
            )
    return remarks
