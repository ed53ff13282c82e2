"""Settings of arXiv."""

from dataclasses import dataclass
from typing import Literal

from tokenizer.settings import setting


@dataclass(frozen=True)
class ArxivConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="arXiv_src_YYMM_NNN.tar files of the bucket of sources: files, globs, or directories"
    )
    profile: Literal["default", "redpajama"] = setting(
        "default", help="redpajama: what RedPajama v1 does, for comparison"
    )
    manifest: str = setting(
        "", help="arXiv_src_manifest.xml (default: the one beside the inputs, if there is one)"
    )
    no_section: Literal["keep", "drop"] = setting(
        "keep", help="papers without a section: keep what follows the title, or drop them"
    )
    keep_abstract: bool = setting(False, help="put the abstract in front of the text")
    appendix: Literal["keep", "drop"] = setting("keep", help="what follows \\appendix")
    include_supplements: bool = setting(
        False, help="append documents of their own that a paper brings along"
    )
    min_chars: int = setting(
        200, at_least=0, help="characters of a text that are no blanks, at least"
    )
    langid: str = setting(
        "",
        help="fastText model of languages, for the column lang; off without one",
        place=True,
        on_workers=True,
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def redpajama(self) -> bool:
        """Whether the profile is RedPajama's."""
        return self.profile == "redpajama"
