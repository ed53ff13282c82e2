"""The filters of English Common Crawl one after the other, against the rules written once more."""

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import fasttext.FastText
import kenlm
import numpy as np
import pytest
import sentencepiece
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filters.commoncrawl.cutoffs import Cutoffs, bucket
from filters.commoncrawl.langid import check_language, identify
from filters.commoncrawl.paragraphs import check_length, paragraph_keys, remove_paragraphs
from filters.commoncrawl.perplexity import LanguageModel, load_language_model
from filters.fasttext.model import FastTextModel, load_fasttext
from tests.filters.commoncrawl import ccnet_oracle as oracle
from tests.filters.odd_pages import CHARACTERS
from tests.filters.tiny_models import LANGUAGES, train_languages, train_sentencepiece, write_arpa

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_LID176 = _DATA / "langid" / "lid.176.ftz"

MIN_CHARACTERS = 20
CUTOFFS = Cutoffs({"en": {30: 30.0, 60: 40.0}}, None)


class Models(NamedTuple):
    """The same files, as the filters and as the libraries load them."""

    langid: FastTextModel
    english: LanguageModel
    plain_langid: Any
    plain_english: tuple[Any, Any]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A model of three languages, and n-grams of the pieces of one."""
    folder = tmp_path_factory.mktemp("models")
    langid = train_languages(folder)
    pieces = train_sentencepiece(folder / "en.sp.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    unigrams = {"<unk>": (-4.0, 0.0), "<s>": (-99.0, -0.5), "</s>": (-2.0, 0.0)}
    unigrams |= {
        piece: (-1.0 - number / 50, -0.25)
        for number, piece in enumerate(map(processor.id_to_piece, range(3, processor.vocab_size())))
    }
    arpa = write_arpa(folder / "en.arpa", unigrams)
    return Models(
        load_fasttext(langid),
        load_language_model(pieces, arpa),
        fasttext.FastText._FastText(model_path=str(langid)),
        (processor, kenlm.Model(str(arpa))),
    )


def judge(
    pages: list[str], models: Models, min_characters: int = MIN_CHARACTERS
) -> list[oracle.Result]:
    """Take the pages of one group from text to bucket."""
    long_enough = [page for page in pages if check_length(page, min_characters=min_characters).keep]
    pages_with = Counter(key for page in long_enough for key in set(paragraph_keys(page).tolist()))
    results = []
    for page in pages:
        verdict = check_length(page, min_characters=min_characters)
        if not verdict.keep:
            results.append(oracle.Result(dropped=verdict.reason))
            continue
        keys = paragraph_keys(page)
        rest = remove_paragraphs(
            page, keys, np.array([pages_with[key] > 1 for key in keys.tolist()])
        )
        if rest is None:
            results.append(oracle.Result(dropped="duplicates"))
            continue
        result = oracle.Result(**rest._asdict())
        results.append(result)
        language = identify(models.langid, rest.text)
        if language.code:
            result.language, result.language_score = language
        verdict = check_language(language)
        if not verdict.keep:
            result.dropped = verdict.reason
            continue
        result.perplexity = models.english.perplexity(rest.text)
        result.bucket = bucket(result.perplexity, language.code, CUTOFFS)
    return results


LINES = st.one_of(
    st.sampled_from([line for lines in LANGUAGES.values() for line in lines]),
    st.sampled_from(["", " ", "Menu 1", "menu\u2019 2", "2021"]),
    st.text(CHARACTERS, max_size=30),
)


@example(["the dog and the fox\n\ud800"])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(LINES, min_size=1, max_size=6).map("\n".join), max_size=5))
def test_pages_to_buckets(models: Models, pages: list[str]) -> None:
    """Each field of each page, whether it is kept or dropped and where."""
    plain = oracle.run(
        [pages],
        models.plain_langid,
        {"en": models.plain_english},
        {"en": (30.0, 40.0)},
        min_characters=MIN_CHARACTERS,
    )
    assert list(map(asdict, judge(pages, models))) == list(map(asdict, plain))


def test_pages_reach_every_outcome(models: Models) -> None:
    """A comparison of pages that are all dropped would show little."""
    pages = {
        "short": "too_short",
        "Menu 1, menu 2, menu 3": "duplicates",
        "MENU 4, menu 5, menu \u00ab6\u00bb": "duplicates",
        " " * MIN_CHARACTERS: "empty",
        "the dog der hund le chien": "language_score",
        "das ist eine seite, der hund": "language",
        "the dog and the fox": "too_short",
        "this is a page of the web": "head",
        "the dog and the fox and a dog": "middle",
        "this is a page of the web, \u4e2d\u4e0e\u4e2d\u4e0e": "tail",
    }
    results = judge(list(pages), models)
    assert [result.dropped or result.bucket for result in results] == list(pages.values())


@pytest.mark.data
def test_real_pages(models: Models) -> None:
    """The first hundred pages of each file of real ones: a group, with the defaults."""
    if not _LID176.is_file():
        pytest.skip("lid.176.ftz is not among the real inputs")
    pages = []
    for path in sorted((_DATA / "commoncrawl").glob("web-*.warc.wet.gz")):
        with path.open("rb") as file:
            records = ArchiveIterator(file, record_types=WarcRecordType.conversion)
            for record, _ in zip(records, range(100), strict=False):
                _, *lines = record.reader.read().decode("utf-8", "replace").split("\n")
                pages.append("\n".join([line.strip() for line in lines]))
    assert len(pages) >= 100
    loaded = fasttext.FastText._FastText(model_path=str(_LID176))
    plain = oracle.run([pages], loaded, {"en": models.plain_english}, {"en": (30.0, 40.0)})
    results = judge(pages, models._replace(langid=load_fasttext(_LID176)), min_characters=300)
    assert list(map(asdict, results)) == list(map(asdict, plain))
