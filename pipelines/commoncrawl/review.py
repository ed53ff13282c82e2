"""What of a run of Common Crawl is far from what a whole dump gives."""

from pipelines.commoncrawl.stages import REFERENCE_STAGE, RemoveDuplicates
from pipelines.engine.ledger import Ledger

# What a real dump gives (12), in percent: outside of it a setting or a model is likely wrong.
EXPECTED = {
    "characters left by deduplication": (20, 60),
    "pages in the languages kept": (35, 50),
    "pages in bucket head": (20, 40),
    "pages in bucket middle": (20, 40),
    "pages in bucket tail": (30, 50),
    "pages kept by the classifier": (5, 60),
}


def review(ledger: Ledger) -> list[str]:
    """Say what of a run is far from what a real dump of English pages gives."""
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
