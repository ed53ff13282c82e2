"""Stages of GitHub that write more than one column."""

from dataclasses import dataclass

from filters.github.headers import split_header
from filters.github.notice_licenses import check_notice_license, notice_license, other_license
from filters.verdict import KEEP, Verdict
from pipelines.engine.documents import Document


@dataclass(frozen=True)
class RemoveHeader:
    """Remove the licence header, and judge the licence that it states.

    ``meta.notice_license`` is that licence where it is another one than the repository's.
    """

    drop_copyleft: bool = True
    name: str = "github.header"

    def __call__(self, document: Document) -> Verdict:
        """Drop a file whose own notice puts it under strong copyleft."""
        meta = document.meta
        header = split_header(document.text, meta.get("path") or "")
        if not header.notice:
            return KEEP
        document.text = header.text
        stated = notice_license(header.notice)
        if other := other_license(stated, meta.get("license")):
            meta["notice_license"] = other
        return check_notice_license(stated, meta.get("license")) if self.drop_copyleft else KEEP
