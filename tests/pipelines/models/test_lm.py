"""The language model of Wikipedia: its text, its training, its cutoffs."""

import bz2
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from filters.commoncrawl.cutoffs import check_model, fingerprint_of, read_cutoffs
from filters.commoncrawl.perplexity import load_language_model
from pipelines.__main__ import main
from pipelines.engine.errors import RunError
from pipelines.models import lm as lm_module
from pipelines.models.cards import ModelFiles
from pipelines.models.crawl_pages import CrawlPage
from pipelines.models.lm import LmConfig, lm
from pipelines.models.lm_cutoffs import CutoffSample, sample_perplexities
from pipelines.models.lm_text import find_lm_text
from pipelines.models.lm_train import MAX_LINE_BYTES, _cut, train_ngrams, train_pieces
from pipelines.setup.cache import SetupError
from pipelines.setup.kenlm import VARIABLE, find_tools
from pipelines.setup.langid import find_langid
from tests.pipelines.commoncrawl.crawl import sentence
from tests.pipelines.models.small_runs import article, page, write_run

Say = Callable[[str], None]


def _quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def wikipedia(tmp_path: Path) -> str:
    """A run of 60 articles in English and one in German."""
    texts = [f"{sentence(n)} {sentence(n + 100)}\n\nHistory\n\nLate." for n in range(60)]
    documents = [article(n, text) for n, text in enumerate(texts)]
    return write_run(
        tmp_path / "wikipedia", "wikipedia", [*documents, article(60, "Deutsch.", lang="de")]
    )


@pytest.fixture
def tools() -> None:
    """Skip without KenLM's programs."""
    try:
        find_tools()
    except SetupError as error:
        pytest.skip(str(error))


def _config(wikipedia: str, **settings: Any) -> LmConfig:
    return LmConfig(**({"lang": "en", "input": (wikipedia,), "memory": "64M"} | settings))


def test_text_of_a_run_is_the_introductions_of_its_language(wikipedia: str) -> None:
    """Without titles; the whole text by option."""
    texts = list(find_lm_text([wikipedia], "en", "opening"))
    assert texts[0] == f"{sentence(0)} {sentence(100)}"
    assert len(texts) == 60
    (whole,) = find_lm_text([wikipedia], "de", "whole")
    assert whole == "Article 60\n\nDeutsch."


def test_text_of_a_search_dump_is_its_field(tmp_path: Path) -> None:
    """Lines that name pages alternate with the pages; a bad line is counted and passed over."""
    lines = [
        '{"index":{"_type":"page","_id":"1"}}',
        '{"title":"A","opening_text":"A is one.","text":"A is one. More."}',
        '{"index":{"_type":"page","_id":"2"}}',
        '{"title":"B","opening_text":null,"text":"B."}',
        '{"index":{"_type":"page","_id":"3"}}',
        '{"title":"C","opening',
        "[1]",
    ]
    dump = tmp_path / "enwiki-20190225-cirrussearch-content.json.gz"
    dump.write_bytes(gzip.compress("\n".join(lines).encode()))
    text = find_lm_text([str(dump)], "en", "opening")
    assert list(text) == ["A is one."]
    assert text.bad_records == 2
    assert list(find_lm_text([str(dump)], "en", "whole")) == ["A is one. More.", "B."]
    newer = tmp_path / "enwiki-cirrussearch-content.json.bz2"
    newer.write_bytes(bz2.compress("\n".join(lines).encode()))
    assert list(find_lm_text([str(newer)], "en", "opening")) == ["A is one."]


def test_a_dump_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    """A model of half a Wikipedia would not be noticed."""
    dump = tmp_path / "xx-cirrussearch-content.json.gz"
    dump.write_bytes(gzip.compress(b'{"opening_text":"A"}\n' * 1000)[:-10])
    with pytest.raises(RunError, match=r"cannot be read to its end .*\. Fetch it again"):
        list(find_lm_text([str(dump)], "en", "opening"))


