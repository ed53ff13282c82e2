"""Urls, length, domains, paragraphs and splits (docs/rules/web.md 9.2 and 9.8)."""

import hashlib

import pytest

from filters.c4.pages import (
    check_domain,
    check_listed_url,
    check_page_length,
    check_paragraphs,
    is_validation,
    newest_first,
    normalize_url,
    page_text,
)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://www.example.com/", "example.com"),
        ("http://example.com//", "example.com"),
        ("HTTP://Example.com/A", "HTTP://Example.com/A"),  # case counts
        ("http://archive.org/http://www.example.com/", "archive.org/example.com"),
        ("http://www.www.example.com", "www.example.com"),
        ("http://example.com/a?utm_source=x&y=1", "example.com/a"),
        ("http://example.com/a/?ref=b", "example.com/a"),
        ("http://example.com/a?referrer=b", "example.com/a"),
        ("http://example.com/a?feed=rss", "example.com/a"),
        ("http://example.com/a?y=1&utm_source=x", "example.com/a?y=1&utm_source=x"),
        ("http://example.com/a#part", "example.com/a#part"),
    ],
)
def test_a_url_is_compared_without_scheme_and_tracking(url: str, normalized: str) -> None:
    """Only a first parameter counts as tracking."""
    assert normalize_url(url) == normalized


def test_a_page_is_its_lines_without_blanks_around_them() -> None:
    """Empty lines go, and the title stays."""
    assert (
        page_text("Title\r\n\r\n  One.\r\u00a0Two.\u2028Three.\n\n")
        == "Title\nOne.\nTwo.\u2028Three."
    )


def test_the_newest_page_is_first_and_then_the_smallest_hash() -> None:
    """Timestamps are compared as strings."""
    hashes = sorted("abc", key=_md5)
    expected = [("2020", "a"), ("2019-04-18T01", "a"), *(("2019-04-18", text) for text in hashes)]
    mixed = [*expected[2:], *expected[:2]]
    assert sorted(mixed, key=lambda page: newest_first(*page)) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("news.example.com/a", ""),
        ("sport.example.com/a", "bad_subdomain"),
        ("example.com/a", "bad_subdomain"),
        ("any.example.co.uk/a", ""),
        ("example.net/a", "bad_domain"),
    ],
)
def test_news_is_what_is_listed(url: str, reason: str) -> None:
    """By registered domain, and by sub-domain where some are given."""
    listed = {"example.com": ["news"], "example.co.uk": None}
    assert check_domain(url, listed).reason == reason


def test_pages_of_the_validation_split_are_chosen_by_the_hash_of_their_urls() -> None:
    """One in a thousand: MD5 as an integer, modulo 1,000."""
    urls = [f"example.com/{number}" for number in range(5000)]
    chosen = [url for url in urls if int(_md5(url), 16) % 1000 == 0]
    assert chosen
    assert list(filter(is_validation, urls)) == chosen


def test_limits() -> None:
    """190,000 characters at most; three long lines at least; a url of the list."""
    assert check_page_length("x" * 190_000).keep
    assert check_page_length("x" * 190_001).reason == "too_long"
    long = "x" * 200
    assert check_paragraphs(f"{long}\nshort\n{long}\n{long}").keep
    assert check_paragraphs(f"{long}\n{long}\n{long[1:]}").reason == "too_few_paragraphs"
    assert check_paragraphs(f"{long}\n{long}").reason == "too_few_paragraphs"
    assert check_listed_url("a", {"a"}).keep
    assert check_listed_url("b", {"a"}).reason == "url_not_listed"
