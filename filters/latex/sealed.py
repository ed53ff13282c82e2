"""Parts of a text that nothing may change: verbatim text, addresses.

A sealed part is taken out and a mark stands in its place, so that no later step reads it; at the
end it is put back as it was. The marks are control characters, which decoding has removed from
papers (docs/rules/sources.md 4.8).
"""

import re

from filters.latex.tokens import SEAL_END, SEAL_START

_MARK = re.compile(f"{SEAL_START}([0-9]+){SEAL_END}")


class Sealed:
    """The sealed parts of one paper."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def seal(self, part: str) -> str:
        """Take a part; return the mark that stands for it."""
        self._parts.append(part)
        return f"{SEAL_START}{len(self._parts) - 1}{SEAL_END}"

    def size(self, text: str) -> int:
        """Return how many characters a text has more when its parts are back."""
        if SEAL_START not in text:
            return 0
        return sum(len(self._parts[int(number)]) for number in _MARK.findall(text))

    def open(self, text: str) -> str:
        """Put the parts back."""
        if SEAL_START not in text:
            return text
        # What is sealed may hold what was sealed before it, never what comes after.
        while SEAL_START in text:
            text = _MARK.sub(lambda match: self._parts[int(match[1])], text)
        return text
