"""Rows of Posts.xml: framed by line, split anywhere, survived (docs/rules/sources.md 5.1)."""

import pytest

from pipelines.readers.compressed import Damage
from pipelines.readers.rows import MAX_ROW_BYTES, BadRow
from pipelines.samples.stackexchange import posts_xml, row_xml
from pipelines.samples.threads import KETTLES, SamplePost
from pipelines.stackexchange.records import Post, RawRow, attribute_text, frame_rows, post_of

XML = posts_xml(KETTLES)


def framed(*pieces: bytes | Damage, whole: bool = True) -> list[RawRow | BadRow]:
    """Return what is framed."""
    return list(frame_rows(pieces, whole=whole))


def post(row: str) -> Post | BadRow:
    """Return the post of a row."""
    return post_of(RawRow(0, row.encode()))


def test_every_row_is_framed_and_nothing_else() -> None:
    """Byte order mark, declaration and root are no rows; rows are numbered."""
    rows = framed(XML)
    assert [row.row for row in rows] == list(range(len(KETTLES)))
    assert [post_of(row).id for row in rows] == [p.id for p in KETTLES]  # type: ignore[union-attr, arg-type] # none is bad


@pytest.mark.parametrize("size", [1, 2, 7, 100, 4096])
def test_where_the_pieces_end_does_not_show(size: int) -> None:
    """Lines are put together."""
    assert framed(*(XML[at : at + size] for at in range(0, len(XML), size))) == framed(XML)


def test_a_site_without_rows() -> None:
    """Also one whose root is a single tag."""
    assert framed(posts_xml([])) == []
    assert framed(b'<?xml version="1.0"?>\n<posts />\n</posts>') == []
    assert framed(b"") == []


def test_a_file_that_ends_early_says_so() -> None:
    """In a row, or between two."""
    at = XML.index(b"<row", len(XML) // 2)
    *_, last = framed(XML[: at + 30])
    assert isinstance(last, BadRow)
    assert last.reason == "truncated_file"
    *_, last = framed(XML[:at])
    assert last == BadRow(last.row, "truncated_file", "the file does not end in </posts>")
    assert not isinstance(framed(XML[:at], whole=False)[-1], BadRow)


def test_damage_costs_the_rows_around_it() -> None:
    """The rows after it are read, and it is named."""
    lines = XML.splitlines(keepends=True)
    hurt = Damage("block 3", truncated=False)
    rows = framed(*lines[:4], lines[4][:20], hurt, lines[5][10:], *lines[6:])
    assert [post_of(row).id for row in rows if isinstance(row, RawRow)] == [1, 2, *range(5, 14)]  # type: ignore[union-attr] # none is bad
    assert rows[-1] == BadRow(11, "truncated_file", "block 3")


def test_a_line_beyond_all_bounds_is_one_bad_row() -> None:
    """It is not held."""
    head, rest = XML.split(b"<posts>\r\n")
    long = [b'  <row Id="', *[b"1" * (MAX_ROW_BYTES // 4)] * 9, b'" />\r\n']
    rows = framed(head + b"<posts>\r\n", *long, rest)
    assert isinstance(rows[0], BadRow)
    assert (rows[0].row, rows[0].reason) == (0, "too_large")
    assert len(rows) == len(KETTLES) + 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('<row Id="1" PostTypeId="1" Body="a', "bad_xml"),
        ('<row Id="1" PostTypeId=1 />', "bad_xml"),
        ('<row Id="1" "PostTypeId="1" />', "bad_xml"),
        ('<row Id="1" PostTypeId="1" /> <row Id="2" PostTypeId="1" />', "bad_xml"),
        ('<row PostTypeId="1" />', "missing_field"),
        ('<row Id="1" />', "missing_field"),
        ('<row Id="x" PostTypeId="1" />', "wrong_type"),
        ('<row Id="1" PostTypeId="1" Score="1.5" />', "wrong_type"),
        ('<row Id="1" PostTypeId="1" Score="9999999999999999999" />', "wrong_type"),
    ],
)
def test_a_garbled_row_says_what_is_wrong(row: str, reason: str) -> None:
    """It is a bad record, whatever it is."""
    bad = post(row)
    assert isinstance(bad, BadRow)
    assert bad.reason == reason


def test_what_is_no_row_is_a_bad_record() -> None:
    """A line of something else within the posts."""
    (bad,) = framed(b"<posts>\nsomething\n</posts>")
    assert bad == BadRow(0, "bad_xml", "no row: something")


def test_absent_attributes_are_null() -> None:
    """And an owner whose account is gone has a name."""
    found = post('<row Id="1" PostTypeId="2" OwnerDisplayName="J. &amp;" />')
    assert found == Post(0, 1, 2, None, None, None, None, None, "", "J. &", None, None, None)


def test_a_row_is_read_back() -> None:
    """Tabs, quotes, line feeds, the ampersand."""
    body = '\t<a href="x">\r\n&amp;lt; é \U0001f600 &</a>\n'
    wanted = SamplePost(1, body, title="'q\"", score=-3, owner=7, tags="|a|", parent=2)
    found = post(row_xml(wanted))
    assert isinstance(found, Post)
    assert (found.body, found.title, found.score, found.owner) == (body, "'q\"", -3, 7)
    assert (found.tags, found.parent, found.license) == ("|a|", 2, "CC BY-SA 4.0")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a&#x1F;b&#0;c&#xFFFE;&#xD800;&#x110000;&#99999999;d", "abcd"),
        ("a\x1fb\x00c\ufffe", "abc"),
        ("&#x9;&#xA;&#xD;&#10;&#233;&#x1F600;", "\t\n\r\n\xe9\U0001f600"),
        ("&amp;lt;&amp;#10;&#38;amp;", "&lt;&#10;&amp;"),
        ("&lt;&gt;&quot;&apos;&amp;", "<>\"'&"),
        ("a & b &unknown; &", "a & b &unknown; &"),
        ("a\tb", "a b"),  # a tab that is no reference is a space, by XML 1.0, 3.3.3
    ],
)
def test_references_are_resolved_once(value: str, text: str) -> None:
    """What XML forbids goes, and the row stays."""
    assert attribute_text(value) == text
