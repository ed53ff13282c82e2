"""Identifiers (docs/rules/sources.md 4.1, 4.10)."""

import pytest

from filters.arxiv.identifiers import identifier_of


@pytest.mark.parametrize(
    ("name", "identifier", "yymm", "month"),
    [
        ("0704.0001", "0704.0001", "0704", "2007-04"),
        ("1501.00001", "1501.00001", "1501", "2015-01"),
        ("1501.00001v2", "1501.00001", "1501", "2015-01"),
        ("hep-th9901001", "hep-th/9901001", "9901", "1999-01"),
        ("math0601123", "math/0601123", "0601", "2006-01"),
        ("cond-mat0003123", "cond-mat/0003123", "0003", "2000-03"),
        ("hep-th9108001", "hep-th/9108001", "9108", "1991-08"),
    ],
)
def test_identifiers(name: str, identifier: str, yymm: str, month: str) -> None:
    """New ones and old ones; the page is named after them."""
    found = identifier_of(name)
    assert found is not None
    assert (found.name, found.yymm, found.month) == (identifier, yymm, month)
    assert found.url == f"https://arxiv.org/abs/{identifier}"


@pytest.mark.parametrize("name", ["", "readme", "0799.0001", "12.345", "hep-th99"])
def test_what_is_none(name: str) -> None:
    """Such a member is a bad record."""
    assert identifier_of(name) is None
