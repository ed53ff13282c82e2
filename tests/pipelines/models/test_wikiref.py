"""The classifier of Wikipedia's references: what it learns from, and what it leaves."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from filters.commoncrawl.reference import probability
from filters.fasttext.model import load_fasttext
from pipelines.__main__ import main
from pipelines.engine.errors import RunError
from pipelines.models.crawl_pages import CrawlPage
from pipelines.models.wikiref import WikirefConfig, wikiref
from pipelines.models.wikiref_examples import Examples
from pipelines.models.wikiref_sample import References, Sample, SampleRules, choose
from pipelines.setup.cache import SetupError
from pipelines.setup.langid import find_langid
from tests.pipelines.models.small_runs import page, write_run

RULES = SampleRules("url", 10, 100, 1000, 1.0, 5, 0)
CITED = ["http://a.org/1", "https://a.org/2", "http://b.org/1#part", "ftp://c.org/1"]


def _page(url: str, text: str = "Long enough.", digest: str = "") -> CrawlPage:
    return CrawlPage(url, text, digest or url)


def _chosen(pages: Sequence[CrawlPage], urls: Iterable[str], rules: SampleRules) -> Sample:
    return choose(pages, References.of(urls), rules)


def _urls(pages: Sequence[CrawlPage], places: Iterable[int]) -> list[str]:
    return sorted(pages[place].url for place in places)


def test_pages_are_joined_with_references_by_normalised_url() -> None:
    """The scheme and the fragment do not matter; what is not of the web is none."""
    references = References.of(CITED)
    assert (references.read, len(references.urls), len(references.hosts)) == (4, 3, 2)
    pages = [_page("https://a.org/1"), _page("http://b.org/1"), _page("http://a.org/3")]
    found = _chosen(pages, CITED, RULES)
    assert _urls(pages, found.references) == ["http://b.org/1", "https://a.org/1"]
    assert _urls(pages, found.others) == ["http://a.org/3"]


def test_by_host_every_page_of_a_cited_host_counts() -> None:
    """A weaker label, for small samples."""
    pages = [_page("http://a.org/3"), _page("http://d.org/1"), _page("http://sub.a.org/")]
    found = _chosen(pages, CITED, replace(RULES, match="host"))
    assert _urls(pages, found.references) == ["http://a.org/3"]
    assert found.counts["on_cited_hosts"] == 1


def test_short_pages_are_not_learnt_from() -> None:
    """But they are part of the random sample, since the pipeline judges them too."""
    pages = [_page("http://a.org/1", "Too short"), _page("http://d.org/1", "Too short")]
    found = _chosen(pages, CITED, RULES)
    assert (found.references, found.others, found.random) == ([], [], [0, 1])


def test_cited_pages_that_are_equal_by_url_or_digest_are_taken_once() -> None:
    """Also with a page that is not cited."""
    pages = [
        _page("http://a.org/1", digest="one"),
        _page("http://a.org/1", digest="two"),
        _page("http://a.org/2", digest="three"),
        _page("http://b.org/1", digest="three"),
        _page("http://mirror.org/", digest="three"),
        _page("http://mirror.org/1", digest="one"),
    ]
    found = _chosen(pages, CITED, RULES)
    assert found.references[0] == 0
    assert len(found.references) == 2
    # The first page has the digest "one", so the other with it is no example of the contrary.
    assert found.others == []


def test_a_domain_gives_so_many_pages_at_most() -> None:
    """Whatever its hosts; chosen by hash, another seed chooses others."""
    hosts = ("news", "www", "old")
    pages = [_page(f"http://{host}.a.org/{n}") for host in hosts for n in range(10)]
    pages += [_page("http://b.org/1")]
    cited = [page.url for page in pages]
    rules = replace(RULES, max_per_domain=4)
    found = _chosen(pages, cited, rules)
    assert len(found.references) == 5
    assert "http://b.org/1" in _urls(pages, found.references)
    assert _chosen(pages, cited, replace(rules, seed=1)).references != found.references


def test_there_are_as_many_others_as_the_ratio_says() -> None:
    """Of more than are needed, those whose urls rank first, whatever the chunks they come in."""
    pages = [_page(f"http://site{n}.org/") for n in range(500)] + [_page("http://a.org/1")]
    rules = replace(RULES, ratio=3.0, max_references=1)
    found = _chosen(pages, CITED, rules)
    assert len(found.others) == 3
    again = _chosen(pages[::-1], CITED, rules)
    assert _urls(pages[::-1], again.others) == _urls(pages, found.others)


def test_the_pool_of_others_keeps_the_lowest_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining page by page chooses what joining all at once chooses."""
    pages = [_page(f"http://site{n % 60}.org/") for n in range(200)] + [_page("http://a.org/1")]
    rules = replace(RULES, ratio=5.0, max_references=1)
    at_once = _chosen(pages, CITED, rules)
    monkeypatch.setattr("pipelines.models.wikiref_sample._CHUNK", 1)
    assert _chosen(pages, CITED, rules) == at_once


