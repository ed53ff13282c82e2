"""Normalising, measuring and judging source files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.github.quality import (
    REDPAJAMA_THRESHOLDS,
    SourceStatistics,
    Thresholds,
    check_binary_like,
    check_source_file,
    clean_key,
    normalize_source,
    replace_surrogates,
    source_statistics,
    thresholds_by_extension,
)

# Letters, line ends of every kind, marks and the characters that JSON can smuggle in.
SOURCE_TEXT = st.text(
    alphabet=st.sampled_from("ab1_é中٣ \t\n\r\x0b\x0c\x1c\x85\u2028\u2029\ufeff\ufffd\0\ud800😀")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb", "a\nb"),
        ("a\rb\r\r\nc", "a\nb\n\nc"),
        ("\ufeffa", "a"),
        ("\ufeff\ufeffa", "\ufeffa"),
        ("a\ufeff", "a\ufeff"),
        ('\ufeff<?xml version="1.0"?>', '<?xml version="1.0"?>'),
        ("a\x0cb\u2028c", "a\x0cb\u2028c"),
        ("\ud800a\udfff", "\ufffda\ufffd"),
        ("😀", "😀"),
        ("", ""),
    ],
)
def test_normalize_source(text: str, expected: str) -> None:
    """Line ends, exactly one byte order mark, and lone surrogates."""
    assert normalize_source(text) == expected


@given(SOURCE_TEXT)
def test_normalized_text_can_be_written(text: str) -> None:
    """It has an UTF-8 encoding and no carriage return; only a second mark gives a second change."""
    normal = normalize_source(text)
    normal.encode("utf-8")
    assert "\r" not in normal
    assert normalize_source(normal) == normal.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ""),
        ("int main;", ""),
        ("a\0b", "binary_like"),
        ("é" * 99 + "\ufffd", ""),
        ("é" * 98 + "\ufffd", "binary_like"),
        ("\ufffd", "binary_like"),
    ],
)
def test_check_binary_like(text: str, reason: str) -> None:
    """A NUL anywhere, or more than one U+FFFD in a hundred characters."""
    assert check_binary_like(text).reason == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SourceStatistics(0, 0, 0.0, 0.0)),
        ("ab", SourceStatistics(1, 2, 2.0, 1.0)),
        ("ab\n", SourceStatistics(1, 2, 3.0, 2 / 3)),
        ("a\n\nbcd\n", SourceStatistics(3, 3, 7 / 3, 4 / 7)),
        ("\n\n\n", SourceStatistics(3, 0, 1.0, 0.0)),
        ("a_1", SourceStatistics(1, 3, 3.0, 2 / 3)),
        ("变量 = 1", SourceStatistics(1, 6, 6.0, 0.5)),
        ("é٣²", SourceStatistics(1, 3, 3.0, 1.0)),
        ("→😀", SourceStatistics(1, 2, 2.0, 0.0)),
    ],
)
def test_source_statistics(text: str, expected: SourceStatistics) -> None:
    """Code points; the mean counts line ends; letters and digits of any script count."""
    assert source_statistics(text) == expected


@pytest.mark.parametrize(
    "end", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_lines_end_as_in_the_reference(end: str) -> None:
    """A form feed starts a new line for the heuristics, as it does in RedPajama."""
    measured = source_statistics("a" * 600 + end + "a" * 600)
    assert (measured.line_count, measured.max_line_length) == (2, 600)


@given(SOURCE_TEXT)
def test_the_fast_count_is_the_plain_one(text: str) -> None:
    """Deleting bytes and counting characters one by one give the same ratio."""
    plain = sum(map(str.isalnum, text)) / len(text) if text else 0.0
    assert source_statistics(text).alnum_ratio == plain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("\n\n\n", "empty"),
        (" \t\n\x0c", "empty"),
        ("a" * 1000 + "\n" * 11, ""),
        ("a" * 1001 + "\n" * 11, "max_line_length"),
        ("a" * 100, ""),
        ("a" * 101, "avg_line_length"),
        ("a" * 99 + "\n", ""),
        ("a" * 100 + "\n", "avg_line_length"),
        ("a+++", ""),
        ("a++++", "alnum_ratio"),
        ("变量=函数(参数)", ""),
    ],
)
def test_check_source_file(text: str, reason: str) -> None:
    """Each bound itself is kept, one step beyond is dropped."""
    assert check_source_file(text).reason == reason


def test_a_drop_says_what_was_measured() -> None:
    """The reader of the rejects sees how far off a file was."""
    assert check_source_file("a" * 1001).detail == "1001"
    assert check_source_file("a++++++++").detail == "0.111"


@pytest.mark.parametrize(
    ("text", "thresholds"),
    [
        ("a" * 1001 + "\n" * 20, Thresholds(max_line=None)),
        ("a" * 101, Thresholds(mean_line=None)),
        ("++++", Thresholds(min_alnum=None)),
    ],
)
def test_a_threshold_of_none_switches_the_rule_off(text: str, thresholds: Thresholds) -> None:
    """The same text is dropped by default."""
    assert not check_source_file(text).keep
    assert check_source_file(text, thresholds=thresholds).keep


@pytest.mark.parametrize("path", ["a.md", "a.RST", "docs/a.txt", "a.tex"])
def test_prose_may_have_one_line_for_a_paragraph(path: str) -> None:
    """Its mean length says nothing; RedPajama measures it, and so does a row of one's own."""
    text = f"{'word ' * 40}end.\n" * 3
    assert check_source_file(text, path).keep
    assert check_source_file(text, "a.py").reason == "avg_line_length"
    assert check_source_file(text, path, measure_prose=True).reason == "avg_line_length"
    table = thresholds_by_extension({".md": {"mean_line": 80}, ".rst": {"mean_line": 500}})
    assert check_source_file(text, "a.md", by_extension=table).reason == "avg_line_length"
    assert check_source_file(text, "a.rst", by_extension=table).keep
    assert check_source_file("x" * 1001, path).reason == "max_line_length"


