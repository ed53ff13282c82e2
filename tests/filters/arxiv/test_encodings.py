"""Encodings of a paper's files (docs/rules/sources.md 4.8, 4.10)."""

import pytest

from filters.arxiv.encodings import declared_encoding, decode


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("é".encode(), "é", "utf-8"),
        (b"\xef\xbb\xbfa", "a", "utf-8"),
        ("é".encode("latin-1"), "é", "latin-1"),
        ("\\usepackage[latin2]{inputenc} ł".encode("iso8859-2"), "ł", "iso8859-2"),
        ("\\usepackage[cp1251]{inputenc} ж".encode("cp1251"), "ж", "cp1251"),
        ("\\inputencoding{koi8-r} ж".encode("koi8-r"), "ж", "koi8-r"),
        ("\\usepackage[applemac]{inputenc} é".encode("mac-roman"), "é", "mac-roman"),
        (b"\\usepackage[utf8]{inputenc} \xe9", "é", "latin-1"),
    ],
)
def test_utf8_then_what_is_declared_then_latin1(data: bytes, text: str, encoding: str) -> None:
    """Never is a paper dropped for a byte."""
    decoded = decode(data)
    assert decoded.text.endswith(text)
    assert decoded.encoding == encoding


def test_a_file_may_be_in_the_encoding_that_another_declares() -> None:
    """The main file declares it for all."""
    declared = declared_encoding(b"\\usepackage[cp1250]{inputenc}")
    assert decode("ł".encode("cp1250"), declared).text == "ł"


def test_line_ends_and_control_characters() -> None:
    """Those of Windows and of old Macs; form feeds and ^Z go."""
    assert decode(b"a\r\nb\rc\x0cd\x1ae\tf\x00\x01\x02").text == "a\nb\ncde\tf"
