"""Addresses as they are compared, and the domains they are of."""

import pytest

from filters.urls import host_of, normalize_url, registered_domain


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("http://example.com/a", "example.com/a"),
        ("https://Example.COM/A", "example.com/A"),
        ("HTTP://example.com", "example.com"),
        ("http://example.com/", "example.com"),
        ("http://example.com/?q=1", "example.com/?q=1"),
        ("http://example.com?q=1", "example.com?q=1"),
        ("http://example.com/a/", "example.com/a/"),
        ("http://example.com/a#b", "example.com/a"),
        ("http://example.com:80/a", "example.com/a"),
        ("https://example.com:443/a", "example.com/a"),
        ("http://example.com:443/a", "example.com:443/a"),
        ("http://user:pw@example.com/a", "example.com/a"),
        ("http://www.example.com/a", "www.example.com/a"),
        ("http://example.com/\u00e9?\u00fc=1%20", "example.com/%C3%A9?%C3%BC=1%20"),
        ("http://b\u00fccher.example/a", "xn--bcher-kva.example/a"),
        ("http://[2001:DB8::1]:8080/a", "[2001:db8::1]:8080/a"),
        (" http://example.com/a\n", "example.com/a"),
        ("ftp://example.com/a", ""),
        ("mailto:a@example.com", ""),
        ("example.com/a", ""),
        ("http:///a", ""),
        ("http://[broken/a", ""),
        ("http://example.com:port/a", "example.com/a"),
        ("", ""),
    ],
)
def test_addresses_are_compared_without_what_does_not_matter(url: str, normalized: str) -> None:
    """Scheme, case of the host, usual port, fragment; a crawler's encoding (8.3)."""
    assert normalize_url(url) == normalized


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://news.bbc.co.uk/1/hi", "bbc.co.uk"),
        ("www.Example.com/a?b", "example.com"),
        ("http://a.b.github.io/", "github.io"),
        ("http://192.0.2.1/a", "192.0.2.1"),
        ("http://localhost:80/a", "localhost"),
        ("", ""),
    ],
)
def test_the_registered_domain_is_a_suffix_and_a_label(url: str, domain: str) -> None:
    """By the public list, without its private part; a host that has none is its own."""
    assert registered_domain(url) == domain


def test_the_host_is_told_without_port() -> None:
    """In lower case."""
    assert [host_of("http://A.org:8080/b"), host_of("about:blank")] == ["a.org", ""]
