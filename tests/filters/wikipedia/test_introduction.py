"""Where the introduction of an article ends."""

import pytest

from filters.wikipedia.introduction import introduction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ale\n\nAle is beer.\n\nHistory\n\nLong.", "Ale is beer."),
        ("Ale is beer.\n\nIt is old.", "Ale is beer.\n\nIt is old."),
        ("Ale is beer.\n\nKinds are:\n\nHistory\n\nLong.", "Ale is beer.\n\nKinds are:"),
        ("Ale is beer.\n\nstout\nporter\n\nHistory", "Ale is beer.\n\nstout\nporter"),
        ("Ale is beer.\n\n" + 81 * "x" + "\n\nHistory", "Ale is beer.\n\n" + 81 * "x"),
        ("Ale is beer.\n\n" + 80 * "x" + "\n\nHistory", "Ale is beer."),
        ("Infobox\n\nAle is beer.\n\nHistory", "Infobox\n\nAle is beer."),
        ("", ""),
    ],
)
def test_it_ends_before_the_first_heading(text: str, expected: str) -> None:
    """A short line between blank lines that does not end like a sentence."""
    assert introduction(text, "Ale") == expected
