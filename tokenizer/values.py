"""Values of the tokenizer's flags that are written as one word: lists, weights, file names."""

import csv
from pathlib import Path

from tokenizer.errors import UserError


def words(text: str) -> tuple[str, ...]:
    """A comma-separated list, in which quotes keep a comma.

    >>> words('<a>,"<b,c>"')
    ('<a>', '<b,c>')
    """
    return tuple(next(csv.reader([text]))) if text else ()


def inputs(text: str) -> list[str]:
    """File names, comma-separated unless the whole is the name of a file."""
    return [text] if Path(text).exists() else [name for name in text.split(",") if name]


def weights(text: str) -> dict[str, float]:
    """Weights by source.

    Raises:
        UserError: an item is no weight of a source, or a source is there twice.

    >>> weights("c4=0.15,github=0.045")
    {'c4': 0.15, 'github': 0.045}
    """
    parsed: dict[str, float] = {}
    for item in text.split(","):
        name, equals, number = item.partition("=")
        try:
            if not equals or name in parsed:
                raise ValueError  # noqa: TRY301 - one message for all
            parsed[name] = float(number)
        except ValueError:
            raise UserError(
                f"--weights: expected source=weight, each source once, found {item!r}"
            ) from None
    return parsed


def show(value: object) -> str:
    """A setting as it is written on the command line.

    >>> show(True), show(()), show(0.99995), show(b"ab")
    ('true', '(none)', '0.99995', '2 bytes')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value) or "(none)"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = str(value)
    return text if text and text == text.strip() else repr(text)
