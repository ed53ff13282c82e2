"""fastText models: trained twice, loaded, asked."""

from pathlib import Path

import pytest

from filters.fasttext.model import FastTextModel, load_fasttext, train_fasttext
from tests.filters.tiny_models import train_languages


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> FastTextModel:
    """A model of three languages."""
    return load_fasttext(train_languages(tmp_path_factory.mktemp("fasttext")))


def test_top(languages: FastTextModel) -> None:
    """The best label, without its prefix, and a probability."""
    assert sorted(languages.labels) == ["de", "en", "fr"]
    best = languages.top("this is a page of the web")
    assert best
    assert best[0] == "en"
    assert 0.5 < best[1] <= 1.00002


def test_a_line_without_known_words_has_a_label_still(languages: FastTextModel) -> None:
    """Of the line end, which the model has seen; lone surrogates are no error."""
    best = languages.top("")
    assert best
    assert languages.top("\ud800 zzz") == best


def test_a_line_has_no_line_end(languages: FastTextModel) -> None:
    """FastText would read up to it."""
    with pytest.raises(ValueError, match="replace line ends first"):
        languages.top("a\nb")


def test_two_trainings_give_the_same_bytes(tmp_path: Path) -> None:
    """One thread and a fixed seed."""
    models = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        models.append(train_languages(tmp_path / name).read_bytes())
    assert models[0] == models[1]


def test_a_setting_that_fasttext_does_not_have(tmp_path: Path) -> None:
    """A misspelt one must not silently do nothing."""
    with pytest.raises(ValueError, match="unknown setting 'epochs'; known: dim, epoch"):
        train_fasttext(tmp_path / "examples.txt", tmp_path / "model.bin", epochs=9)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (None, "cannot learn from it"),
        ("", "cannot learn from it"),
        ("no label\n", "fewer than two labels"),
        ("__label__a only one\n", "fewer than two labels"),
    ],
)
def test_examples_without_labels(tmp_path: Path, examples: str | None, message: str) -> None:
    """No model is written."""
    if examples is not None:
        (tmp_path / "examples.txt").write_text(examples)
    with pytest.raises(ValueError, match=f"examples.txt: .*{message}"):
        train_fasttext(tmp_path / "examples.txt", tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()


@pytest.mark.parametrize("content", [None, b"", b"no model" * 99])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes | None) -> None:
    """One line that names the file."""
    if content is not None:
        (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.bin: no supervised fastText model"):
        load_fasttext(tmp_path / "x.bin")
