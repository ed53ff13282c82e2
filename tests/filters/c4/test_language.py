"""The languages of a text are langdetect's, with probabilities that are equal to the last bit."""

import os
import random
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import langdetect
import numpy as np
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st
from langdetect import detector_factory
from langdetect.lang_detect_exception import ErrorCode
from langdetect.utils.ngram import NGram

from filters.c4 import language
from filters.c4.language import Answer, Detect, detect, load_compiled, load_detect, load_library
from filters.c4.profiles import (
    CODE_POINTS,
    UPPER,
    Profile,
    number_normalised,
    pack_grams,
    read_profiles,
)
from tests.filters.odd_pages import CHARACTERS

needs_extension = pytest.mark.skipif(
    not language.AVAILABLE, reason="the extension module was not built: no C compiler"
)
_DATA = Path(
    os.environ.get("CORPUSMILL_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data"
)

# A sentence of each of many languages and scripts, and of none.
SENTENCES = (
    "The weather was good yesterday, and we went to the beach with the children.",
    "Das Wetter war gestern gut, und wir gingen mit den Kindern an den Strand.",
    "Hier il faisait beau, et nous sommes all\u00e9s \u00e0 la plage avec les enfants.",
    "Ayer hizo buen tiempo y fuimos a la playa con los ni\u00f1os.",
    "Ieri faceva bel tempo e siamo andati in spiaggia con i bambini.",
    "I g\u00e5r var det fint v\u00e6r, og vi dro til stranden med barna.",
    "Wczoraj by\u0142a \u0142adna pogoda i poszli\u015bmy z dzie\u0107mi na pla\u017c\u0119.",
    "D\u00fcn hava g\u00fczeldi ve \u00e7ocuklarla sahile gittik. I\u015f\u0131k vard\u0131.",
    "Ieri a fost vreme frumoas\u0103 \u0219i am mers la plaj\u0103, \u00een \u021bar\u0103.",
    "H\u00f4m qua tr\u1eddi \u0111\u1eb9p v\u00e0 ch\u00fang t\u00f4i \u0111\u00e3 \u0111i bi.",
    "Ho\u0302m qua tro\u031b\u0300i \u0111e\u0323p va\u0300 chu\u0301ng to\u0302i \u0111a\u0303 .",
    "\u0412\u0447\u0435\u0440\u0430 \u0431\u044b\u043b\u0430 \u0445\u043e\u0440\u043e\u0448\u0430.",
    "\u0423\u0447\u043e\u0440\u0430 \u0431\u0443\u043b\u0430 \u0433\u0430\u0440\u043d\u0430 .",
    "\u03a7\u03b8\u03b5\u03c2 \u03bf \u03ba\u03b1\u03b9\u03c1\u03cc\u03c2 \u03ae\u03c4\u03b1.",
    "\u0643\u0627\u0646 \u0627\u0644\u0637\u0642\u0633 \u062c\u0645\u064a\u0644\u0627 \u0623.",
    "\u06a9\u0644 \u06cc\u06c1 \u0634\u06c1\u0631 \u0627\u0686\u06be\u0627 \u062a\u06be\u0627",
    "\u05d0\u05ea\u05de\u05d5\u05dc \u05d4\u05d9\u05d4 \u05de\u05d6\u05d2 \u05d0\u05d5\u05d5.",
    "\u0915\u0932 \u092e\u094c\u0938\u092e \u0905\u091a\u094d\u091b\u093e \u0925\u093e\u0964",
    "\u6628\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u4e86\u6d77\u6ee9\u3002",
    "\u6628\u65e5\u306f\u5929\u6c17\u304c\u826f\u304b\u3063\u305f\u306e\u3067\u6d77\u306b\u884c",
    "\uc5b4\uc81c\ub294 \ub0a0\uc528\uac00 \uc88b\uc558\ub2e4.",
    "\u0e40\u0e21\u0e37\u0e48\u0e2d\u0e27\u0e32\u0e19\u0e2d\u0e32\u0e01\u0e32\u0e28\u0e14\u0e35",
    "\u10d2\u10e3\u10e8\u10d8\u10dc \u10d9\u10d0\u10e0\u10d2\u10d8 \u10d0\u10db\u10d8\u10dc\u10d3",
    "\u3105\u3106\u31a0 \u3042\u30a2",
    "NASA AND THE BBC WERE HERE, McDonald iPhone USAir",
    "na no ne je to da se po za od",
    "1984, 2001: 10 + 7 = 17!",
)
# What the rules for URLs and mail addresses take out, and what they nearly take out.
ADDRESSES = (
    "http://a",
    "https://example.org/a/b?c=d&e=f#g",
    "https://\u00e9",
    "https://",
    "httpss://example.org",
    "hhttp://example.org:8080/path(and)more",
    "http://http://example.org",
    "http:///",
    "HTTP://EXAMPLE.ORG",
    "http://" + "u" * 2076 + "vw",
    "https://" + "/u" * 1040,
    "a@b",
    "a@bc",
    "a@b.",
    "a@.bc",
    "a@-.",
    "a@bc@de.f",
    "a@bc@@de.f",
    "@abc",
    "first.last@mail.example.org and",
    "x" * 63 + "@" + "y" * 255 + "z" * 255 + "zz",
    "x" * 70 + "@" + "y" * 256 + ".z" * 130,
    "x@" + "y" * 255 + "@z",
    "user@http://example.org",
    "http://user@example.org",
)
BLANKS = (" ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\x00", "", ", ", "\u0301", "A")


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    """Langdetect's profiles, in our order."""
    return read_profiles(files("langdetect") / "profiles")


@pytest.fixture(scope="module")
def library(profiles: list[Profile]) -> Detect:
    """Langdetect itself."""
    return load_library(profiles)


@pytest.fixture(scope="module")
def compiled(profiles: list[Profile]) -> Detect:
    """The extension."""
    return load_compiled(profiles)


def detect_langs(text: str) -> Answer:
    """Ask langdetect as its users do."""
    langdetect.DetectorFactory.seed = 0
    try:
        return [(found.lang, found.prob) for found in langdetect.detect_langs(text)]
    except langdetect.LangDetectException as error:
        if error.get_code() != ErrorCode.CantDetectError:
            raise
        return None


def mixed_texts(number: int) -> list[str]:
    """Return texts of one to some hundred pieces, by chance."""
    rng = random.Random(number)
    texts = []
    for _ in range(number):
        pieces = rng.choices(SENTENCES, k=3) + rng.choices(ADDRESSES + BLANKS, k=2)
        texts.append("".join(rng.choices((*pieces, *BLANKS), k=rng.randrange(1, 60))))
    return texts


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sum() corrects rounding errors since 3.12")
def test_the_reference_is_langdetect_but_for_the_order_of_its_profiles(
    profiles: list[Profile],
) -> None:
    """`detect_langs` is what it is when the profiles come as the file system lists them."""
    detector_factory.init_factory()
    listed = detector_factory._factory.langlist
    by_name = {profile.name: profile for profile in profiles}
    in_listed_order = [by_name[name] for name in listed]
    answers = [load_library(in_listed_order)]
    if language.AVAILABLE:
        answers.append(load_compiled(in_listed_order))
    for text in (*SENTENCES, *ADDRESSES, *mixed_texts(100)):
        assert [answer(text) for answer in answers] == [detect_langs(text)] * len(answers)


def test_the_order_of_the_profiles_changes_last_bits_only(library: Detect) -> None:
    """So that C4 keeps the same pages as with any order."""
    for text in (*SENTENCES, *mixed_texts(50)):
        ours, theirs = library(text), detect_langs(text)
        if ours is None or theirs is None:
            assert ours is theirs
        else:
            assert [name for name, _ in ours] == [name for name, _ in theirs]
            assert [p for _, p in ours] == pytest.approx([p for _, p in theirs], abs=1e-14)


@needs_extension
@pytest.mark.parametrize("text", [*SENTENCES, *ADDRESSES, "", " ", "a", "A", "\ud800", "AB", "\n"])
def test_short_texts(text: str, library: Detect, compiled: Detect) -> None:
    """By themselves, doubled, and inside English text."""
    for given_text in (text, f"{text} {text}", f"It is {text}, and this is it."):
        assert compiled(given_text) == library(given_text)


@needs_extension
def test_mixed_texts(library: Detect, compiled: Detect) -> None:
    """Scripts and addresses one beside another; some texts are without features."""
    texts = mixed_texts(400)
    expected = [library(text) for text in texts]
    assert [compiled(text) for text in texts] == expected
    assert 1 < sum(answer is None for answer in expected) < 40
    assert len({answer[0][0] for answer in expected if answer}) > 20


@needs_extension
@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(SENTENCES),
            st.sampled_from(ADDRESSES),
            st.sampled_from(BLANKS),
            st.text(CHARACTERS, max_size=8),
            st.text(st.sampled_from("ab.-_@:/hpst \u0301\u0323"), max_size=30),
            st.from_regex(r"(https?://)?[-_.~;a]{0,3}@?[-_.a]{0,3}", fullmatch=True),
        ),
        max_size=20,
    ).map("".join)
)
def test_any_text(library: Detect, compiled: Detect, text: str) -> None:
    """Whatever a page is made of."""
    assert compiled(text) == library(text)


