"""Pages of Common Crawl as its pipeline sees them, out of runs and out of WET files."""

from pathlib import Path

import pytest

from pipelines.engine.errors import RunError
from pipelines.models.crawl_pages import CrawlPages, find_crawl_pages, rank_of
from pipelines.setup.cache import SetupError
from pipelines.setup.langid import find_langid
from tests.pipelines.commoncrawl.crawl import sentence, wet_record, write_wet
from tests.pipelines.models.small_runs import article, page, write_run


def _pages(*inputs: str, all_buckets: bool = False) -> CrawlPages:
    return find_crawl_pages(inputs, lang="en", langid="", min_score=0.5, all_buckets=all_buckets)


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run that kept a page and rejected others at several stages."""
    return write_run(
        tmp_path / "run",
        "commoncrawl",
        [
            page("http://kept/", "Kept.", digest="sha1:K", bucket="head"),
            page("http://german/", "Deutsch.", lang="de"),
        ],
        [
            (page("http://unsure/", "Unsure."), "commoncrawl.language"),
            (page("http://tail/", "Tail.", bucket="tail"), "commoncrawl.bucket"),
            (page("http://copy/", "Copy."), "commoncrawl.digest"),
            (page("http://short/", "Short.", lang=None), "commoncrawl.length"),
        ],
        rejects="all",
    )


def test_of_a_run_its_documents_are_read(run: str) -> None:
    """Those of the language, with the digest and the bucket that it noted."""
    (found,) = _pages(run)
    assert (found.url, found.text, found.digest, found.bucket) == (
        *("http://kept/", "Kept.", "sha1:K", "head"),
    )


def test_all_buckets_are_the_documents_and_what_was_rejected_after_the_language(run: str) -> None:
    """A page of high perplexity is a page of the language; one of unsure language is not."""
    found = [page.url for page in _pages(run, all_buckets=True)]
    assert found == ["http://kept/", "http://tail/", "http://copy/"]


def test_a_run_that_kept_some_rejects_is_no_fair_sample(tmp_path: Path) -> None:
    """Without its worst pages, cutoffs would be too low."""
    run = write_run(tmp_path / "run", "commoncrawl", [], rejects="sample:0.01")
    with pytest.raises(RunError, match=r"was made with --rejects sample:0\.01"):
        _pages(run, all_buckets=True)
    assert list(_pages(run)) == []


def test_a_run_that_kept_every_bucket_needs_no_rejects(tmp_path: Path) -> None:
    """That of cc_net's profile."""
    documents = [page("http://a/", "A.")]
    run = write_run(tmp_path / "run", "commoncrawl", documents, rejects="none", profile="cc_net")
    assert [page.url for page in _pages(run, all_buckets=True)] == ["http://a/"]


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    """A run of another source, and files of another kind, with what to do."""
    other = write_run(tmp_path / "wikipedia", "wikipedia", [article(1, "Text.")])
    with pytest.raises(RunError, match="is a run of wikipedia; name one of commoncrawl"):
        _pages(other)
    warc = tmp_path / "a.warc.gz"
    warc.touch()
    with pytest.raises(RunError, match="neither a run of commoncrawl nor a WET file"):
        _pages(str(warc))


def test_wet_files_take_the_way_of_ccnet(tmp_path: Path) -> None:
    """Long enough, without the lines that two pages of the files hold, in the language."""
    try:
        find_langid()
    except SetupError as error:
        pytest.skip(str(error))
    body = "\n".join(sentence(number) for number in range(3))
    german = "Der Verein wurde im Jahr gegründet und hat heute viele Mitglieder in der Stadt. " * 5
    first = [
        wet_record("http://a/", f"Home page\n{body}", digest="sha1:A"),
        wet_record("http://short/", "Too short to be looked at."),
        wet_record("http://german/", german),
    ]
    second = [wet_record("http://b/", f"Home page\n{sentence(7)}\n{sentence(8)}")]
    write_wet(tmp_path / "1.warc.wet.gz", first)
    write_wet(tmp_path / "2.warc.wet.gz", second)
    found = [(page.url, page.text, page.digest) for page in _pages(f"{tmp_path}/*.wet.gz")]
    assert found[0] == ("http://a/", body, "sha1:A")
    assert [(url, text) for url, text, _ in found[1:]] == [
        ("http://b/", f"{sentence(7)}\n{sentence(8)}")
    ]


def test_the_order_of_a_sample_follows_from_the_url() -> None:
    """And differs from seed to seed and from purpose to purpose."""
    ranks = [
        rank_of("http://a/", 0, "x"),
        rank_of("http://a/", 1, "x"),
        rank_of("http://a/", 0, "y"),
    ]
    assert ranks[0] == 10479916076593231703
    assert len(set(ranks)) == 3
