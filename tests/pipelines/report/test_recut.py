"""``recut`` writes the run that the source would write with other thresholds, without a model."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filters.commoncrawl.cutoffs import read_cutoffs, write_cutoffs
from pipelines.__main__ import main
from pipelines.joins import stored_scores
from tests.pipelines.commoncrawl.crawl import (
    ENGLISH,
    GERMAN,
    files,
    wet_record,
    write_crawl,
    write_models,
)
from tests.pipelines.commoncrawl.crawl import page as page_of
from tests.pipelines.engine.cut_off import failing_after


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the models once."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Write a crawl with a page that two addresses have, in paragraphs that others have not."""
    pages = files()
    pages["a"].append(page_of(10, 11, digest="sha1:E", url="http://example.com/copy"))
    pages["b"].append(page_of(7, 8, 9, digest="sha1:F"))
    for words in range(2, 16):  # from English to German, so that scores are between 0 and 1
        mixed = ENGLISH[words % 9].split() + GERMAN[0].split()[: 6 * words]
        url = f"http://example.org/mixed-{words}"
        pages["c"].append(wet_record(url, " ".join(mixed) + f" {words * 'so '}" * 3))
    return write_crawl(tmp_path_factory.mktemp("in"), pages)


def curate(run: Path, inputs: list[str], models: Path, *options: str) -> Path:
    """Run the source; return the run."""
    command = ["commoncrawl", "--run", str(run), "--quiet", "--models", str(models)]
    command += ["--langid", str(models / "lid.bin"), "--scope", "shard", "--shards", "3"]
    assert main([*command, "--allow-empty", *options, "--input", *inputs]) == 0
    return run


