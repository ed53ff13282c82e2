"""Character references: what is a character, and what stays as it is written."""

import pytest

from filters.wikipedia.entities import decode_entities


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("&#107;", "k"),
        ("&#x6B;", "k"),
        ("&#0000000107;", "k"),
        ("&#x0000006b;", "k"),
        ("&#0;", "&#0;"),
        ("&#00;", "&#00;"),
        ("&#8;", "&#8;"),
        ("&#31;", "&#31;"),
        ("&#55296;", "&#55296;"),
        ("&#xDFFF;", "&#xDFFF;"),
        ("&#xFDD0;", "&#xFDD0;"),
        ("&#xFFFE;", "&#xFFFE;"),
        ("&#xFFFD;", "\ufffd"),
        ("&#1114111;", "\U0010ffff"),
        ("&#1114112;", "&#1114112;"),
        ("&#99999999999999999999;", "&#99999999999999999999;"),
        ("&#128;", "€"),
        ("&#150;", "–"),  # noqa: RUF001  (the dash of windows-1252)
        ("&#x9F;", "Ÿ"),
        ("&#160;", " "),
        ("&#10;", " "),
        ("&#;", "&#;"),
        ("&#x;", "&#x;"),
    ],
)
def test_numbers(reference: str, text: str) -> None:
    """As MediaWiki and a browser after it read them."""
    assert decode_entities(f"a{reference}b") == f"a{text}b"
