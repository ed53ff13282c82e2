"""Tables of cutoffs, and the bucket of a page (docs/rules/web.md 7)."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from filters.commoncrawl.cutoffs import (
    PUBLISHED_PATH,
    CutoffError,
    Cutoffs,
    ModelFingerprint,
    bucket,
    check_model,
    cutoffs_of,
    fingerprint_of,
    read_cutoffs,
    write_cutoffs,
)

PUBLISHED = read_cutoffs(PUBLISHED_PATH)
OURS = ModelFingerprint("a" * 64, "b" * 64)
TABLE = Cutoffs({"en": {30: 10.5, 60: 20.0}, "de": {30: 1.0, 60: 2.0}}, {"en": OURS, "de": OURS})
# Stands for a model of this size; nothing else of it is asked.
CCNET_SIZE = SimpleNamespace(order=5, pieces=65_536)
SMALL = SimpleNamespace(order=2, pieces=60)


@pytest.mark.parametrize(
    ("perplexity", "language", "expected"),
    [
        (0.0, "en", "head"),
        (339.9, "en", "head"),
        (340.0, "en", "middle"),
        (519.9, "en", "middle"),
        (520.0, "en", "tail"),
        (1e9, "en", "tail"),
        (None, "en", "all"),
        (1.0, "sv", "all"),
        (1459.9, "zh", "head"),
        (2129.9, "ko", "middle"),
        (1109.9, "fi", "head"),
        (2530.0, "my", "middle"),
        (280.0, "no", "head"),
    ],
)
def test_bucket(perplexity: float | None, language: str, expected: str) -> None:
    """Below the cutoff, strictly; "all" where there is nothing to compare."""
    assert bucket(perplexity, language, PUBLISHED) == expected


def test_the_published_table_has_the_48_languages_of_ccnet() -> None:
    """Each with both percentiles, in their order; LLaMA's web is English."""
    assert len(PUBLISHED.by_language) == 48
    assert PUBLISHED.by_language["en"] == {30: 340.0, 60: 520.0}
    for language, column in PUBLISHED.by_language.items():
        assert column.keys() == {30, 60}, language
        assert column[30] < column[60], language


def test_other_percentiles_may_divide() -> None:
    """Of a table that has them."""
    thirds = Cutoffs({"en": {33: 10.0, 67: 20.0}}, {"en": OURS})
    assert bucket(10.0, "en", thirds, head=33, middle=67) == "middle"
    with pytest.raises(CutoffError, match="no row 30; rows: 33, 67"):
        bucket(10.0, "en", thirds)


def test_cutoffs_of_a_sample() -> None:
    """A row a percentile, 0 to 100, and as many pages below as it says."""
    cutoffs = cutoffs_of([float(value) for value in range(101)])
    assert list(cutoffs) == list(range(101))
    assert (cutoffs[0], cutoffs[30], cutoffs[100]) == (0.0, 30.0, 100.0)
    assert cutoffs_of([1.0, 2.0], [30]) == {30: 1.3}
    with pytest.raises(CutoffError, match="score a sample of pages first"):
        cutoffs_of([])


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """With its fingerprints; the same table gives the same bytes."""
    path = tmp_path / "ours.csv"
    write_cutoffs(path, TABLE)
    assert path.read_text() == "percentile,de,en\n30,1.0,10.5\n60,2.0,20.0\n"
    assert read_cutoffs(path) == replace(TABLE, name=str(path))
    assert json.loads(path.with_suffix(".json").read_text())["models"]["en"] == {
        "sentencepiece_sha256": "a" * 64,
        "ngrams_sha256": "b" * 64,
    }


def test_a_table_that_lacks_something_is_not_written(tmp_path: Path) -> None:
    """Rows are of all languages, and each language has a model."""
    ragged = Cutoffs({"en": {30: 1.0}, "de": {60: 1.0}}, None)
    with pytest.raises(CutoffError, match="the same percentiles"):
        write_cutoffs(tmp_path / "a.csv", ragged)
    with pytest.raises(CutoffError, match="no fingerprint of the model for 'de'"):
        write_cutoffs(tmp_path / "a.csv", replace(TABLE, models={"en": OURS}))
    assert not list(tmp_path.iterdir())