def test_inputs_of_other_kinds_are_refused(tmp_path: Path, wikipedia: str) -> None:
    """An XML dump, a run of another source, a run that is not complete."""
    dump = tmp_path / "enwiki-20220801-pages-articles.xml.bz2"
    dump.touch()
    with pytest.raises(RunError, match="Curate a pages-articles dump first"):
        find_lm_text([str(dump)], "en", "opening")
    crawl = write_run(tmp_path / "crawl", "commoncrawl", [])
    with pytest.raises(RunError, match="is a run of commoncrawl"):
        find_lm_text([crawl], "en", "opening")
    (Path(wikipedia) / "COMPLETED").unlink()
    with pytest.raises(RunError, match="is not complete"):
        find_lm_text([wikipedia], "en", "opening")


def test_pieces_are_the_same_bytes_each_time() -> None:
    """And as many as the text bears."""
    lines = [sentence(number).lower() for number in range(100)]
    model = train_pieces(lines, vocab_size=65_536, character_coverage=0.9995)
    assert model == train_pieces(iter(lines), vocab_size=65_536, character_coverage=0.9995)


@pytest.mark.parametrize("line", ["word " * 2000, "x" * 9000, "日本語" * 3000, "short", ""])
def test_lines_that_sentencepiece_would_leave_out_are_cut(line: str) -> None:
    """At spaces, where there are some; nothing is lost."""
    parts = list(_cut([line]))
    assert max((len(part.encode()) for part in parts), default=0) <= MAX_LINE_BYTES
    assert "".join(parts).replace(" ", "") == line.replace(" ", "")


@pytest.mark.usefixtures("tools")
def test_a_model_is_trained_and_told_of(wikipedia: str, tmp_path: Path) -> None:
    """Two files that load, and a card with what they were made from."""
    said: list[str] = []
    lm(_config(wikipedia), str(tmp_path / "models"), said.append)
    files = ModelFiles(tmp_path / "models", "en")
    assert sorted(path.name for path in files.folder.iterdir()) == [
        *("en.arpa.bin", "en.json", "en.sp.model"),
    ]
    model = load_language_model(files.pieces, files.ngrams)
    card = json.loads(files.card.read_text())
    assert card["text"]["documents"] == 60
    assert (model.order, model.pieces) == (5, card["pieces"])
    assert len(card["ngrams"]) == 5
    completed = Path(wikipedia, "COMPLETED").read_text().strip()
    assert card["config"]["input"] == [completed]
    familiar, strange = model.perplexity(sentence(3)), model.perplexity("Zyx qwv jkq!")
    assert familiar is not None
    assert strange is not None
    assert familiar * 10 < strange
    assert said[-1].endswith("or give --cutoffs-from WET.")


