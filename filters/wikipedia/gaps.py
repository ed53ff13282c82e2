"""Close the gaps that removals leave in running text (docs/rules/sources.md 2.4).

A removed template, reference or file can leave two blanks in a row, a comma after a blank, or empty
parentheses. `repair_gaps` changes the text on both sides of each removal and nowhere else, so that
what the writer typed stays.
"""

from typing import Final

from filters.wikipedia.markers import REMOVED

try:
    from filters.wikipedia import _lines
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

_BLANKS: Final = frozenset(" \t")
_SEPARATORS: Final = frozenset(" \t,;")
_FILLERS: Final = frozenset(" \t,;:/-\u2013\u2014")  # in parentheses that hold nothing else
_LIST_MARKS: Final = frozenset("*#:;")
_MAX_LIST_MARKS: Final = 20  # marks of nested lists that are recognised
_OPENING: Final = frozenset("([«\u201e\u201c\n")
_CLOSING: Final = frozenset(",.;:)!?]\n")
_STOPS: Final = frozenset(".)]")  # a comma, colon or dash never belongs before these
_LEADS: Final = frozenset(",;:")
_DASHES: Final = frozenset("-\u2013\u2014")
_DOT: Final = "·"  # between the items of a list in one line
_ENDS: Final = frozenset("\n.)]")  # of such a list
_DOUBLES: Final = frozenset(
    {",,", ";;", "··", ":·", "(·", "\n·"}
)  # the second mark followed an item that is gone
_SPACED: Final = frozenset(":;!?")  # French writes a blank before these
_PAIRS: Final = frozenset(
    {"[]", '""', "\u201c\u201d", "\u201e\u201c", "\u201e\u201d", "«»"}
)  # pairs with nothing between them are removed


def repair_gaps(text: str) -> str:
    """Close the gap at each `REMOVED`; a line that holds nothing else keeps one `REMOVED`.

    Double blanks become one. Blanks before ",.;:)" are removed, and so are parentheses and quotes
    with nothing but separators in them. A comma, colon or dash that introduced the removed part is
    removed before a full stop or a closing bracket: "Leipzig 2009, {{ISBN|...}}." A removal between
    two letters or digits leaves a blank, since it separated two words. Other blanks stay.

    >>> repair_gaps(f"Oslo ({REMOVED}; {REMOVED}) is{REMOVED} a city {REMOVED}.")
    'Oslo is a city.'
    """
    if AVAILABLE:
        return _lines.repair_gaps(text) if REMOVED in text else text
    left, *pieces = text.split(REMOVED)
    if not pieces:
        return text
    out: list[str] = []
    gap = _Gap(out, left)
    for number, right in enumerate(pieces, 1):
        if gap.close(right, last=number == len(pieces)):
            out += [gap.left[: gap.end], gap.filling]
            gap = _Gap(out, right[gap.start :])
    out.append(gap.left)
    return "".join(out)


class _Gap:
    """The text on both sides of one removal, or of several with nothing between them."""

    __slots__ = ("blank_after", "blank_before", "end", "filling", "left", "out", "right", "start")

    def __init__(self, out: list[str], left: str) -> None:
        self.out = out
        self.left = left
        self.end = len(left)  # end of the text that stays on the left
        self.right = ""
        self.start = 0  # start of the text that stays on the right
        self.blank_before = False
        self.blank_after = False
        self.filling = ""  # the text that is put between the two

    def close(self, right: str, *, last: bool) -> bool:
        """Find what stays on both sides; return False if another removal follows immediately."""
        self.right, self.start = right, 0
        while True:
            before, after = self._before(), self._after()
            if not after:
                if not last:
                    return False
                after = "\n"
            if self._drop_marks(before, after):
                continue
            if before == "(" or after == ")":
                inside = self._parentheses(before)
                if inside is None:
                    continue
                if not inside and not last:
                    return False
                before, after = self._before(), self._after() or "\n"
            self.filling = self._filling(before, after)
            return True

    def _before(self) -> str:
        """Go left over blanks; return the character there."""
        while True:
            while self.end and self.left[self.end - 1] in _BLANKS:
                self.end -= 1
                self.blank_before = True
            if self.end:
                return self.left[self.end - 1]
            if not self.out:
                return "\n"
            self.left = self.out.pop()
            self.end = len(self.left)

    def _after(self) -> str:
        """Go right over blanks; return the character there, "" at the end."""
        right, start = self.right, self.start
        while start < len(right) and right[start] in _BLANKS:
            start += 1
            self.blank_after = True
        self.start = start
        return right[start : start + 1]

    def _parentheses(self, before: str) -> bool | None:
        """Remove the separators at a parenthesis.

        Returns:
            None if the parentheses held nothing else and are removed; False if the right side has
            only separators; True otherwise.
        """
        left, right, end, start = self.left, self.right, self.end, self.start
        while end and left[end - 1] in _FILLERS:
            end -= 1
        while start < len(right) and right[start] in _FILLERS:
            start += 1
        if end and left[end - 1] == "(" and right[start : start + 1] == ")":
            self.end, self.start = end - 1, start + 1
            self.blank_before = self.blank_after = False
            return None
        if before == "(":
            if start == len(right):
                return False
            while self.start < start and right[self.start] in _SEPARATORS:
                self.start += 1
        else:
            while self.end > end and left[self.end - 1] in _SEPARATORS:
                self.end -= 1
        return True

    def _drop_marks(self, before: str, after: str) -> bool:
        """Remove marks that make no sense without the removed part; return False without any."""
        if before + after in _PAIRS:
            self.end -= 1
            self.start += 1
        elif (before == _DOT and after in _ENDS) or (after in _STOPS and self._leads_here(before)):
            self.end -= 1
        elif before + after in _DOUBLES or self._leads_nowhere(before, after):
            self.start += 1
        else:
            return False
        return True

    def _leads_here(self, before: str) -> bool:
        """Tell whether a mark introduced the removed part and now precedes a stop or a bracket."""
        if self.right[self.start + 1 : self.start + 2].isalnum():
            return False  # "." begins a number or a name
        if before in _DASHES:
            return self.end > 1 and self.left[self.end - 2] in _BLANKS
        return before in _LEADS and not self._marks_item()

    def _leads_nowhere(self, before: str, after: str) -> bool:
        """Tell whether a mark followed the removed start of its line, and now comes first."""
        if (
            after not in _CLOSING
            or after in ")\n"
            or self.right[self.start + 1 : self.start + 2].strip()
        ):
            return False
        return before == "\n" or self._marks_item()

    def _marks_item(self) -> bool:
        """Tell whether the text on the left is the mark of a list item."""
        end = self.end
        while end and self.end - end < _MAX_LIST_MARKS and self.left[end - 1] in _LIST_MARKS:
            end -= 1
        return end < self.end and (self.left[end - 1] == "\n" if end else not self.out)

    def _filling(self, before: str, after: str) -> str:
        if before == "\n":
            return REMOVED if after == "\n" else ""
        if before in _OPENING or after == "\n":
            return ""
        if after in _CLOSING:
            # A blank after the removal is the writer's own, as in French before a colon.
            own = self.blank_after and (not self.blank_before or after in _SPACED)
            return " " if own else ""
        apart = self.blank_before or self.blank_after or (before.isalnum() and after.isalnum())
        return " " if apart else ""
