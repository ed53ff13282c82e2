"""Settings of C4, and what is refused before any work."""

from dataclasses import dataclass
from typing import Literal

from filters.c4.lines import PRESETS, LineRules
from pipelines.engine.errors import RunError
from pipelines.storage.listing import PREFIX
from tokenizer.settings import setting

# Share of the pages with a bad word that the multilingual variant drops (docs/rules/web.md 9.7).
MULTILINGUAL_FRACTION = 0.999


@dataclass(frozen=True)
class C4Config:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        (),
        help="published files, .json.gz: paths, globs, addresses; or one listing of such, .paths",
    )
    wet: tuple[str, ...] = setting(
        (), help="WET files to make C4 from: paths, globs, addresses; or one listing, wet.paths.gz"
    )
    prefix: str = setting(
        "", help=f"what comes before the paths of a listing (of WET files: {PREFIX})"
    )
    variant: Literal[
        "en", "en.noblocklist", "en.noclean", "realnewslike", "webtextlike", "multilingual"
    ] = setting("en", help="which C4: what is cleaned, compared and filtered")
    preset: Literal["tfds", "jmlr", "datatrove"] = setting(
        "tfds", help="numbers of the line rules: TensorFlow Datasets', the paper's, datatrove's"
    )
    profile: Literal["default", "tfds"] = setting(
        "default", help="tfds: read WET files by lines and take pinned lists only, to compare"
    )
    dump: str = setting("", help="name of the dump, e.g. 2019-18, where the paths do not say it")
    unit: Literal["line", "span3"] = setting(
        "line", help="what stays on one page only: a line, or spans of three sentences (the paper)"
    )
    badwords: str = setting(
        "",
        help="folder or address of the lists of bad words, a file per language; {commit} in it "
        "stands for the pinned commit of a list",
        place=True,
        on_workers=True,
    )
    domains: str = setting(
        "",
        help="realnewslike: JSON of domains, each with its sub-domains or null",
        place=True,
        on_workers=True,
    )
    urls: tuple[str, ...] = setting(
        (),
        help="webtextlike: files of urls, one per line, .gz or plain",
        place=True,
        on_workers=True,
    )
    languages: tuple[str, ...] = setting(
        ("all",), help="multilingual: languages that are kept, besides und; all: every one"
    )
    split: Literal["all", "train", "validation"] = setting(
        "all", help="which of C4's splits stay; each document says its own in meta"
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def rules(self) -> LineRules:
        """The numbers of the line rules."""
        return PRESETS[self.preset]

    @property
    def line_based(self) -> bool:
        """Whether WET files are read by lines, as TensorFlow Datasets does."""
        return self.profile == "tfds"

    @property
    def multilingual(self) -> bool:
        """Whether pages of all languages are kept."""
        return self.variant == "multilingual"

    @property
    def cleans(self) -> bool:
        """Whether the line rules apply."""
        return self.variant not in ("en.noclean", "multilingual")

    @property
    def compares(self) -> bool:
        """Whether lines stay on one page only."""
        return self.variant != "en.noclean"

    @property
    def blocks(self) -> bool:
        """Whether pages with bad words go; published ones have gone."""
        return bool(self.wet) and self.variant not in ("en.noblocklist", "en.noclean")

    @property
    def fraction(self) -> float:
        """Share of the pages with bad words that go."""
        return MULTILINGUAL_FRACTION if self.multilingual else 1.0

    @property
    def min_sentences(self) -> int:
        """Sentences that a page must hold after its lines were compared."""
        return 0 if self.multilingual else self.rules.min_sentences


def check_config(config: C4Config) -> None:
    """Refuse what cannot be meant, before any work.

    Raises:
        RunError: a setting is wrong or missing; the message says what to do.
    """
    if not config.input and not config.wet:
        raise RunError(
            "give --input with published files of C4 (.json.gz), or --wet with WET files to make "
            "it from"
        )
    if not config.wet:
        return
    if config.blocks and not config.badwords:
        raise RunError(
            "--badwords is missing: give the folder of the lists of bad words (the repository "
            "LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words), or take "
            "--variant en.noblocklist"
        )
    if config.variant == "realnewslike" and not config.domains:
        raise RunError(
            "--domains is missing: realnewslike keeps pages of listed news sites. Give a JSON file "
            'such as {"example.com": ["news", "www"], "example.org": null}'
        )
    if config.variant == "webtextlike" and not config.urls:
        raise RunError(
            "--urls is missing: webtextlike keeps pages whose urls are listed. Give files with one "
            "url per line, such as those of OpenWebText"
        )
    if config.unit == "span3" and config.multilingual:
        raise RunError("--unit span3 needs English sentences; take --unit line for multilingual")