@pytest.mark.usefixtures("tools")
def test_the_same_text_gives_the_same_model(wikipedia: str, tmp_path: Path) -> None:
    """Whatever memory lmplz may use, and whatever the structure, the card tells which."""
    for name, memory in (("one", "64M"), ("two", "128M")):
        lm(_config(wikipedia, memory=memory, structure="trie"), str(tmp_path / name), _quiet)
    for name in ("en.sp.model", "en.arpa.bin", "en.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.usefixtures("tools")
def test_a_model_that_is_made_is_left_alone(wikipedia: str, tmp_path: Path) -> None:
    """Other options are refused, with the difference; so is a model of somebody else."""
    out = str(tmp_path / "models")
    lm(_config(wikipedia), out, _quiet)
    said: list[str] = []
    lm(_config(wikipedia), out, said.append)
    assert said[0] == f"en: the model is there already: {out}/en.arpa.bin"
    with pytest.raises(RunError, match=r"another configuration \(order: 5 there, 3 here\)"):
        lm(_config(wikipedia, order=3), out, _quiet)
    (tmp_path / "models" / "en.json").unlink()
    with pytest.raises(RunError, match="was not made by this command"):
        lm(_config(wikipedia), out, _quiet)


@pytest.mark.usefixtures("tools")
def test_steps_that_are_done_are_not_done_again(
    wikipedia: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure of the last, text and pieces are there; the result is the same."""
    lm(_config(wikipedia), str(tmp_path / "whole"), _quiet)
    done: list[str] = []
    for step in ("_write_lines", "train_pieces", "train_ngrams"):
        monkeypatch.setattr(lm_module, step, _noted(step, getattr(lm_module, step), done))
    with monkeypatch.context() as patch:
        patch.setattr(lm_module, "train_ngrams", _full)
        with pytest.raises(OSError, match="No space"):
            lm(_config(wikipedia), str(tmp_path / "models"), _quiet)
    lm(_config(wikipedia), str(tmp_path / "models"), _quiet)
    assert done == ["_write_lines", "train_pieces", "train_ngrams"]
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "models" / path.name).read_bytes() == path.read_bytes()
    assert not (tmp_path / "models" / "work-en").exists()


def _noted(name: str, step: Callable[..., Any], done: list[str]) -> Callable[..., Any]:
    def noted(*arguments: Any, **settings: Any) -> Any:
        done.append(name)
        return step(*arguments, **settings)

    return noted


def _full(*_arguments: Any, **_settings: Any) -> None:
    raise OSError("No space left on device")


def test_what_lmplz_says_is_in_the_error(
    wikipedia: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reason, without the rest of its log."""
    programs = tmp_path / "programs"
    programs.mkdir()
    reason = "threw util::Exception because 'config.TotalMemory() < vocab_usage'."
    for name, script in (
        ("lmplz", f'echo "=== 1/5 Counting ===\n{reason}" >&2; exit 1'),
        ("build_binary", "cat > /dev/null; exit 1"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(programs))
    with pytest.raises(RunError, match=r"^lmplz failed: threw util::Exception because"):
        lm(_config(wikipedia), str(tmp_path / "models"), _quiet)


@pytest.mark.usefixtures("tools")
def test_an_error_while_text_is_read_makes_no_model(tmp_path: Path) -> None:
    """The programs are stopped, rather than given the end of the text."""
    lines = [sentence(number).lower() for number in range(100)]
    content = train_pieces(lines, vocab_size=65_536, character_coverage=0.9995)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=content)

    def cut_off() -> Iterator[str]:
        yield from lines * 20
        raise RunError("cut off")

    with pytest.raises(RunError, match="cut off"):
        train_ngrams(
            cut_off(),
            pieces,
            tmp_path / "model",
            tools=find_tools(),
            order=5,
            vocab_estimate=1000,
            structure="probing",
            memory="64M",
            temporary=tmp_path,
        )
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input": ()}, "--input is missing: name a complete run of Wikipedia"),
        ({"lang": "fr"}, "no text in the language 'fr'"),
    ],
)
@pytest.mark.usefixtures("tools")
def test_bad_options_are_errors(
    wikipedia: str, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    """One line, and what to do."""
    with pytest.raises(RunError, match=message):
        lm(_config(wikipedia, **settings), str(tmp_path / "models"), _quiet)


@pytest.mark.parametrize(
    ("flag", "value", "wanted"),
    [("order", "7", "2 to 6"), ("documents", "0", "1 on"), ("cutoff-documents", "0", "1 on")],
)
def test_numbers_out_of_range_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: str, wanted: str
) -> None:
    """Before any work."""
    out = tmp_path / "models"
    assert main(["lm", "--lang", "en", "--out", str(out), f"--{flag}", value]) == 1
    assert f"--{flag} {value}: give a number from {wanted}" in capsys.readouterr().err
    assert not out.exists()


def test_models_are_not_made_in_an_object_store(capsys: pytest.CaptureFixture[str]) -> None:
    """The programs write to local files."""
    assert main(["lm", "--lang", "en", "--out", "gs://bucket/models"]) == 1
    assert "--out=gs://bucket/models: models are made on this machine" in capsys.readouterr().err


class _Numbers:
    """A model whose perplexity of a page is the number that it holds."""

    def perplexity(self, text: str, *, per_line: bool) -> float | None:
        """Return the number."""
        assert not per_line
        return float(text) if text else None


def _numbered(count: int) -> Iterator[CrawlPage]:
    return (CrawlPage(f"http://a.org/{n}", str(n), "") for n in range(count))


def _sample(documents: int, seed: int) -> CutoffSample:
    return CutoffSample((), documents, "", 0.5, seed)


