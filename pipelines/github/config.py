"""The settings of GitHub."""

from dataclasses import dataclass
from typing import Literal

from filters.github import licenses
from tokenizer.settings import setting


@dataclass(frozen=True)
class GithubConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="BigQuery exports: files, globs, or directories (Parquet, JSON lines, Avro)"
    )
    profile: Literal["default", "redpajama"] = setting(
        "default", help="redpajama: the rules of RedPajama v1, for comparison"
    )
    licenses: tuple[str, ...] = setting(
        tuple(sorted(licenses.PERMISSIVE)), choices=licenses.KEYS, help="licence keys to keep"
    )
    keep_license_files: bool = setting(False, help="keep LICENSE, COPYING and NOTICE files")
    keep_vendored: bool = setting(False, help="keep files under vendor/, node_modules/, ...")
    keep_minified: bool = setting(False, help="keep *.min.js and *.min.css")
    drop_generated: bool = setting(False, help="drop files that say they are generated")
    keep_generated_docs: bool = setting(False, help="keep pages of Doxygen, javadoc, Sphinx, ...")
    keep_copyleft_notices: bool = setting(
        False, help="keep files whose own notice puts them under the GPL or the AGPL"
    )
    max_line_length: int = setting(1000, at_least=1, help="longest line, in characters, at most")
    avg_line_length: float = setting(
        100.0, at_least=1, help="mean line length, in characters, at most"
    )
    min_alnum_ratio: float = setting(
        0.25, at_least=0, at_most=1, help="alphanumeric share of the characters, at least"
    )
    token_counter: str = setting(
        "",
        help="SentencePiece model for redpajama's rule on letters per token (default: no rule)",
        place=True,
        on_workers=True,
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def redpajama(self) -> bool:
        """Whether the profile is ``redpajama``."""
        return self.profile == "redpajama"
