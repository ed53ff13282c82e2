"""Settings of Stack Exchange."""

from dataclasses import dataclass
from typing import Literal

from filters.stackexchange.body import HtmlOptions
from filters.stackexchange.sites import LARGEST
from filters.stackexchange.threads import ThreadRules
from tokenizer.settings import setting


@dataclass(frozen=True)
class StackExchangeConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="dumps: SITE.7z, or Posts.xml (.gz, .bz2, .zst) in a folder named after its site"
    )
    profile: Literal["default", "redpajama"] = setting(
        "default", help="redpajama: what RedPajama v1 does, for comparison"
    )
    sites: tuple[str, ...] = setting((), help="sites, also A,B; by default the largest")
    largest: int = setting(LARGEST, at_least=1, help="how many of the largest sites are kept")
    min_answer_score: int | None = setting(None, help="drop answers with a lower score")
    max_answers: int | None = setting(None, at_least=0, help="answers of a question, at most")
    accepted_first: bool = setting(False, help="put the accepted answer first")
    unanswered: Literal["keep", "drop"] = setting("keep", help="questions without answers")
    question_mark: str = setting("Q: ", help="what a question begins with")
    answer_mark: str = setting("A: ", help="what an answer begins with")
    code_fence: bool = setting(False, help="put ``` around blocks of code")
    img_alt: bool = setting(False, help="put the alternative texts of images in their places")
    unit_megabytes: float = setting(64.0, help="of a Posts.xml, a unit")
    group_megabytes: float = setting(128.0, help="of all Posts.xml, in a group of threads")
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def redpajama(self) -> bool:
        """Whether the profile is RedPajama's."""
        return self.profile == "redpajama"

    @property
    def wanted(self) -> list[str]:
        """The sites that are named."""
        return [site for value in self.sites for site in value.split(",") if site]

    @property
    def html(self) -> HtmlOptions:
        """What the filter of bodies is told."""
        return HtmlOptions(self.code_fence, self.img_alt)

    @property
    def rules(self) -> ThreadRules:
        """What the filters of threads are told."""
        return ThreadRules(
            self.profile,
            self.min_answer_score,
            self.max_answers,
            self.accepted_first,
            self.question_mark,
            self.answer_mark,
        )
