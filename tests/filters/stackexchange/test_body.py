"""HTML of posts to text, by docs/rules/sources.md 5.5: each row of its table, and its kin."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.stackexchange.body import HtmlOptions, html_to_text, strip_tags
from pipelines.readers.sevenzip import read_member
from pipelines.stackexchange.records import Post, RawRow, frame_rows, post_of
from tests.filters.stackexchange.slow_reading import slow_reading

BLOCK_NAMES = (
    *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table"),
    *("section", "article", "dl"),
)


@pytest.mark.parametrize("name", BLOCK_NAMES)
def test_a_block_has_a_blank_line_around(name: str) -> None:
    """Also where the source has no line feed, or many."""
    assert html_to_text(f"a<{name}>b</{name}>c") == "a\n\nb\n\nc"
    assert html_to_text(f"a\n<{name} class='x'>\n b \n</{name}>\n\n\n c") == "a\n\nb\n\nc"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<hr>b", "a\n\nb"),
        ("a<hr />b", "a\n\nb"),
        # Line breaks.
        ("a<br>b", "a\nb"),
        ("a<br>\nb<br />\nc", "a\nb\nc"),
        ("a<br><br>b<br><br><br>c", "a\n\nb\n\nc"),
        ("a\nb", "a\nb"),
        # Lists.
        ("<ul><li>a</li><li>b</li></ul>", "* a\n* b"),
        ("<ul>\n<li>a</li>\n\n<li>b</li>\n</ul>", "* a\n* b"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ('<ol start="5"><li>a<li>b</ol>', "5. a\n6. b"),
        ("<ol><li><p>a</p></li><li><p>b</p></li></ol>", "1. a\n\n2. b"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n\n* b\n\n2. c"),
        ("<ul><li></li><li>b</li></ul>", "*\n* b"),
        ("<ul><li><ul><li>b</li></ul></li></ul>", "*\n* b"),
        ("<li>a</li>", "* a"),
        # Tables and definitions.
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<table>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n<tr>\n<td>c</td>\n</tr></table>", "a b\nc"),
        ("<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>", "a\nb\nc"),
        # Inline elements.
        ("a <code>b  c</code> <kbd>d</kbd><tt>e</tt>", "a b c de"),
        ("<sup>a</sup><sub>b</sub><em>c</em><strong>d</strong><s>e</s><del>f</del>", "abcdef"),
        ('<a href="https://x.org/?a>b">link</a>', "link"),
        ('a <img src="x.png" alt="b"> c', "a c"),
        # Removed with their content.
        ("a<script>if (a<b) {'</p>'}</script>b", "ab"),
        ("a<style>p > b {}</style><iframe><p>c</p></iframe>b", "ab"),
        ("a<object><p>c</p><object>d</object>e</object>b", "ab"),
        ("a<!-- <p>c</p> -->b<!-->c<!---->d<!-- --!>e", "abcde"),
        ("a<!doctype html><?php x ?>b</>c", "abc"),
        # Spoilers, formulas.
        ('<blockquote class="spoiler"><p>a</p></blockquote>', "a"),
        (r"<p>$a &lt; b_1$ \(c\) $$\frac{a}{b}$$</p>", r"$a < b_1$ \(c\) $$\frac{a}{b}$$"),
        # Entities are decoded once.
        ("<p>&amp;lt; &lt;b&gt; &quot; &#39; &nbsp;&eacute;</p>", "&lt; <b> \" ' \xa0é"),
        ("<code>&amp;lt;</code>", "&lt;"),
        ("a&#13;b&#0;c&#xD800;", "a\nb\ufffdc\ufffd"),
        # Spaces and lines.
        ("  a \t b  \n  c  ", "a b\nc"),
        ("<p>a</p>\n\n\n\n<p> </p>\n<p>b</p>", "a\n\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
        # No-break spaces keep their number, but end no line and make no line of their own.
        ("<p>a&nbsp;&nbsp; b</p>", "a\xa0\xa0 b"),
        ("<p>a &nbsp; </p><p>&nbsp; b&#x3000;\nc</p>", "a\n\n\xa0 b\nc"),
        ('<p>a</p><p>&nbsp;&nbsp;<img src="x.png"></p><p>b</p>', "a\n\nb"),
        ("<tr><td>a</td><td>&nbsp;</td></tr><tr><td>&nbsp;</td><td>b</td></tr>", "a\nb"),
        ("<ul><li>&nbsp;</li><li>&nbsp;b&nbsp;</li></ul>", "*\n* \xa0b"),
        ("<p>&nbsp;</p>", ""),
        ("a\x00\x1fb", "ab"),
        ("", ""),
        ("<p> </p>\n<hr>", ""),
    ],
)
def test_each_row_of_the_table(html: str, text: str) -> None:
    """By the fast reading and by the slow one."""
    assert html_to_text(html) == text
    if not {"\x00", "<object", "&#0;", "</>", "<!-", "<iframe"} & set(_marks(html)):
        assert slow_reading(html) == text


def _marks(html: str) -> Iterator[str]:
    """Yield what html.parser reads in other ways than browsers do."""
    yield from (
        mark for mark in ("\x00", "<object", "&#0;", "</>", "<!-", "<iframe") if mark in html
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<pre><code>\tif a &lt; b:\n\n\n    c  = &amp;lt;  \n</code></pre>",
            "\tif a < b:\n\n\n    c  = &lt;  ",
        ),
        ("<p>a</p><pre><code>b\n</code></pre><p>c</p>", "a\n\nb\n\nc"),
        ("<p>a</p><pre>b</pre>c", "a\n\nb\n\nc"),
        ("<pre><code>a\n\n\n\n</code></pre><p>b</p>", "a\n\n\n\nb"),
        ("<pre>\n  a</pre>", "  a"),
        ("<pre><code>\n\n  a</code></pre>", "  a"),  # the second line feed begins the text
        ("b<pre><code>\n\n  a</code></pre>", "b\n\n\n  a"),
        ("<pre>a</pre><pre>b</pre>", "a\n\nb"),
        ("a<pre>\n\n<br></pre>b", "a\n\nb"),  # a block of nothing but line feeds
        ("<pre>a <b>b</b><br>c <!-- d -->  e</pre>", "a b\nc   e"),
        ("<pre>$ a\n<p>b</p></pre>", "$ a\nb"),
        ("<pre>a\n  never closed", "a\n  never closed"),
        ("<li><pre><code>a\n  b</code></pre></li>", "*\n\na\n  b"),
        ("a</pre>b", "ab"),
    ],
)
def test_code_blocks_are_verbatim(html: str, text: str) -> None:
    """Spaces, tabs and line feeds stay; one leading line feed goes; a blank line is around."""
    assert html_to_text(html) == text
    assert slow_reading(html) == text


def test_switches() -> None:
    """Fences around code, the alternative texts of images."""
    fenced = HtmlOptions(code_fence=True)
    assert html_to_text("a<pre><code>b\n</code></pre>c", fenced) == "a\n\n```\nb\n```\n\nc"
    assert html_to_text("<pre>b</pre>", fenced) == "```\nb\n```"
    shown = HtmlOptions(img_alt=True)
    assert html_to_text('a <img src="x" alt="b &amp;lt; c"> d', shown) == "a b &lt; c d"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("1 < 2 <3 a", "1 < 2 <3 a"),
        ("a <b", "a"),
        ('a <b title="never closed>text</b>', "a"),
        ("a <!-- never closed", "a"),
        ("a <script>never closed", "a"),
        ("a <object>never closed", "a"),
        ("a <", "a <"),
        ("a </", "a </"),
        ("<a title=it's>b</a> c'", "b c'"),
        ("<a href=x/>b</a><p/>c", "b\n\nc"),
        ("<P>a<BR>b</P>", "a\nb"),
        ("<a href = 'x' =y b>c</a>", "c"),
    ],
)
def test_broken_html_is_read_as_browsers_do(html: str, text: str) -> None:
    """What is never closed takes the rest with it; a lone sign is text."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<a", "<a ", '<a b="', "<a b='", "<!--", "<!", "</", "<p", "<pre>", "<object>"),
        *("<script>", "<ul><li>", "&", "&amp", " ", " \n", "<br>", '"<a x=', "<td>", "</pre>"),
        *("<a b=c/ ", "<script></script", "&#", "&#x1", "<img alt='", "&nbsp;", "&nbsp; ", "\xa0a"),
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    """A megabyte of anything unclosed takes no more than a moment."""
    start = time.process_time()
    html_to_text(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 5


PIECES = (
    *("a", " ", "\n", "b c", "  ", "\t", "&lt;", "&amp;amp;", "x\ny", "\n\n", "&nbsp;", "\u3000"),
    *(f"<{slash}{name}>" for slash in ("", "/") for name in ("p", "pre", "li", "ul", "ol", "td")),
    *("<tr>", "</tr>", "<br>", "<br />", "<em>", "</em>", "<hr>", "<code>", "</code>", "<h1>"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_the_fast_reading_is_the_slow_one(pieces: list[str]) -> None:
    """On any order of tags, closed or not."""
    html = "".join(pieces)
    assert html_to_text(html) == slow_reading(html)


def test_all_posts_are_read_as_the_slow_reading_does(data: Path) -> None:
    """And code stands in the text as it stands between the tags."""
    archives = sorted((data / "stackexchange").glob("*.7z"))
    if not archives:
        pytest.skip("no dumps of Stack Exchange")
    for archive in archives:
        posts = 0
        pieces: list[bytes] = []
        with archive.open("rb") as stream:
            read_member(stream, archive.name, "Posts.xml", pieces.append)
        for row in frame_rows(pieces, whole=True):
            assert isinstance(row, RawRow)
            post = post_of(row)
            assert isinstance(post, Post)
            assert html_to_text(post.body) == slow_reading(post.body), (archive.name, post.id)
            posts += 1
        assert posts == b"".join(pieces).count(b"<row ") > 0


def test_redpajama_only_strips() -> None:
    """Blocks run together, items begin with a star, spaces stay (5.4, 5.5)."""
    assert strip_tags("<p>a  b</p><p>c</p><br><hr>d &amp;lt;") == "a  bcd &lt;"
    assert strip_tags("<ul><li>a</li><li>b</li></ul>") == "\n*a\n*b"
