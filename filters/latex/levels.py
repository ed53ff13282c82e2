"""A text on the expander's stack: a file of a paper, or what a call of a macro became."""

import re

from filters.latex.conditionals import Conditional, find_conditionals
from filters.latex.tokens import Reader

_LINE_END = re.compile(r"[ \t]*\n")
_NEAR = 200  # characters before a command in which the start of its line is looked for


class Level(Reader):
    """A text on the stack: a file, or what a call became."""

    __slots__ = ("active", "conditionals", "depth", "folder", "jumps", "mark", "path", "style")

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
        super().__init__(text, at_is_letter=at_is_letter)
        self.depth = depth  # 0: a file
        self.active = active  # macros whose expansion this is
        self.path = path
        self.folder = folder
        self.style = style
        self.jumps: dict[int, int] = {}  # \else and \fi of conditionals that are decided
        self.conditionals: dict[int, Conditional] | None = None
        self.mark = (0, 0, 0, 0, 0)  # what a guard goes back to: see _call

    def conditional(self, start: int) -> Conditional | None:
        """Return the conditional that begins at a place, None where nesting is broken."""
        if self.conditionals is None:
            found = find_conditionals(self.text) or []
            self.conditionals = {each.start: each for each in found}
        return self.conditionals.get(start)

    def forget_line(self, start: int) -> None:
        """Go past the line end of a command that began at a place and had a line to itself."""
        before = self.text[max(start - _NEAR, 0) : start].rpartition("\n")
        following = _LINE_END.match(self.text, self.pos)
        if following and not before[2].strip() and (before[1] or start < _NEAR):
            self.pos = following.end()