def content(run: Path) -> dict[str, bytes]:
    """Return the files of a run, but for the times that it took and the names of attempts."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.parent.name != "units" and path.name[:3] not in ("log", "tim")
    }


def scores(run: Path, column: str) -> list[float]:
    """Return the scores of the kept documents, sorted."""
    found = []
    for path in sorted((run / "documents").glob("*.parquet")):
        found += pq.read_table(path, columns=[column])[column].to_pylist()
    return sorted(found)


@pytest.mark.parametrize(
    ("before", "flags"),
    [
        ((), ("--wikiref-threshold", "0.9")),
        (("--wikiref-threshold", "0.9"), ("--wikiref-threshold", "0.1")),
        ((), ("--wikiref-decision", "pareto")),
        ((), ("--min-language-score", "0.88")),
        ((), ("--min-language-score", "0.94", "--wikiref-threshold", "0.995")),
        (("--exact-duplicates=false",), ("--wikiref-threshold", "0.9")),
        ((), ("--buckets", "head")),
    ],
)
def test_a_recut_is_the_run_that_the_source_writes(
    tmp_path: Path,
    inputs: list[str],
    models: Path,
    before: tuple[str, ...],
    flags: tuple[str, ...],
) -> None:
    """Documents, rejects, manifest, statistics, card and configuration, byte for byte."""
    with_classifier = ("--wikiref", str(models / "wikiref.bin"))
    before = tuple("--no-exact-duplicates" if "exact" in flag else flag for flag in before)
    old = curate(tmp_path / "old", inputs, models, *with_classifier, *before)
    kept = dict(zip(before[::2], before[1::2], strict=False))
    again = [word for name, value in kept.items() if name != flags[0] for word in (name, value)]
    again += [flag for flag in before if flag.startswith("--no-")]
    anew = curate(tmp_path / "anew", inputs, models, *with_classifier, *again, *flags)
    command = ["recut", str(old), "--run", str(tmp_path / "new"), "--quiet", "--allow-empty"]
    assert main([*command, *flags]) == 0
    assert content(tmp_path / "new") == content(anew)
    assert content(old) != content(anew)
    assert main(["verify", str(tmp_path / "new")]) == 0


def test_other_cutoffs_name_other_buckets(tmp_path: Path, inputs: list[str], models: Path) -> None:
    """A perplexity that equals a cutoff is in the worse bucket, although the column has 32 bits."""
    table = read_cutoffs(models / "cutoffs.csv")
    other = tmp_path / "other.csv"
    write_cutoffs(other, replace(table, by_language={"en": {30: 4.3, 60: 4.4}}))
    old = curate(tmp_path / "old", inputs, models)
    anew = curate(tmp_path / "anew", inputs, models, "--cutoffs", str(other))
    command = ["recut", str(old), "--run", str(tmp_path / "new"), "--quiet"]
    assert main([*command, "--cutoffs", str(other), "--allow-empty"]) == 0
    assert content(tmp_path / "new") == content(anew)
    assert {round(score, 1) for score in scores(anew, "perplexity")} == {4.3}


def test_pages_of_a_bucket_come_back_where_no_classifier_follows(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """Their perplexity is known, and nothing after it needs a model."""
    old = curate(tmp_path / "old", inputs, models, "--buckets", "head")
    anew = curate(tmp_path / "anew", inputs, models, "--buckets", "head", "middle")
    command = ["recut", str(old), "--run", str(tmp_path / "new"), "--quiet"]
    assert main([*command, "--buckets", "head", "middle"]) == 0
    assert content(tmp_path / "new") == content(anew)
    assert len(scores(anew, "perplexity")) > len(scores(old, "perplexity"))


@pytest.mark.parametrize(
    ("before", "flags", "message"),
    [
        (
            ("--min-language-score", "0.95"),
            ("--min-language-score", "0.5"),
            "documents that commoncrawl.language rejected would come back",
        ),
        (
            ("--buckets", "head", "--wikiref", "wikiref.bin"),
            ("--buckets", "middle"),
            "but commoncrawl.reference_score never scored them, which needs its model",
        ),
        ((), ("--wikiref-threshold", "0.9"), "the run had no classifier"),
        ((), ("--languages", "fr"), "the run had no language model of it"),
        (("--rejects", "ids"), ("--buckets", "head"), "recut needs a run with --rejects=all"),
        ((), ("--after", "nowhere", "--buckets", "head"), "nowhere"),
    ],
)
def test_what_was_never_scored_is_refused(
    tmp_path: Path,
    inputs: list[str],
    models: Path,
    capsys: pytest.CaptureFixture[str],
    before: tuple[str, ...],
    flags: tuple[str, ...],
    message: str,
) -> None:
    """In one line that says why, and without a run directory that would be in the way."""
    before = tuple(str(models / word) if word == "wikiref.bin" else word for word in before)
    old = curate(tmp_path / "old", inputs, models, *before)
    capsys.readouterr()
    assert main(["recut", str(old), "--run", str(tmp_path / "new"), "--quiet", *flags]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new" / "config.json").exists()


def test_other_sources_say_that_they_have_no_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub's statistics are in meta, but the order of its files is not."""
    from tests.pipelines.github.github_export import curate as curate_github  # noqa: PLC0415
    from tests.pipelines.github.github_export import write_tables  # noqa: PLC0415

    assert curate_github(tmp_path / "run", write_tables(tmp_path / "in")) == 0
    assert main(["recut", str(tmp_path / "run"), "--run", str(tmp_path / "new")]) == 1
    assert "recut works for commoncrawl" in capsys.readouterr().err


def test_a_recut_resumes_and_its_configuration_says_what_was_changed(
    tmp_path: Path, inputs: list[str], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any number of workers it gives the same bytes."""
    old = curate(tmp_path / "old", inputs, models)
    command = ["recut", str(old), "--run", str(tmp_path / "new"), "--quiet", "--buckets", "all"]
    with monkeypatch.context() as patch:  # cut off in the middle, and resumed
        done = tmp_path / "done"
        patch.setattr(stored_scores, "recut_unit", failing_after(1, stored_scores.recut_unit, done))
        assert main(command) == 1
    assert main([*command, "--workers", "2"]) == 0
    assert content(tmp_path / "new") == content(
        curate(tmp_path / "anew", inputs, models, "--buckets", "all")
    )
    config = json.loads((tmp_path / "new" / "config.json").read_bytes())["config"]
    assert config["buckets"] == ["all"]