@needs_extension
@pytest.mark.parametrize("characters", [9_999, 10_000, 10_001, 16_383, 16_384, 16_385, 200_000])
@pytest.mark.parametrize(
    "unit", ["The cat sat. ", "\u0412\u0435\u0442\u0435\u0440 ", "o\u0302\u0301i "]
)
def test_long_texts(characters: int, unit: str, library: Detect, compiled: Detect) -> None:
    """Ten thousand characters count, without what is taken out of the text before."""
    text = (unit * (characters // len(unit) + 1))[:characters]
    for given_text in (text, text + "Das ist das Ende. " * 9, "Das ist der Anfang. " * 500 + text):
        assert compiled(given_text) == library(given_text)


def begin(characters: int, removed: int) -> str:
    """Return a text of which so many characters are taken out, as parts of URLs.

    It has one word, so that the answer depends on what follows.
    """
    steps = [1000] * (removed // 1000 - 1) + [1000 + removed % 1000]
    urls = "".join("http://a" + "z" * (step - 7) + "!" for step in steps)
    return (urls + "chat" + "!" * characters)[:characters]


@needs_extension
@pytest.mark.parametrize("end", [16_384, 14_300, 13_725])
@pytest.mark.parametrize(
    "address",
    ["http://" + "u" * 2076, "https://" + "u" * 2090, "x" * 64 + "@y" + "z" * 510, "e\u0301"],
)
def test_addresses_where_the_part_of_a_long_text_ends_that_is_read_first(
    end: int, address: str, library: Detect, compiled: Detect
) -> None:
    """A match over that end is one, also where the ten-thousandth character is.

    The ends are those of the part, of where URLs are certain in it, and of where mails are.
    """
    for before in (1, 2, 6, 8, 60, 65, 66):
        for more in (0, 1, 2, 40):
            text = begin(end - before, end - before - 10_000 + more) + address
            text += "!\u00fcber die Katze, die auf der Matte schl\u00e4ft" * 400
            assert compiled(text) == library(text)


@needs_extension
def test_texts_of_nothing_but_addresses(library: Detect, compiled: Detect) -> None:
    """Little is left of a long text, so that much of it must be read."""
    for address in ADDRESSES:
        text = f"{address} " * (150_000 // len(address)) + SENTENCES[1] * 3
        assert compiled(text) == library(text)


@needs_extension
def test_grams_that_no_text_has() -> None:
    """A text has no two spaces, and what ends behind a space is read as the begin of a word."""
    odd = [
        Profile(
            "aa", {" ": 9, "  ": 9, "a b": 9, "   ": 9, " a ": 3, "a": 2, "b": 1}, [20, 20, 20]
        ),
        Profile("bb", {"b": 5, "a ": 1, "\n": 7, "? ": 4, " a": 2, "AB": 3, "B": 2}, [20, 20, 20]),
    ]
    for text in ("a b", "a  b  a", " ", "AB Ab aB", "\n?", "b a b", "a"):
        assert load_compiled(odd)(text) == load_library(odd)(text)


def test_profiles_that_cannot_be_packed() -> None:
    """Only grams of one to three characters, of the planes that are numbered."""
    for gram in ("", "four", "\U00020000"):
        with pytest.raises(ValueError, match="langdetect's profiles hold"):
            pack_grams([Profile("aa", {"a": 1, gram: 1}, [9, 9, 9])])


@needs_extension
def test_every_character_has_the_number_of_its_normalised_one(profiles: list[Profile]) -> None:
    """Those that are no upper case, and in no profile, share one number."""
    alone = pack_grams(profiles)["letters"]
    numbers = number_normalised(alone, NGram.normalize, language._rewritten())
    normalised = [NGram.normalize(chr(code)) for code in range(sys.maxunicode + 1)]
    expected = [
        int(alone[ord(character)]) + UPPER * character.isupper()
        for character in normalised[:CODE_POINTS]
    ]
    assert numbers.tolist() == expected
    assert "".join(normalised[CODE_POINTS:]) == "".join(map(chr, range(CODE_POINTS, 0x110000)))
    assert not any(map(str.isupper, normalised[CODE_POINTS:]))


def test_detect(library: Detect) -> None:
    """Three kinds of answers: languages, none above the threshold, no features."""
    assert detect(SENTENCES[0]) == library(SENTENCES[0])
    assert [name for name, _ in detect(SENTENCES[0]) or []] == ["en"]
    assert detect("") is None
    assert detect(SENTENCES[-1]) is None


def test_a_text_is_a_string() -> None:
    """Bytes are no text for either way of answering."""
    with pytest.raises(TypeError):
        detect(b"The weather was good.")  # type: ignore[arg-type]


@needs_extension
def test_the_extension_answers_where_it_can() -> None:
    """It agreed with langdetect when it was loaded."""
    assert "_langdetect.Detector" in repr(load_detect())


def test_langdetect_answers_where_nothing_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same answers."""
    expected = detect(SENTENCES[2])
    monkeypatch.setattr(language, "AVAILABLE", False)
    answer = load_detect.__wrapped__()
    assert "_langdetect" not in repr(answer)
    assert answer(SENTENCES[2]) == expected


@needs_extension
def test_langdetect_answers_where_a_bit_differs(
    monkeypatch: pytest.MonkeyPatch, profiles: list[Profile]
) -> None:
    """A detector that sums in another order is found out by the texts that are compared."""
    reverse = load_compiled(profiles[::-1])
    assert not language.agrees(reverse, load_library(profiles, lazily=True))
    monkeypatch.setattr(language, "load_compiled", lambda _: reverse)
    assert "_langdetect" not in repr(load_detect.__wrapped__())


@needs_extension
def test_langdetect_answers_where_the_draws_are_used_up(
    monkeypatch: pytest.MonkeyPatch, profiles: list[Profile], library: Detect
) -> None:
    """Whether the deviates or the choices run out."""
    for draws in (0, 3, 4, 5, 9, 40):
        few = load_compiled(profiles, draws=draws)
        with pytest.raises(OverflowError, match="known in advance"):
            few(SENTENCES[0])
        monkeypatch.setattr(
            language, "load_detect", lambda *, compiled=True, few=few: few if compiled else library
        )
        assert detect(SENTENCES[0]) == library(SENTENCES[0])


@needs_extension
def test_an_undecided_text_needs_fewer_draws_than_there_are(
    profiles: list[Profile], library: Detect
) -> None:
    """All 7 trials of "e" are given up after 1,001 rounds, and every second draw is in vain."""
    assert load_compiled(profiles)("e") == library("e")
    with pytest.raises(OverflowError):
        load_compiled(profiles, draws=13_500)("e")
    assert language.DRAWS > 2 * 13_500


@needs_extension
def test_wrong_arrays_are_refused() -> None:
    """No array leads out of another."""
    make = pytest.importorskip("filters.c4._langdetect").Detector
    right: dict[str, Any] = {
        "names": ["aa", "bb"],
        "other": 2,
        "letters": np.full(128, 3, np.uint16),
        "grams": np.array([3, 3 << 16 | 3], np.uint64),
        "starts": np.array([0, 2, 3], np.uint32),
        "languages": np.array([0, 1, 1], np.uint8),
        "shares": np.array([0.5, 0.25, 0.125]),
        "draws": np.arange(4000, dtype=np.uint32) << np.uint32(20),
        "bases": np.array([97], np.uint32),
        "marks": np.array([0x300, 0x301], np.uint32),
        "composed": np.array([0xE0, 0xE1], np.uint32),
    }
    answer = make(**right).detect("abc")
    assert answer
    assert answer[0][0] in {"aa", "bb"}
    wrong: dict[str, list[Any]] = {
        "names": [[], ["aa"], ["aa"] * 65],
        "other": [0, 1, 0x8000],
        "letters": [np.zeros(128, np.uint16), np.full(128, 0x8000, np.uint16), b"odd"],
        "grams": [np.array([3, 0x8003], np.uint64), np.array([3], np.uint64)],
        "starts": [
            np.array([0, 3], np.uint32),
            np.array([0, 4, 3], np.uint32),
            np.array([1, 2, 3], np.uint32),
            np.array([0, 2, 4], np.uint32),
            b"",
        ],
        "languages": [np.array([0, 1, 2], np.uint8), np.array([0, 1], np.uint8)],
        "shares": [np.array([0.5, 0.25])],
        "draws": [b"abc"],
        "composed": [np.array([0xE0], np.uint32)],
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=r"."):
                make(**{**right, name: value})


@needs_extension
@pytest.mark.data
@pytest.mark.skipif(not _DATA.is_dir(), reason="no real data: set CORPUSMILL_DATA")
def test_real_pages(library: Detect, compiled: Detect) -> None:
    """Every thirtieth page of Common Crawl, whole and in lower case."""
    pages = []
    for path in sorted((_DATA / "commoncrawl").glob("web-*.warc.wet.gz")):
        with path.open("rb") as file:
            records = ArchiveIterator(file, record_types=WarcRecordType.conversion)
            pages += [record.reader.read().decode("utf-8", "replace") for record in records]
    sample = pages[::30]
    assert len(sample) > 200
    for page in sample:
        assert compiled(page) == library(page)
        assert compiled(page.lower()[:300]) == library(page.lower()[:300])
