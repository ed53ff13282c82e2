"""The limits of HTML: what exceeds them is named, and what does not is parsed in a moment."""

import time

import pytest

from pipelines.readers import html_limits
from pipelines.readers.html_limits import MAX_ATTRIBUTES, simplify, too_complex
from pipelines.readers.rows import BadRow
from pipelines.readers.warc import MAX_HTML_BYTES, WetPage
from tests.pipelines.readers.test_warc import read, response

MAX_SECONDS = 4.0  # of CPU; 0.1 to 0.7 were measured, and a busy machine is slower


def fill(unit: str, share: float = 1.0) -> str:
    """Repeat a unit as often as a page may hold it, or its number of tags allows."""
    times = min(MAX_HTML_BYTES // len(unit), html_limits.MAX_TAGS // max(1, unit.count("<")))
    return unit * int(times * share)


def numbered(unit: str, size: int = MAX_HTML_BYTES) -> str:
    """Repeat a unit with a number in it, so that each is another."""
    return "".join(unit.format(i) for i in range(size // (len(unit) + 4)))


SHAPES = {
    "attributes": "<p " + numbered("a{} ") + ">",
    "attributes of an end tag": "<p></p " + numbered("a{} ") + ">",
    "attributes behind a quoted comment": '<!-- <x a=" --><p ' + numbered("a{} ") + ">",
    "attributes of many elements": fill("<p " + "a " * MAX_ATTRIBUTES + ">"),
    "attributes of the body": numbered("<body a{}>")[: -len("<body a")],
    "names of attributes": numbered("<p a{}>", 3 << 20),
    "many names in few elements": "".join(
        "<p " + " ".join(f"a{i}x{j}" for j in range(250)) + ">" for i in range(1900)
    ),
    "names of elements": numbered("<x{0}></x{0}>", 3 << 20),
    "nesting": fill("<div>"),
    "nesting that end tags do not end": fill("<x>", 0.3) + "<div>" + fill("</x></y>", 0.3),
    "nesting that a select hides": fill("<x>", 0.3) + "<select>" + fill("</x>", 0.3) + "</select>",
    "nesting that is not deep": "<div>" * 600 + fill("<p>a<b>c</b><i>d</i></p>", 0.9),
    "lists": fill("<ul><li>x"),
    "lists side by side": "<ul>" * 12 + fill("<li>x", 0.9),
    "open formatting": numbered("<font c={}>", 3 << 20),
    "formatting opened again": "<p>" + numbered("<font c={}>", 10_000) + fill("<p>x", 0.9),
    "formatting in blocks": fill("<div><font c=1></div><div><font c=2></div><b></b>"),
    "links around blocks": fill("<a><div></a>"),
    "options": "<select>" + fill("<option>x", 0.9),
    "closed options": "<select>" + fill("<option>x</option>", 0.9),
    "entities": fill("&CounterClockwiseContourIntegra"),
    "ampersands": fill("&a"),
    "tables": fill("<table><tr><td>"),
    "text in tables": "<table>" + fill("x<b>", 0.9),
    "unclosed tags": fill("<a "),
    "unclosed quotes": fill('<a b="'),
    "unclosed comments": fill("<!--"),
    "brackets": "<" * MAX_HTML_BYTES,
    "NUL": "\0" * MAX_HTML_BYTES,
}


@pytest.mark.parametrize("html", SHAPES.values(), ids=SHAPES)
def test_no_page_takes_long(html: str) -> None:
    """5 MiB of the worst shapes known; before there were limits, attributes took an hour."""
    html = f"{html[: MAX_HTML_BYTES - 8]}<p>text"
    start = time.process_time()
    (row,) = read(response(html.encode()))
    assert time.process_time() - start < MAX_SECONDS
    assert isinstance(row, WetPage) or row.reason in ("html_too_complex", "no_text")


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<p" + " a" * MAX_ATTRIBUTES + ">", ""),
        ("<p" + " a" * (MAX_ATTRIBUTES + 1) + ">", "over 256 attributes in <p>"),
        ("<P" + "\n/a = '>'" * (MAX_ATTRIBUTES + 1) + ">", "over 256 attributes in <p>"),
        ('<p a="<p' + " a" * 999 + '">', ""),
        ("<!-- <p" + " a" * 999 + "> -->", ""),
        ("<script>if (a<b" + " c" * 999 + ")</script>", ""),
        ("<script>a<b</script><p" + " a" * 999 + ">", "over 256 attributes in <p>"),
        ("<svg><style></svg><p" + " a" * 999 + ">", "over 256 attributes in <p>"),
        ("<body a b>" * 128, ""),
        ("<body a b>" * 129, "over 256 attributes in <body>"),
        ("<" * html_limits.MAX_TAGS, ""),
        ("<" * (html_limits.MAX_TAGS + 1), "over 300000 tags"),
        ("<div></div>" * 100_000, ""),
        ("<div>" * 19_000 + "</div>" * 19_000, "nested too deep"),
        ("<div>" * 9000 + "</div>" * 9000, ""),
        ("<ul><li>x" * 1900, ""),
        ("<ul><li>x" * 4000, "lists nested too deep"),
        ("".join(f"<x{i}></x{i}>" for i in range(20_000)), ""),
        ("".join(f"<x{i}></x{i}>" for i in range(20_001)), "over 20000 names of elements"),
        ("<p " + " ".join(f"a{i}={i}" for i in range(200)) + ">" + "x" * (1 << 19), ""),
    ],
)
def test_the_limits_to_the_element(html: str, problem: str) -> None:
    """They count what the parser meets, and nothing that it takes for text."""
    assert too_complex(html) == problem


def test_a_page_that_is_too_complex_is_named() -> None:
    """With its place, the limit and its address; the others are read."""
    bad = b"<p" + b" a" * 999 + b">text"
    first, row, last = read(response(), response(bad), response())
    detail = "over 256 attributes in <p> http://example.com/"
    assert row == BadRow(1, "html_too_complex", detail)
    assert isinstance(first, WetPage)
    assert isinstance(last, WetPage)


def test_renamed_elements_leave_the_text() -> None:
    """A page with many formatting elements and options has the text that a short one has."""
    unit = "<p>one <b>two</b><i>three</I> <a href='x'>four</a><br>five<abbr>six</abbr></p>\n"
    page = "<select><option>no<option>no</select>" * 2500 + unit * 1000
    (row,) = read(response(page.encode()))
    (short,) = read(response(unit.encode()))
    assert isinstance(row, WetPage)
    assert isinstance(short, WetPage)
    assert (
        row.text.replace("\n\n", "\n").split("\n")
        == short.text.replace("\n\n", "\n").split("\n") * 1000
    )
    assert "<x-b>two</x-b><x-i>three</x-I> <x-a href='x'>four</x-a><br>five<abbr>" in simplify(page)
    assert "<select><x-option>no" in simplify(page)
    assert simplify(unit) == unit
