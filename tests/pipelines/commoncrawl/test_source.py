"""Common Crawl from WET files to documents, on a crawl made by hand (web.md 2 to 8)."""

import json
import math
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.commoncrawl.source import review
from pipelines.engine import passes
from pipelines.engine.documents import read_rows
from pipelines.engine.ledger import Ledger
from pipelines.joins import claims, settle
from tests.filters.tiny_models import train_languages
from tests.pipelines.commoncrawl.crawl import (
    ENGLISH,
    MENU,
    files,
    page,
    wet_record,
    write_crawl,
    write_models,
    write_wet,
)
from tests.pipelines.engine.cut_off import failing_after, names


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the models once."""
    return write_models(tmp_path_factory.mktemp("models"))


def curate(run: Path, inputs: list[str], models: Path, *options: str) -> int:
    """Run the command."""
    command = ["commoncrawl", "--run", str(run), "--quiet", "--models", str(models)]
    command += ["--langid", str(models / "lid.bin"), *options, "--input", *inputs]
    return main(command)


def rows(run: Path, folder: str) -> list[dict[str, Any]]:
    """Return the documents or the rejects of a run."""
    found = []
    for path in sorted((run / folder).glob("*.parquet")):
        with path.open("rb") as stream:
            found += [{**row, "meta": json.loads(row["meta"])} for row in read_rows(stream)]
    return found


def content(run: Path) -> dict[str, bytes]:
    """Return all files of a run that must not differ between runs."""
    folders = ("documents", "rejects")
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.parent.name in folders or path.name in ("manifest.json", "stats.json", "COMPLETED")
    }


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Write the crawl."""
    return write_crawl(tmp_path / "in", files())


