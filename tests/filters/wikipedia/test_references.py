"""The addresses that a page cites: every way to write a reference, and what does not count."""

import pytest

from filters.wikipedia.references import reference_urls, references


@pytest.mark.parametrize(
    ("wikitext", "contents"),
    [
        ("a<ref>b</ref>c", ["b"]),
        ('<ref name="x" group=y>b</ref>', ["b"]),
        ("<REF>b</Ref >", ["b"]),
        ('<ref name="x"/><ref name=y />', []),
        ("<ref/>a", []),
        ("<ref>a\nb\n\nc</ref>", ["a\nb\n\nc"]),
        ("<ref>a\n\nb", ["a"]),
        ("<ref>a <ref>b</ref>", ["a ", "b"]),
        ("<references>\n<ref name=x>a</ref>\n</references>", ["a"]),
        ("<references /> text", []),
        ("<refn>a</refn>", []),
        ("<!-- <ref>a</ref> --><ref>b<!-- c --></ref>", ["b"]),
        ("<nowiki><ref>a</ref></nowiki><ref>b</ref>", ["b"]),
        ("<pre>\n<ref>a</ref></pre><syntaxhighlight lang=x><ref>b</ref></syntaxhighlight>", []),
        ("</ref>a", []),
    ],
)
def test_references_are_found(wikitext: str, contents: list[str]) -> None:
    """With attributes, over lines, closed or not; not in comments or code."""
    assert references(wikitext) == contents


@pytest.mark.parametrize(
    ("content", "urls"),
    [
        ("{{cite web|url=http://a.org/b|title=c}}", ["http://a.org/b"]),
        ("{{cite web |title=c |url = http://a.org/b?c=d }}", ["http://a.org/b?c=d"]),
        ("{{cite web|url=http://a.org/b}}", ["http://a.org/b"]),
        ("{{Cita web|url=http://a.org/b?|titolo=c}}", ["http://a.org/b?"]),
        ("[http://a.org/b label]", ["http://a.org/b"]),
        ("[https://a.org/b]", ["https://a.org/b"]),
        ("[http://a.org/b. label]", ["http://a.org/b."]),
        ("See http://a.org/b.", ["http://a.org/b"]),
        ("(http://a.org/b)", ["http://a.org/b"]),
        ("http://a.org/b_(c), d", ["http://a.org/b_(c)"]),
        ("http://a.org/b''c''", ["http://a.org/b''c"]),
        ("HTTP://A.org/b", ["HTTP://A.org/b"]),
        ("http://a.org/?b=1&amp;c=2&copy=3", ["http://a.org/?b=1&c=2&copy=3"]),
        ("http://a.org/b&#61;c&#x3D;d", ["http://a.org/b=c=d"]),
        ("http://a.org/b&lt;c", ["http://a.org/b"]),
        (
            "[http://a.org x] and [http://b.org y], [http://a.org z]",
            ["http://a.org", "http://b.org"],
        ),
        ("ftp://a.org/b, //c.org, mailto:d@e.org, www.f.org", []),
        ("http://localhost/b and http://[", []),
        ("''A book'', 1999, p. 3", []),
    ],
)
def test_addresses_end_where_mediawiki_ends_them(content: str, urls: list[str]) -> None:
    """In templates, links, and sentences; entities decoded once; http and https alone (8.3)."""
    assert reference_urls(f"A<ref>{content}</ref>") == urls


@pytest.mark.parametrize(
    ("url", "cited"),
    [
        ("https://web.archive.org/web/20100102030405/http://a.org/b", ["http://a.org/b"]),
        ("http://web.archive.org/web/2010*/http://a.org/b", ["http://a.org/b"]),
        ("http://web.archive.org/web/*/http://a.org/b", ["http://a.org/b"]),
        ("http://web.archive.org/web/20100102id_/https://a.org/b", ["https://a.org/b"]),
        ("http://web.archive.org/web/20100102030405/http:/a.org/b", ["http://a.org/b"]),
        ("http://web.archive.org/web/20100102030405/www.a.org/b", ["http://www.a.org/b"]),
        ("http://archive.is/20120102/http://a.org/b", ["http://a.org/b"]),
        ("https://archive.today/Ab3dE", []),
        ("http://www.webcitation.org/5msyxxx", []),
        ("http://web.archive.org/web/", []),
        ("https://archive.org/details/book", ["https://archive.org/details/book"]),
        ("https://en.wikipedia.org/wiki/A", []),
        ("http://tools.wmflabs.org/a", []),
        ("http://web.archive.org/web/2010/http://de.wikipedia.org/wiki/A", []),
        ("http://notwikipedia.org/a", ["http://notwikipedia.org/a"]),
    ],
)
def test_archives_and_wikimedia_do_not_count(url: str, cited: list[str]) -> None:
    """What an archive keeps does."""
    assert reference_urls(f"<ref>[{url} label]</ref>") == cited


def test_an_address_and_its_archive_are_one() -> None:
    """As citation templates give both."""
    archived = "https://web.archive.org/web/20100102030405/http://a.org/b"
    template = f"{{{{cite web|url=http://a.org/b|archive-url={archived}}}}}"
    assert reference_urls(f"<ref>{template}</ref>") == ["http://a.org/b"]


def test_only_references_count() -> None:
    """Not the links of the text."""
    assert reference_urls("[http://a.org b]<ref>http://c.org</ref> http://d.org") == [
        "http://c.org"
    ]
