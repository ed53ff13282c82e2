"""The stages that a page of C4 goes through, in the order of TensorFlow Datasets (web 9.1)."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from filters.c4 import cld3, duplicates, language
from filters.c4.badwords import check_badwords, language_of
from filters.c4.english import predict_english
from filters.c4.lines import LineRules, clean_page
from filters.c4.pages import check_domain, check_listed_url, check_page_length, check_paragraphs
from filters.c4.sentences import english
from filters.commoncrawl.paragraphs import plain_controls
from filters.verdict import KEEP, Verdict, drop
from pipelines.c4 import lists
from pipelines.c4.config import C4Config
from pipelines.engine.documents import Document
from pipelines.engine.stages import Keep, Rewrite, Stage
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.joins.claims import RowVerdicts
from pipelines.joins.keys import DuplicateKeys, Keys

URL = ("meta.normalized_url",)


def before_urls(config: C4Config) -> list[Stage]:
    """Return the stages before pages of one url meet."""
    stages: list[Stage] = [Keep("c4.length", check_page_length)]
    if config.variant == "realnewslike":
        check = partial(check_domain, domains=lists.domains(config.domains))
        stages.append(Keep("c4.domain", check, URL))
    return stages


def before_lines(config: C4Config, urls: RowVerdicts) -> list[Stage]:
    """Return the stages before the lines of pages meet."""
    stages = [*before_urls(config), OnePagePerUrl(urls)]
    if config.variant == "webtextlike":
        check = partial(check_listed_url, urls=lists.url_list(config.urls))
        stages.append(Keep("c4.url_list", check, URL))
    if config.multilingual:
        stages.append(Keep("c4.paragraphs", check_paragraphs))
    if config.cleans:
        stages.append(CleanLines(config.rules))
    return stages


def page_stages(
    config: C4Config, urls: Topic, lines: Topic, _unit: Unit, verdicts: Verdicts
) -> Sequence[Stage]:
    """Return all stages of a page that C4 is made from.

    Args:
        config: the settings.
        urls: the decision on pages of one url.
        lines: the decision on lines that pages share.
        verdicts: what was decided for the unit.
    """
    stages = before_lines(config, verdicts.get(urls.name) or RowVerdicts(()))
    if config.compares:
        found = verdicts.get(lines.name) or DuplicateKeys()
        stages.append(RemoveDuplicates(found, config.min_sentences, config.unit))
    if config.multilingual:
        stages.append(Languages(config.languages))
    else:
        stages.append(English())
    if config.blocks:
        stages.append(
            BadWordsFilter(config.badwords, tuple(lists.wanted_lists(config)), config.fraction)
        )
    return [*stages, *last_stages(config)]


def last_stages(config: C4Config) -> list[Stage]:
    """Return the stages that published pages go through as well."""
    stages: list[Stage] = []
    if config.split != "all":
        stages.append(Keep("c4.split", partial(check_split, wanted=config.split), ("meta.split",)))
    return [*stages, Rewrite("c4.controls", plain_controls)]


def check_split(split: str, *, wanted: str) -> Verdict:
    """Keep pages of one split."""
    return KEEP if split == wanted else drop("other_split", split)


class OnePagePerUrl:
    """The stage that keeps the newest page of each normalised url (9.2)."""

    name = "c4.url"
    across = "newer pages of the same url"

    def __init__(self, verdicts: RowVerdicts) -> None:
        self.verdicts = verdicts
        self.notes: Counter[str] = Counter()

    def __call__(self, document: Document) -> Verdict:
        """Drop the page if another of its url is kept."""
        if self.verdicts.of(document.row)["wins"]:
            self.notes["duplicate-url-filter/passed"] += 1
            return KEEP
        self.notes["duplicate-url-filter/filtered"] += 1
        return drop("duplicate_url", document.meta["normalized_url"])


class CleanLines:
    """The stage that keeps the lines of a page that look like sentences (9.3)."""

    name = "c4.clean"

    def __init__(self, rules: LineRules) -> None:
        self.rules = rules
        self.notes: Counter[str] = Counter()

    def load(self) -> None:
        """Load the model of sentences."""
        english()

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the text, or drop the page."""
        page = clean_page(document.text, english().lines_have, rules=self.rules)
        for name, count in page.counters.items():
            self.notes[f"clean-page/{name}"] += count
        if page.text is None:
            return drop(page.reason, page.detail)
        document.text = page.text
        return KEEP


