"""The WET reader: the fields of a page, and every record read or counted whatever is damaged."""

import io

from pipelines.readers.wet import WetPage, read_wet
from tests.pipelines.readers.archives import conversion, packed


def test_the_fields_of_a_page() -> None:
    """The first line is the title; the lines are stripped; headers stand as they are."""
    record = conversion(b" Title \n one\t\n\n two\n", url="http://a.b:80/c d", languages="eng,fra")
    (page,) = read_wet(io.BytesIO(packed(record)), "x")
    assert page == WetPage(
        row=0,
        url="http://a.b:80/c",
        date="2020-01-01T00:00:00Z",
        digest="sha1:AAAA",
        title="Title",
        text="one\n\ntwo",
        content_length=20,
        languages="eng,fra",
        record_id="<urn:uuid:0>",
    )
