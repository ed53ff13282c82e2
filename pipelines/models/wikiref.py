"""Train the classifier that separates pages like Wikipedia's references from random pages.

``python -m pipelines wikiref --wikipedia DUMP --commoncrawl RUN --out MODEL`` joins the references
of a Wikipedia dump with pages of Common Crawl that were curated before, and trains fastText on the
cited pages and on as many others. It writes the model with a card that says how well the model does
on domains that it was not trained on (docs/rules/web.md 8.3). The same inputs give the same bytes.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from filters.commoncrawl.reference import probability, threshold_for
from filters.fasttext.model import SUPERVISED_DEFAULTS, FastTextModel, load_fasttext, train_fasttext
from pipelines.engine.config import versions
from pipelines.engine.errors import RunError
from pipelines.models.cards import is_made, write_card
from pipelines.models.crawl_pages import CrawlPage, CrawlPages, find_crawl_pages
from pipelines.models.evaluation import area_under_curve, decide
from pipelines.models.references import read_references
from pipelines.models.wikiref_examples import Examples
from pipelines.models.wikiref_sample import References, Sample, SampleRules, choose
from pipelines.storage.files import find_inputs, is_local, write_bytes
from tokenizer.files import sha256_of
from tokenizer.settings import setting

MIN_REFERENCES = 100  # cited pages that a classifier needs, at least
KEPT_SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)  # of random pages; the card gives thresholds for them
POOR_AREA = 0.7  # area under the curve below which the user is warned; 0.5 is chance


@dataclass(frozen=True)
class WikirefConfig:
    """Settings of the command, as flags."""

    wikipedia: tuple[str, ...] = setting(
        help="pages-articles dumps, whose references are read; or lists of urls (.txt, .txt.gz)"
    )
    commoncrawl: tuple[str, ...] = setting(
        help="complete runs of Common Crawl made without --wikiref, or WET files"
    )
    lang: str = setting("en", help="language of the pages")
    positives: Literal["url", "host"] = setting(
        "url", help="url: cited pages; host: pages on cited hosts, for small samples"
    )
    buckets: tuple[str, ...] = setting(
        ("head", "middle"), help="buckets of pages to take from runs: head, middle, tail, all"
    )
    min_chars: int = setting(1000, at_least=0, help="characters of a page to learn from, at least")
    max_per_domain: int = setting(
        100, at_least=1, help="cited pages of one registered domain, at most"
    )
    max_positives: int = setting(
        300_000, at_least=1, help="cited pages, at most (RedPajama: 300,000)"
    )
    ratio: float = setting(1.0, at_least=0, help="other pages for each cited one")
    random_sample: int = setting(
        10_000, at_least=1, help="random pages on which the kept share is measured"
    )
    threshold: float = setting(
        0.25, at_least=0, at_most=1, help="score to keep pages from, which the card evaluates"
    )
    lr: float = setting(SUPERVISED_DEFAULTS["lr"], at_least=0, help="learning rate of fastText")
    dim: int = setting(SUPERVISED_DEFAULTS["dim"], at_least=1, help="size of the vectors")
    epoch: int = setting(SUPERVISED_DEFAULTS["epoch"], at_least=1, help="passes over the pages")
    word_ngrams: int = setting(
        SUPERVISED_DEFAULTS["wordNgrams"], at_least=1, help="words in a feature"
    )
    min_count: int = setting(
        SUPERVISED_DEFAULTS["minCount"], at_least=1, help="occurrences of a word, at least"
    )
    langid: str = setting("", help="fastText model for WET files (default: lid.176.ftz of set-up)")
    min_language_score: float = setting(
        0.5, at_least=0, at_most=1, help="score of the language in WET files, 0 to 1"
    )
    seed: int = setting(0, help="seed of the samples, of the split and of fastText")

    @property
    def rules(self) -> SampleRules:
        """How pages are chosen."""
        return SampleRules(
            self.positives,
            self.min_chars,
            self.max_per_domain,
            self.max_positives,
            self.ratio,
            self.random_sample,
            self.seed,
        )

    @property
    def fasttext(self) -> dict[str, Any]:
        """The settings of fastText, by its own names."""
        return {
            "lr": self.lr,
            "dim": self.dim,
            "epoch": self.epoch,
            "wordNgrams": self.word_ngrams,
            "minCount": self.min_count,
        }


def wikiref(config: WikirefConfig, out: str, say: Callable[[str], None] = print) -> None:
    """Train the classifier and write it to ``out``; a finished one is left alone.

    Raises:
        RunError, StorageError, SetupError: the message says what went wrong and what to do.
    """
    model = _target(config, out)
    dumps = find_inputs(config.wikipedia)
    pages = find_crawl_pages(
        config.commoncrawl,
        lang=config.lang,
        langid=config.langid,
        min_score=config.min_language_score,
        all_buckets=False,
    )
    _check_runs(pages)
    settings = asdict(config)
    for name in ("wikipedia", "commoncrawl", "langid", "min_language_score"):
        del settings[name]  # the identity holds their content instead
    identity = {
        **settings,
        **pages.identity(),
        "wikipedia": [f"{Path(dump.path).name} ({dump.size} bytes)" for dump in dumps],
    }
    card = model.with_name(f"{model.name}.json")
    if is_made(card, identity):
        say(f"the classifier is there already: {model}")
        return
    if model.exists():
        raise RunError(
            f"{model} was not made by this command (there is no {card.name}). Name another --out."
        )
    say("reading the references of Wikipedia")
    references = References.of(read_references(dump.path for dump in dumps))
    say(f"looking for pages of Common Crawl among {len(references.urls):,} references")
    wanted = Wanted(pages, frozenset(config.buckets))
    sample = choose(wanted, references, config.rules)
    _check_sample(sample, references, config)
    with tempfile.TemporaryDirectory(dir=model.parent, prefix=f".tmp-{model.name}-") as folder:
        work = Path(folder)
        say(f"{len(sample.references):,} cited pages, {len(sample.others):,} others")
        examples = Examples(work, config.seed)
        examples.take(wanted, sample)
        counts = examples.counts
        say(f"training on {counts['train']:,} pages, {counts['held_out']:,} held out")
        trained = work / "model.bin"
        _train(examples.shuffled(), trained, config)
        measured = evaluate(load_fasttext(trained), examples, config.threshold)
        content = {
            "config": identity,
            "references": {
                "read": references.read,
                "urls": len(references.urls),
                "hosts": len(references.hosts),
            },
            "pages": dict(sample.counts),
            "examples": counts,
            "evaluation": measured,
            "sha256": sha256_of(trained),
            "bytes": trained.stat().st_size,
            "versions": versions(),
        }
        shutil.move(trained, model)
    write_bytes(str(model.with_name(f"{model.name}.md")), render(content).encode())
    write_card(card, content)
    say(render(content))
    area = measured["area_under_curve"]
    if area is None or area < POOR_AREA:
        say(
            "warning: the classifier hardly separates pages of domains that it was not trained on. "
            "Give it more pages, or with few pages more --epoch and a larger --lr."
        )


def _target(config: WikirefConfig, out: str) -> Path:
    if not is_local(out):
        raise RunError(f"--out={out}: models are made on this machine; name a local path.")
    model = Path(out)
    if model.is_dir():
        raise RunError(
            f"--out={out}: it is a folder; name the file of the model, e.g. {out}/wikiref.bin."
        )
    if config.ratio <= 0:
        raise RunError(f"--ratio={config.ratio}: give a number above 0.")
    model.parent.mkdir(parents=True, exist_ok=True)
    return model


def _check_runs(pages: CrawlPages) -> None:
    for run in pages.runs:
        if run.read_json("config.json")["config"].get("wikiref"):
            raise RunError(
                f"{run.path} was made with --wikiref, so its pages are not random ones. Name a run "
                "made without it."
            )


@dataclass(frozen=True)
class Wanted:
    """The pages of some buckets, and all pages of WET files, which have no bucket."""

    pages: CrawlPages
    buckets: frozenset[str]

    def __iter__(self) -> Iterator[CrawlPage]:
        """Yield the pages in the order of the inputs."""
        return (page for page in self.pages if not page.bucket or page.bucket in self.buckets)


def _check_sample(sample: Sample, references: References, config: WikirefConfig) -> None:
    """Refuse a sample that is too small to train a classifier.

    Raises:
        RunError: the message says what is missing and what to do.
    """
    counts = sample.counts
    if not len(references.urls):
        raise RunError(
            f"no reference in {', '.join(config.wikipedia)}: is it a pages-articles dump?"
        )
    if not counts["long_enough"]:
        raise RunError(
            f"no page in '{config.lang}' with {config.min_chars:,} characters in "
            f"{', '.join(config.commoncrawl)} ({counts['pages']:,} pages are shorter)."
        )
    if len(sample.references) < MIN_REFERENCES:
        advice = "Name more --commoncrawl (whole dumps), or a larger --wikipedia"
        if config.positives == "url":
            advice += (
                f". For a small sample, take the {counts['on_cited_hosts']:,} pages on cited "
                "hosts with --positives host, a weaker label"
            )
        raise RunError(
            f"{len(sample.references):,} of {counts['long_enough']:,} pages are cited by "
            f"{config.positives} and differ; {MIN_REFERENCES} are needed. {advice}."
        )
    if not sample.others:
        raise RunError(
            "every page is cited, so there are no others to train on. Name more --commoncrawl."
        )


def _train(examples: Path, model: Path, config: WikirefConfig) -> None:
    try:
        train_fasttext(examples, model, seed=config.seed, **config.fasttext)
    except ValueError as error:
        raise RunError(f"fastText cannot be trained: {error}") from error


def evaluate(model: FastTextModel, examples: Examples, threshold: float) -> dict[str, Any]:
    """Measure the model on held-out domains and on a random sample of pages."""
    labels, scores = [], []
    for is_reference, line in examples.read("held-out"):
        labels.append(is_reference)
        scores.append(probability(model, line))
    of_random = [probability(model, line) for _, line in examples.read("random")]
    held_out, is_cited = np.array(scores, float), np.array(labels, bool)
    decisions = decide(held_out, is_cited, threshold)
    sampled = decide(np.array(of_random, float), np.zeros(len(of_random), bool), threshold)
    return {
        "threshold": threshold,
        "area_under_curve": _rounded(area_under_curve(held_out, is_cited)),
        "precision": _rounded(decisions.precision),
        "recall": _rounded(decisions.recall),
        "kept_of_random_pages": _rounded(sampled.kept_fraction),
        # For users who want to keep a share of the pages and not all above a score
        # (docs/rules/web.md 8.3).
        "threshold_for_kept": {
            str(share): threshold_for(of_random, share) for share in KEPT_SHARES if of_random
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def render(card: dict[str, Any]) -> str:
    """Return the card as Markdown."""
    config, pages = card["config"], card["pages"]
    examples, measured = card["examples"], card["evaluation"]
    label = {"url": "pages cited by url", "host": "pages on cited hosts (a weaker label)"}
    rows = [
        (
            "references",
            f"{card['references']['urls']:,} urls on {card['references']['hosts']:,} hosts",
        ),
        ("pages read", f"{pages['pages']:,}; {pages['long_enough']:,} long enough"),
        ("positives", f"{pages['references_chosen']:,} {label[config['positives']]}"),
        ("negatives", f"{pages['others_chosen']:,} other pages"),
        ("trained on", f"{examples['train']:,} pages, {examples['train_references']:,} positive"),
        (
            "held out",
            f"{examples['held_out']:,} pages, {examples['held_out_references']:,} positive",
        ),
        ("area under curve", _shown(measured["area_under_curve"])),
        ("precision", f"{_shown(measured['precision'])} at {measured['threshold']}"),
        ("recall", f"{_shown(measured['recall'])} at {measured['threshold']}"),
        (
            "kept of random pages",
            _shown(measured["kept_of_random_pages"])
            + f" of {examples['random']:,} ({examples['random_trained_on']:,} were trained on)",
        ),
        ("SHA-256", card["sha256"]),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(
        ["# Classifier of Wikipedia's references", "", "| | |", "|---|---|", *lines, ""]
    )


def _shown(value: float | None) -> str:
    return "not known (a class has no held-out page)" if value is None else f"{value:.4f}"