def test_the_fingerprint_is_of_both_files(tmp_path: Path) -> None:
    """SHA-256, as `sha256sum` prints it."""
    (tmp_path / "sp").write_bytes(b"")
    (tmp_path / "lm").write_bytes(b"abc")
    assert fingerprint_of(tmp_path / "sp", tmp_path / "lm") == ModelFingerprint(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    with pytest.raises(CutoffError, match="no: cannot be read"):
        fingerprint_of(tmp_path / "sp", tmp_path / "no")


def test_the_model_of_a_table_passes() -> None:
    """And any model for a language that has no column: its bucket is "all"."""
    check_model(TABLE, "en", SMALL, OURS)
    check_model(TABLE, "fr", SMALL, ModelFingerprint("c", "d"))
    check_model(PUBLISHED, "en", CCNET_SIZE, OURS)
    check_model(PUBLISHED, "sv", SMALL, OURS)


@pytest.mark.parametrize(
    ("table", "model", "unit", "message"),
    [
        (replace(TABLE, models={"en": ModelFingerprint("a" * 64, "c")}), SMALL, "document",
         "another model for 'en': compute cutoffs"),
        (replace(TABLE, models={"de": OURS}), SMALL, "document", "another model for 'en'"),
        (replace(TABLE, normalization="ccnet-0"), SMALL, "document", "normalisation 'ccnet-0'"),
        (TABLE, SMALL, "line", "scoring each document, not each line: compute cutoffs"),
        (PUBLISHED, SMALL, "document", "this one has order 2 and 60 pieces: compute cutoffs"),
    ],
)  # fmt: skip
def test_another_model_is_refused(
    table: Cutoffs, model: SimpleNamespace, unit: str, message: str
) -> None:
    """The message says what to do."""
    with pytest.raises(CutoffError, match=message):
        check_model(table, "en", model, OURS, unit=unit)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "no cutoffs"),
        ("percentile,en\n", "no cutoffs"),
        ("percentile\n30\n", "no cutoffs"),
        ("percentile,en\n30\n", "line 2 has 1 cells, the first has 2"),
        ("percentile,en\n30,\n", "line 2 has a cell that is not a number"),
        ("percentile,en\n30.5,1\n", "line 2 has a cell that is not a number"),
        ("percentile,en\n30,nan\n", "line 2: percentiles are 0 to 100, perplexities finite"),
        ("percentile,en\n101,1\n", "line 2: percentiles are 0 to 100, perplexities finite"),
        ("percentile,en,en\n30,1,2\n", "a language has two columns"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, table: str, message: str) -> None:
    """Before any page is judged by it."""
    path = tmp_path / "a.csv"
    path.write_text(table)
    path.with_suffix(".json").write_text(PUBLISHED_PATH.with_suffix(".json").read_text())
    with pytest.raises(CutoffError, match=f"a.csv: {message}"):
        read_cutoffs(path)


@pytest.mark.parametrize("beside", ["{", "[]", "{}", '{"models": {"en": {}}}', '{"models": []}'])
def test_a_table_with_malformed_fingerprints_is_refused(tmp_path: Path, beside: str) -> None:
    """It could be of any model."""
    path = tmp_path / "a.csv"
    path.write_text("percentile,en\n30,1\n")
    path.with_suffix(".json").write_text(beside)
    with pytest.raises(CutoffError, match=r"a\.json: .*write the table again"):
        read_cutoffs(path)


def test_a_table_without_fingerprints_is_refused(tmp_path: Path) -> None:
    """The message names the missing file."""
    (tmp_path / "a.csv").write_text("percentile,en\n30,1\n")
    with pytest.raises(CutoffError, match=r"a\.json: cannot be read .*JSON file of the same name"):
        read_cutoffs(tmp_path / "a.csv")