def test_surrogates_alone_are_replaced() -> None:
    """For RedPajama's profile: marks and line ends stay."""
    assert replace_surrogates("\ufeffa\r\n\udc80\rb") == "\ufeffa\r\n\ufffd\rb"
    assert normalize_source("\ufeffa\r\n\udc80\rb") == "a\n\ufffd\nb"


def test_thresholds_may_differ_by_extension() -> None:
    """A row replaces the thresholds for its extension; other files keep the default ones."""
    table = thresholds_by_extension({".tex": {"mean_line": 500}, ".py": {"min_alpha": 0.5}})
    text = "1" * 101 + "\n"
    assert check_source_file(text, "a/b.TEX", by_extension=table).keep
    assert check_source_file(text, "a/b.c", by_extension=table).reason == "avg_line_length"
    assert check_source_file("1234", "a.py", by_extension=table).reason == "alpha_ratio"


def test_a_row_of_thresholds_takes_the_rest_from_the_default() -> None:
    """Only what a row names is changed."""
    table = thresholds_by_extension({".c": {"max_line": 9}}, default=Thresholds(mean_line=7))
    assert table == {".c": Thresholds(max_line=9, mean_line=7)}


def test_an_unknown_threshold_is_an_error_that_names_the_known_ones() -> None:
    """A misspelt key must not silently do nothing."""
    with pytest.raises(ValueError, match=r"'\.c': unknown key 'max_lines'; known: max_line,"):
        thresholds_by_extension({".c": {"max_lines": 9}})


def _count_words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [("abc de f", ""), ("ab c", ""), ("a b cd", "alpha_per_token"), ("1234 a", "alpha_per_token")],
)
def test_redpajama_counts_letters_a_token(text: str, reason: str) -> None:
    """1.5 letters a token are enough."""
    verdict = check_source_file(text, thresholds=REDPAJAMA_THRESHOLDS, count_tokens=_count_words)
    assert verdict.reason == reason


def test_letters_a_token_need_a_tokenizer() -> None:
    """A configuration error, said before any document is dropped for it."""
    with pytest.raises(ValueError, match="pass count_tokens"):
        check_source_file("abc", thresholds=REDPAJAMA_THRESHOLDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n\na = 1  \n\tb\t\n\n", "a = 1\n\tb"),
        ("a\n\n\nb", "a\n\n\nb"),
        (" \n \n", ""),
        ("  a", "  a"),
        ("", ""),
    ],
)
def test_clean_key(text: str, expected: str) -> None:
    """Indentation and inner blank lines are part of the file; the rest is not."""
    assert clean_key(text) == expected


@given(SOURCE_TEXT)
def test_clean_key_is_idempotent(text: str) -> None:
    """The key of a key is the key."""
    assert clean_key(clean_key(text)) == clean_key(text)


@given(SOURCE_TEXT, st.text())
def test_never_raises(text: str, path: str) -> None:
    """Whatever the file holds, there is a verdict, and a drop has a reason."""
    table = {".py": Thresholds(min_alpha=0.5)}
    for verdict in (check_binary_like(text), check_source_file(text, path, by_extension=table)):
        assert verdict.keep or verdict.reason


@pytest.mark.parametrize("character", "a\n\r 中\ufffd\ud800")
def test_large_odd_files_are_no_problem(character: str) -> None:
    """Five million characters of one kind: every pass over them is linear."""
    text = normalize_source(character * 5_000_000)
    check_binary_like(text)
    check_source_file(text)
    assert clean_key(clean_key(text)) == clean_key(text)