def test_every_page_that_is_not_kept_says_why(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """In a scope of all files, the menu goes, and what is left of each page is judged."""
    assert curate(tmp_path / "run", inputs, models, "--scope", "dump") == 0
    kept = {
        row["id"].removeprefix("commoncrawl:"): row for row in rows(tmp_path / "run", "documents")
    }
    reasons = {
        row["id"].removeprefix("commoncrawl:"): row["reason"]
        for row in rows(tmp_path / "run", "rejects")
    }
    assert reasons == {
        "a:2": "too_short",
        "a:3": "language",
        "b:1": "all_paragraphs_duplicate",
        "b:2": "all_paragraphs_duplicate",
        "c:0": "all_paragraphs_duplicate",
    }
    assert kept.keys() == {"a:0", "a:1", "b:0", "c:1"}
    assert kept["a:0"]["text"] == "\n".join(ENGLISH[:2])


def test_a_document_carries_what_the_decisions_need(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """Scores are columns; the rest of CCNet's fields are in meta (docs/rules/web.md 4.6)."""
    assert curate(tmp_path / "run", inputs, models, "--scope", "dump") == 0
    row = next(row for row in rows(tmp_path / "run", "documents") if row["id"].endswith("a:1"))
    meta = row["meta"]
    assert row["text"].split("\n") == [ENGLISH[2], ENGLISH[3]]
    assert (row["url"], row["created"], row["lang"]) == (
        "http://example.com/2-3-2",
        "2019-02-15T18:33:19Z",
        "en",
    )
    assert row["lang_score"] >= 0.5
    assert math.isfinite(row["perplexity"])
    assert meta["bucket"] == "middle"
    assert meta["line_ids"] == [1, 2]  # the menu, and the repeat of a line, are gone
    assert (meta["nlines"], meta["original_nlines"]) == (2, 4)
    assert meta["length"] == len(row["text"])
    assert meta["title"] == "A title"
    assert meta["digest"] == "sha1:B"
    assert meta["source_domain"] == "example.com"
    assert meta["cc_segment"] == "a.warc.wet.gz"


def test_control_characters_cost_no_page(tmp_path: Path, models: Path) -> None:
    """A document holds no NUL and no carriage return (sources.md 0.1); the page is kept."""
    record = wet_record("http://example.com/", f"{ENGLISH[0]}\n{ENGLISH[1]} \0\rend")
    assert curate(tmp_path / "run", write_crawl(tmp_path / "in", {"a": [record]}), models) == 0
    (row,) = rows(tmp_path / "run", "documents")
    assert row["text"] == f"{ENGLISH[0]}\n{ENGLISH[1]}   end"


def test_files_of_different_groups_do_not_meet(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """Three files are three of 1,600 shards, in three groups: equal pages meet by digest only."""
    assert curate(tmp_path / "run", inputs, models) == 0
    rejects = {row["id"]: row for row in rows(tmp_path / "run", "rejects")}
    assert rejects["commoncrawl:c:0"]["reason"] == "duplicate_digest"
    assert rejects["commoncrawl:c:0"]["detail"] == "same as commoncrawl:b:1"
    kept = {row["id"]: row for row in rows(tmp_path / "run", "documents")}
    assert kept["commoncrawl:b:1"]["meta"]["copies"] == 2


def test_the_first_copy_of_a_paragraph_can_be_kept(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """The smallest (dump, file, record) keeps it (docs/rules/web.md 4.4)."""
    options = ("--scope", "dump", "--keep", "first")
    assert curate(tmp_path / "run", inputs, models, *options) == 0
    kept = {row["id"]: row["text"] for row in rows(tmp_path / "run", "documents")}
    assert kept["commoncrawl:a:0"].startswith(MENU)
    assert kept["commoncrawl:b:1"] == f"{ENGLISH[6]}\n{ENGLISH[7]}"
    assert not any(MENU in text for name, text in kept.items() if name != "commoncrawl:a:0")


def test_an_earlier_run_wins_over_equal_pages(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """Exact duplicates across dumps: the earlier dump keeps the page."""
    (first, *others) = inputs
    again = write_crawl(tmp_path / "later", {"z": [page(0, 1, digest="sha1:A"), page(10, 11)]})
    assert curate(tmp_path / "2019", [first], models) == 0
    assert (
        curate(tmp_path / "2020", [*others, *again], models, "--after", str(tmp_path / "2019")) == 0
    )
    rejects = {row["id"]: row for row in rows(tmp_path / "2020", "rejects")}
    assert rejects["commoncrawl:z:0"]["reason"] == "duplicate_digest"
    assert rejects["commoncrawl:z:0"]["detail"] == "same as commoncrawl:a:0"


def test_the_classifier_decides_after_the_digests(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """It keeps pages like those of its positives; the score is a column of both kinds."""
    wikiref = str(models / "wikiref.bin")
    assert curate(tmp_path / "run", inputs, models, "--wikiref", wikiref) == 0
    kept = {row["id"]: row["wikiref_score"] for row in rows(tmp_path / "run", "documents")}
    dropped = {
        row["id"]: row["wikiref_score"]
        for row in rows(tmp_path / "run", "rejects")
        if row["reason"] == "not_a_reference"
    }
    assert kept.keys() == {"commoncrawl:a:0", "commoncrawl:a:1", "commoncrawl:b:0"}
    assert dropped.keys() == {"commoncrawl:b:1", "commoncrawl:c:1"}
    assert min(kept.values()) >= 0.25 > max(dropped.values())
    stats = json.loads((tmp_path / "run" / "stats.json").read_bytes())
    (last,) = [stage for stage in stats["stages"] if stage["stage"] == "commoncrawl.reference"]
    assert (last["documents_in"], last["documents_out"]) == (5, 3)
    assert last["characters_out"] == stats["characters"]


def test_the_cc_net_profile_keeps_languages_and_buckets(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """What cc_net writes: no language is dropped, pages without a model are in the bucket all."""
    options = ("--profile", "cc_net", "--scope", "dump")
    assert curate(tmp_path / "run", inputs, models, *options) == 0
    kept = {row["id"]: row for row in rows(tmp_path / "run", "documents")}
    german = kept["commoncrawl:a:3"]
    assert (german["lang"], german["perplexity"], german["meta"]["bucket"]) == ("de", None, "all")
    assert german["meta"]["original_length"] == german["meta"]["content_length_bytes"]
    assert kept.keys() == {
        *("commoncrawl:a:0", "commoncrawl:a:1", "commoncrawl:a:3", "commoncrawl:b:0"),
        "commoncrawl:c:1",
    }


def test_all_buckets_are_every_bucket(tmp_path: Path, inputs: list[str], models: Path) -> None:
    """As all languages are every language: no page is judged by its perplexity."""
    options = ("--scope", "dump", "--languages", "all")
    assert curate(tmp_path / "all", inputs, models, *options, "--buckets", "all") == 0
    named = ("--buckets", "head", "middle", "tail", "all")
    assert curate(tmp_path / "named", inputs, models, *options, *named) == 0
    kept = rows(tmp_path / "all", "documents")
    assert kept == rows(tmp_path / "named", "documents")
    assert {row["meta"]["bucket"] for row in kept} >= {"middle", "all"}


@pytest.mark.parametrize("options", [(), ("--scope", "dump", "--keep", "first")])
def test_workers_and_the_order_of_inputs_change_no_byte(
    tmp_path: Path, inputs: list[str], models: Path, options: tuple[str, ...]
) -> None:
    """One process, two, and inputs named in another order (docs/architecture.md)."""
    wikiref = ("--wikiref", str(models / "wikiref.bin"))
    assert curate(tmp_path / "one", inputs, models, *wikiref, *options) == 0
    assert curate(tmp_path / "two", inputs[::-1], models, *wikiref, *options, "--workers", "2") == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_every_record_is_kept_rejected_or_bad(
    tmp_path: Path, inputs: list[str], models: Path
) -> None:
    """Also with a record that is no page and a file that is cut off (docs/architecture.md)."""
    whole = Path(inputs[1]).read_bytes()
    Path(inputs[1]).write_bytes(whole[:-60])
    damaged = write_crawl(tmp_path / "in", {"d": [wet_record("", "no address"), page(10, 11)]})
    assert curate(tmp_path / "run", [*inputs, *damaged], models) == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_bytes())
    assert stats["bad_records_by_reason"] == {"no_url": 1, "truncated_file": 1}
    assert stats["records_read"] == stats["documents"] + stats["rejected"] + stats["bad_records"]
    assert stats["records_read"] == len(
        rows(tmp_path / "run", "documents") + rows(tmp_path / "run", "rejects")
    )


@pytest.mark.parametrize(
    ("step", "calls"),
    [((passes, "write_unit"), 0), ((passes, "write_unit"), 2), ((settle, "settle_unit"), 1)],
)
def test_a_run_cut_off_and_given_again_equals_one_that_was_not(
    tmp_path: Path,
    inputs: list[str],
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
    calls: int,
) -> None:
    """Scopes that are done are not read again, for claims or for documents."""
    assert curate(tmp_path / "whole", inputs, models) == 0
    module, name = step
    cut_off = failing_after(calls, getattr(module, name), tmp_path / "before")
    with monkeypatch.context() as patch:
        patch.setattr(module, name, cut_off)
        assert curate(tmp_path / "run", inputs, models) == 1
    for claims_file in (tmp_path / "run" / "claims" / "paragraphs").iterdir():
        claims_file.unlink()
    monkeypatch.setattr(claims, "claim", failing_after(99, claims.claim, tmp_path / "after"))
    assert curate(tmp_path / "run", inputs, models) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")
    expected = {"write_unit": 3 - calls, "settle_unit": 0}[name]
    assert len(names(tmp_path / "after")) == expected  # each file is a group of its own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--languages", "en", "fr"), "no fr.sp.model"),
        (("--buckets", "heads"), "--buckets heads: give some of"),
        (("--cutoffs", "published"), "made with CCNet's published model"),
        (("--per-line",), "not each line"),
        (("--cutoffs", "/nowhere.csv"), "/nowhere.csv: cannot be read"),
        (("--wikiref", "/nowhere"), "Give the path of a model"),
        (("--after", "/nowhere"), "is not a run directory"),
        (("--rejects", "some"), "--rejects=some"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(
    tmp_path: Path,
    inputs: list[str],
    models: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    """Before any work, in one line that says what to do."""
    assert curate(tmp_path / "run", inputs, models, *options) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_another_model_is_another_run(
    tmp_path: Path, inputs: list[str], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run remembers the hashes of its models (14)."""
    assert curate(tmp_path / "run", inputs, models) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_bytes())["config"]
    assert Counter(map(len, config["model_hashes"]["language_models"]["en"].values())) == {64: 2}
    train_languages(tmp_path, [("en", "the"), ("de", "der")])
    command = ("--langid", str(tmp_path / "model.bin"))
    assert curate(tmp_path / "run", inputs, models, *command) == 1
    assert "model_hashes.langid" in capsys.readouterr().err


def test_a_listing_decides_the_groups(tmp_path: Path, models: Path) -> None:
    """A file's place in its dump decides its group (docs/rules/web.md 2.1 and 4.4)."""
    twice = [page(0, 4), page(1, 5)], [page(0, 4, url="http://example.com/again")]
    listed = [f"crawl-data/CC-MAIN-2019-09/wet/{n:05d}.warc.wet.gz" for n in range(100)]
    for path in listed:
        write_wet(tmp_path / path, [page(2, 3, url=f"http://example.com/{path}")])
    # 100 files are 32 groups of 3 or 4: the first two files share one, the last is elsewhere.
    for path, records in zip((listed[0], listed[1]), twice, strict=True):
        write_wet(tmp_path / path, records)
    write_wet(tmp_path / listed[-1], twice[1])
    listing = tmp_path / "wet.paths"
    listing.write_text("\n".join(listed))
    options = ("--prefix", str(tmp_path), "--no-exact-duplicates", "--rejects", "none")
    assert curate(tmp_path / "run", [str(listing)], models, *options) == 0
    kept = {row["id"]: row for row in rows(tmp_path / "run", "documents")}
    assert "commoncrawl:00000:0" not in kept  # its paragraph is in the next file as well
    assert "commoncrawl:00001:0" not in kept
    assert kept["commoncrawl:00099:0"]["text"].endswith(ENGLISH[4])
    assert kept["commoncrawl:00000:1"]["meta"]["dump"] == "CC-MAIN-2019-09"


def test_two_files_of_one_name_are_refused(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their pages would have the same ids."""
    inputs = [write_wet(tmp_path / name / "a.warc.wet.gz", [page(0)]) for name in "xy"]
    assert curate(tmp_path / "run", inputs, models) == 1
    assert "Rename one" in capsys.readouterr().err


def test_a_run_unlike_a_dump_is_remarked_on() -> None:
    """What a whole dump gives is known (12); a stage that was not run is not looked at."""
    ledger = Ledger(["commoncrawl.paragraphs", "commoncrawl.language"])
    paragraphs = ledger.stages["commoncrawl.paragraphs"]
    paragraphs.characters_in, paragraphs.characters_out = 100, 35
    ledger.stages["commoncrawl.language"].documents_in = 100
    ledger.stages["commoncrawl.language"].rejected["language"] = 97
    ledger.notes.update({"bucket head": 30, "bucket middle": 30, "bucket tail": 40})
    assert review(ledger) == [
        "pages in the languages kept: 3 %, 35 to 50 % is usual for a whole dump"
    ]


@pytest.mark.parametrize("options", [(), ("--per-line",)])
def test_cutoffs_that_are_missing_are_measured(
    tmp_path: Path, inputs: list[str], models: Path, options: tuple[str, ...]
) -> None:
    """On pages of the run itself, once: percentiles 0 and 100 are its extremes (7)."""
    own = shutil.copytree(models, tmp_path / "models")
    for name in ("cutoffs.csv", "cutoffs.json"):
        (own / name).unlink()
    options = (*options, "--buckets", "head", "middle", "tail", "--no-exact-duplicates")
    assert curate(tmp_path / "run", inputs, own, *options, "--scope", "dump") == 0
    measured = [row["perplexity"] for row in rows(tmp_path / "run", "documents")]
    made = (own / "cutoffs.csv").read_bytes()
    column = [float(line.split(b",")[1]) for line in made.split(b"\n")[1:] if line]
    assert len(measured) == 4
    assert column[0] == pytest.approx(min(measured), abs=0.06)
    assert column[100] == pytest.approx(max(measured), abs=0.06)
    assert curate(tmp_path / "again", inputs, own, *options, "--scope", "dump") == 0
    assert (own / "cutoffs.csv").read_bytes() == made
    assert content(tmp_path / "again") == content(tmp_path / "run")
