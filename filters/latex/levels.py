"""A text on the expander's stack: a file of a paper, or what a call of a macro became."""

import re
from bisect import bisect_left
from operator import attrgetter

from filters.latex.conditionals import Conditional, find_conditionals
from filters.latex.memory import Started
from filters.latex.tokens import LINE_END, Reader, skip_blanks

_START = attrgetter("start")
_MAX_NESTING = 100  # conditionals around a place that are looked at
_NEAR = 200  # characters in which the start of a line or the end of an expansion is looked for
_ENDS_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\[[^\]]*\])?\s*\Z")
_BREAKS = ("\\begin", "\\end", "\\[", "\\]", "\\item", "$$", "\\section", "\\subsection")


class Level(Reader):
    """A text on the stack: a file, or what a call became."""

    __slots__ = (
        *("active", "conditionals", "depth", "folder", "jumps", "mark", "path", "started"),
        "style",
    )

    def __init__(
        self,
        text: str,
        *,
        depth: int = 0,
        active: frozenset[str] = frozenset(),
        at_is_letter: bool = False,
        path: str = "",
        folder: str = "",
        style: bool = False,
    ) -> None:
        self.text = text  # what Reader sets is set here: a level is made for each call
        self.pos = 0
        self.at_is_letter = at_is_letter
        self._groups = None
        self.depth = depth  # 0: a file
        self.active = active  # macros whose expansion this is
        self.path = path
        self.folder = folder
        self.style = style
        self.jumps: dict[int, int] = {}  # \else and \fi of conditionals that are decided
        self.conditionals: list[Conditional] | None = None
        self.started: Started | None = None  # the call, if it is to be remembered
        self.mark = (0, 0, 0, 0)  # what a guard goes back to: see _call

    def _find(self) -> list[Conditional]:
        if self.conditionals is None:
            self.conditionals = find_conditionals(self.text) or []
        return self.conditionals

    def conditional(self, start: int) -> Conditional | None:
        """Return the conditional that begins at a place, None where nesting is broken."""
        found = self._find()
        number = bisect_left(found, start, key=_START)
        return found[number] if number < len(found) and found[number].start == start else None

    def is_in_doubt(self, start: int) -> bool:
        """Tell whether a place lies in a conditional that was not decided."""
        found = self._find()
        number = bisect_left(found, start, key=_START) - 1
        for _ in range(_MAX_NESTING):
            if number < 0:
                return False
            around = found[number]
            if around.fi_start > start and around.start not in self.jumps:
                return True
            number = around.parent
        return True

    def gobble(self, name: str, text: str) -> None:
        """Skip the blanks after a control word, as TeX does (docs/rules/sources.md 4.6, rule 1).

        Args:
            name: of the call that stands before the place.
            text: what it became.
        """
        if name[0] != "\\" or not name[-1].isalpha():
            return
        at = skip_blanks(self.text, self.pos)
        if (
            at > self.pos
            and "\n" in self.text[self.pos : at]
            and (_ENDS_ENVIRONMENT.search(text[-_NEAR:]) or self.text.startswith(_BREAKS, at))
        ):
            return  # after \begin{...}, and before it, a line end sets nothing: it stays
        self.pos = at

    def forget_line(self, start: int) -> None:
        """Go past the line end of a command that began at a place and had a line to itself."""
        before = self.text[max(start - _NEAR, 0) : start].rpartition("\n")
        following = LINE_END.match(self.text, self.pos)
        if following and not before[2].strip() and (before[1] or start < _NEAR):
            self.pos = following.end()