def test_the_sample_for_cutoffs_follows_from_the_urls() -> None:
    """Not from the order of the pages; another seed gives another."""
    model: Any = _Numbers()
    found = sample_perplexities(_numbered(1000), model, _sample(50, 0))
    assert len(found) == 50
    assert found == sorted(found)
    backwards = reversed(list(_numbered(1000)))
    assert sample_perplexities(backwards, model, _sample(50, 0)) == found
    assert sample_perplexities(_numbered(1000), model, _sample(50, 1)) != found
    assert 350 < sum(found) / 50 < 650


def test_pages_without_perplexity_are_no_part_of_the_sample() -> None:
    """Those of which normalising leaves nothing."""
    model: Any = _Numbers()
    pages = [CrawlPage("http://a.org/", "", ""), CrawlPage("http://b.org/", "7", "")]
    assert sample_perplexities(pages, model, _sample(10, 0)) == [7.0]


@pytest.mark.usefixtures("tools")
def test_cutoffs_are_percentiles_of_pages(wikipedia: str, tmp_path: Path) -> None:
    """Of all buckets; a second language gets a column beside the first."""
    kept = [page(f"http://a.org/{n}", sentence(n)) for n in range(30)]
    tail = [(page(f"http://b.org/{n}", f"Zyx {n} qwv"), "commoncrawl.bucket") for n in range(70)]
    crawl = write_run(tmp_path / "crawl", "commoncrawl", kept, tail, rejects="all")
    german = page("http://c.org/", "Ein Satz.", lang="de")
    other = write_run(tmp_path / "other", "commoncrawl", [german], rejects="all")
    out, said = str(tmp_path / "models"), list[str]()
    lm(_config(wikipedia, cutoffs_from=(crawl,)), out, said.append)
    files = ModelFiles(tmp_path / "models", "en")
    table = read_cutoffs(files.cutoffs)
    model = load_language_model(files.pieces, files.ngrams)
    check_model(table, "en", model, fingerprint_of(files.pieces, files.ngrams))
    good = max(model.perplexity(document.text) or 0 for document in kept)
    bad = min(model.perplexity(document.text) or 0 for document, _ in tail)
    assert table.by_language["en"][29] <= good < table.by_language["en"][30] <= bad
    assert any(line.startswith("warning: the cutoffs are of 100 pages") for line in said)
    lm(_config(wikipedia, lang="de", cutoffs_from=(other,)), out, _quiet)
    both = read_cutoffs(files.cutoffs)
    assert sorted(both.by_language) == ["de", "en"]
    assert both.by_language["en"] == table.by_language["en"]


@pytest.mark.usefixtures("tools")
def test_cutoffs_can_be_made_of_models_that_are_there(wikipedia: str, tmp_path: Path) -> None:
    """Without --input, as for published ones; made once, and refused with other pages."""
    crawl = write_run(tmp_path / "crawl", "commoncrawl", [page("http://a/", "A.")], rejects="all")
    more = write_run(tmp_path / "more", "commoncrawl", [page("http://b/", "B.")], rejects="all")
    out = str(tmp_path / "models")
    lm(_config(wikipedia), out, _quiet)
    (tmp_path / "models" / "en.json").unlink()
    said: list[str] = []
    for _ in range(2):
        lm(_config(wikipedia, input=(), cutoffs_from=(crawl,)), out, said.append)
    assert said[-1] == f"en: the cutoffs are there already: {out}/cutoffs.csv"
    with pytest.raises(RunError, match=r"another configuration \(input: "):
        lm(_config(wikipedia, input=(), cutoffs_from=(more,)), out, _quiet)


_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_REAL = Path(os.environ.get("CORPUSMILL_DATA", _BESIDE)) / "commoncrawl"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.usefixtures("tools")
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_real_pages_give_a_rising_table(wikipedia: str, tmp_path: Path) -> None:
    """English pages of WET files, with duplicate paragraphs removed."""
    try:
        find_langid()
    except SetupError as error:
        pytest.skip(str(error))
    wet = str(_REAL / "web-00000.warc.wet.gz")
    lm(_config(wikipedia, cutoffs_from=(wet,)), str(tmp_path / "models"), _quiet)
    column = read_cutoffs(tmp_path / "models" / "cutoffs.csv").by_language["en"]
    values = [column[percentile] for percentile in range(101)]
    assert values == sorted(values)
    assert 1.0 < values[30] < values[60]