def test_the_held_out_pages_are_of_other_domains(tmp_path: Path) -> None:
    """A tenth of the domains, by hash; the parts are what was chosen."""
    pages = [_page(f"http://h{n % 3}.site{n // 6}.org/{n}", f"Page {n}") for n in range(600)]
    found = Sample(list(range(0, 600, 2)), list(range(1, 600, 2)), [0, 1])
    examples = Examples(tmp_path, 0)
    examples.take(pages, found)
    held_out = {line: is_reference for is_reference, line in examples.read("held-out")}
    train = examples.shuffled().read_text().splitlines()
    assert len(train) + len(held_out) == 600
    assert examples.counts["train"] == len(train)
    assert 30 < len(held_out) < 120

    def sites(numbers: Iterable[str]) -> set[int]:
        return {int(number) // 6 for number in numbers}

    trained = sites(line.split()[-1] for line in train)
    assert trained & sites(line.split()[-1] for line in held_out) == set()
    assert train[0].startswith(("__label__wiki Page ", "__label__cc Page "))
    assert (
        sum(line.startswith("__label__wiki") for line in train)
        == examples.counts["train_references"]
    )
    labels = [line.split()[0] for line in train]
    assert labels[: len(labels) // 2].count("__label__wiki") == pytest.approx(
        len(labels) / 4, rel=0.3
    )


SCIENCE = "The observed spectra of distant galaxies were measured with care in study number {0}. "
SHOP = "Buy cheap shoes online now, add to basket, free delivery today, offer number {0}. "


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of 150 pages that are cited and 200 that are not, and the list of what is cited."""
    folder = tmp_path_factory.mktemp("crawl")
    urls = [f"http://paper{n}.org/{n}" for n in range(150)]
    pages = [page(url, SCIENCE.format(n) * 20, bucket="head") for n, url in enumerate(urls)]
    pages += [
        page(f"http://shop{n}.com/", SHOP.format(n) * 20, bucket="middle") for n in range(200)
    ]
    pages += [page(f"http://x{n}.com/", SHOP.format(n) * 20, bucket="tail") for n in range(9)]
    pages += [page("http://paper1.org/de", SCIENCE * 20, lang="de", bucket="head")]
    run = write_run(folder / "run", "commoncrawl", pages, wikiref="")
    cited = folder / "cited.txt"
    cited.write_text("".join(f"{url}\n" for url in urls))
    return {"wikipedia": (str(cited),), "commoncrawl": (run,), "epoch": 20, "lr": 1.0}


def test_it_tells_cited_pages_from_others(crawl: dict[str, Any], tmp_path: Path) -> None:
    """On domains that it has not seen; the card says of how many pages, and how well."""
    said: list[str] = []
    wikiref(WikirefConfig(**crawl), str(tmp_path / "wikiref.bin"), said.append)
    card = json.loads((tmp_path / "wikiref.bin.json").read_text())
    assert card["pages"]["pages"] == 350
    assert card["pages"]["references_chosen"] == card["pages"]["others_chosen"] == 150
    assert card["evaluation"]["area_under_curve"] == 1.0
    assert card["evaluation"]["recall"] == 1.0
    assert card["evaluation"]["kept_of_random_pages"] == pytest.approx(150 / 350, abs=0.001)
    thresholds = card["evaluation"]["threshold_for_kept"]
    assert list(thresholds) == ["0.1", "0.2", "0.3", "0.5", "0.7"]
    assert thresholds["0.3"] > 0.5 > thresholds["0.5"]
    assert "| area under curve | 1.0000 |" in (tmp_path / "wikiref.bin.md").read_text()
    model = load_fasttext(tmp_path / "wikiref.bin")
    assert probability(model, SCIENCE * 3) > 0.9
    assert probability(model, SHOP * 3) < 0.1


def test_the_same_inputs_give_the_same_bytes(crawl: dict[str, Any], tmp_path: Path) -> None:
    """Model and cards."""
    config = WikirefConfig(**crawl)
    for name in ("one", "two"):
        wikiref(config, str(tmp_path / name / "wikiref.bin"), lambda _: None)
    files = [sorted((tmp_path / name).iterdir()) for name in ("one", "two")]
    names = ["wikiref.bin", "wikiref.bin.json", "wikiref.bin.md"]
    assert [[path.name for path in folder] for folder in files] == [names, names]
    first, second = ([path.read_bytes() for path in folder] for folder in files)
    assert first == second


def test_a_model_that_is_made_is_left_alone(crawl: dict[str, Any], tmp_path: Path) -> None:
    """Other options are refused, with the difference."""
    out = str(tmp_path / "wikiref.bin")
    wikiref(WikirefConfig(**crawl), out, lambda _: None)
    said: list[str] = []
    wikiref(WikirefConfig(**crawl), out, said.append)
    assert said == [f"the classifier is there already: {out}"]
    with pytest.raises(RunError, match=r"another configuration \(seed: 0 there, 1 here\)"):
        wikiref(WikirefConfig(**crawl, seed=1), out, lambda _: None)


def test_too_few_cited_pages_are_an_error(
    crawl: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how many are on cited hosts, and how to take those; nothing is left behind."""
    cited = tmp_path / "cited.txt"
    cited.write_text("".join(f"http://paper{n}.org/other\n" for n in range(150)))
    words = ["wikiref", "--wikipedia", str(cited), "--commoncrawl", *crawl["commoncrawl"]]
    assert main([*words, "--out", str(tmp_path / "out" / "wikiref.bin")]) == 1
    error = capsys.readouterr().err
    assert "error: 0 of 350 pages are cited by url" in error
    assert "take the 150 pages on cited hosts with --positives host" in error
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"min_chars": 100_000}, r"no page in 'en' with 100,000 characters .*\(350 pages are"),
        ({"lang": "fr"}, "no page in 'fr'"),
        ({"ratio": 0.0}, "--ratio=0.0: give a number above 0"),
        ({"buckets": ("head",)}, "every page is cited"),
    ],
)
def test_what_cannot_be_learnt_from_is_an_error(
    crawl: dict[str, Any], tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    """One line, and what to do."""
    with pytest.raises(RunError, match=message):
        wikiref(WikirefConfig(**(crawl | config)), str(tmp_path / "wikiref.bin"), lambda _: None)


def test_a_run_that_was_classified_is_refused(crawl: dict[str, Any], tmp_path: Path) -> None:
    """Its pages are no random ones."""
    run = write_run(tmp_path / "run", "commoncrawl", [], wikiref="model.bin")
    config = WikirefConfig(wikipedia=crawl["wikipedia"], commoncrawl=(run,))
    with pytest.raises(RunError, match="was made with --wikiref"):
        wikiref(config, str(tmp_path / "wikiref.bin"), lambda _: None)


_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_REAL = Path(os.environ.get("CORPUSMILL_DATA", _BESIDE))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_real_pages_on_cited_hosts_can_be_told(tmp_path: Path) -> None:
    """No page there is cited by url: the host is all there is, and it is better than chance."""
    try:
        find_langid()
    except SetupError as error:
        pytest.skip(str(error))
    config = WikirefConfig(
        wikipedia=(str(_REAL / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2"),),
        commoncrawl=(str(_REAL / "commoncrawl" / "web-*.warc.wet.gz"),),
        positives="host",
        epoch=50,
        lr=0.5,
    )
    wikiref(config, str(tmp_path / "wikiref.bin"), lambda _: None)
    card = json.loads((tmp_path / "wikiref.bin.json").read_text())
    assert card["pages"]["references_chosen"] > 150
    assert card["evaluation"]["area_under_curve"] > 0.6
