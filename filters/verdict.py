"""The verdict of a filter on one document: keep it, or drop it for a reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one filter for one document."""

    keep: bool
    reason: str = ""  # snake_case name of the rule that dropped the document
    detail: str = ""  # what was measured, for the reader of the rejects


KEEP = Verdict(keep=True)


def drop(reason: str, detail: str = "") -> Verdict:
    """Drop the document for ``reason``.

    >>> drop("too_short", "3 characters").reason
    'too_short'
    """
    return Verdict(keep=False, reason=reason, detail=detail)