class RemoveDuplicates:
    """The stage that removes what another page keeps, and what a page repeats (9.5)."""

    name = "c4.duplicates"
    across = "lines that another page keeps: the one whose url has the smallest MD5"

    def __init__(self, found: DuplicateKeys, min_sentences: int, unit: str) -> None:
        self.found = found
        self.min_sentences = min_sentences
        self.unit = unit
        self.notes: Counter[str] = Counter()

    def load(self) -> None:
        """Load the model of sentences."""
        if self.min_sentences or self.unit == "span3":
            english()

    def keys(self, document: Document) -> Keys:
        """Return the keys of the lines of a page, or of its spans of sentences."""
        if self.unit == "span3":
            return duplicates.span_keys(document.text, english().spans(document.text))
        return duplicates.line_keys(document.text)

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the text; drop the page if too little is left."""
        left = unique_text(document, self.found, self.unit)
        for name, count in left.counters.items():
            self.notes[f"dedupe-lines/{name}"] += count
        reason = ""
        if not left.text:
            reason = "empty"
        elif self.min_sentences and not english().has(left.text, self.min_sentences):
            reason = "too_few_sentences"
        self.notes[f"dedupe-lines/filtered:{reason}" if reason else "dedupe-lines/passed"] += 1
        if reason:
            return drop(reason)
        document.text = left.text
        return KEEP


def unique_text(document: Document, found: DuplicateKeys, unit: str) -> duplicates.UniqueText:
    """Return what of a page no other page keeps."""
    if unit == "span3":
        spans = english().spans(document.text)
        keys = duplicates.span_keys(document.text, spans)
        elsewhere = found.among(keys, document.row)
        return duplicates.remove_spans(document.text, spans, keys, elsewhere)
    keys = duplicates.line_keys(document.text)
    return duplicates.remove_lines(document.text, keys, found.among(keys, document.row))


class English:
    """The stage that keeps English pages (9.6)."""

    name = "c4.language"

    def __init__(self) -> None:
        self.notes: Counter[str] = Counter()

    def load(self) -> None:
        """Load the profiles of the languages."""
        language.detect("This is a sentence.")

    def __call__(self, document: Document) -> Verdict:
        """Write the language and its probability; drop what is not English for sure."""
        found = predict_english(document.text, language.detect)
        document.lang, document.lang_score = found.language, found.probability
        verdict = found.verdict
        if verdict.keep:
            self.notes["english-filter/passed"] += 1
            return verdict
        self.notes[f"english-filter/filtered:{verdict.reason}"] += 1
        if verdict.reason == "ignored_language":
            self.notes[f"english-filter/filtered:ignored_language-{found.language}"] += 1
        return verdict


class Languages:
    """The stage that names the language of a page, of all languages (9.6)."""

    name = "c4.language"

    def __init__(self, languages: Sequence[str]) -> None:
        self.wanted = None if tuple(languages) == ("all",) else frozenset(languages)
        self.notes: Counter[str] = Counter()

    def load(self) -> None:
        """Load the model of CLD3."""
        cld3.detector()

    def __call__(self, document: Document) -> Verdict:
        """Write the language; drop a page that is surely of one that is not wanted."""
        found = cld3.predict(document.text, cld3.detector(), wanted=self.wanted)
        document.lang, document.lang_score = found.language, found.probability
        if found.remark:
            self.notes[f"language-filter/filtered:{found.remark}"] += 1
        if not found.verdict.keep:
            return found.verdict
        self.notes["language-filter/passed"] += 1
        self.notes[f"language-filter/passed:{found.language}"] += 1
        return KEEP


class BadWordsFilter:
    """The stage that drops pages with bad words (9.7)."""

    name = "c4.badwords"

    def __init__(self, folder: str, names: tuple[str, ...], fraction: float) -> None:
        self.folder = folder
        self.names = names
        self.fraction = fraction
        self.notes: Counter[str] = Counter()

    def load(self) -> None:
        """Read the lists."""
        lists.badwords(self.folder, self.names)

    def __call__(self, document: Document) -> Verdict:
        """Drop the page if it holds an entry of its language's list."""
        spoken = document.lang or ""
        found = lists.badwords(self.folder, self.names)
        verdict = check_badwords(
            document.text,
            spoken,
            document.meta["normalized_url"],
            lists=found,
            fraction=self.fraction,
        )
        outcome = "filtered" if not verdict.keep else "soft-passed" if verdict.detail else "passed"
        self.notes[f"badwords-filter/{outcome}"] += 1
        if (listed := language_of(spoken)) in found:
            self.notes[f"badwords-filter-{listed}/{outcome}"] += 1
        return verdict
