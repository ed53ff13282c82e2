r"""What is written while a paper is read, and what of it is remembered for later calls.

Two texts that meet here keep their tokens apart (docs/rules/sources.md 4.6, rules 1 and 12).
"""

from string import ascii_letters

from filters.latex.meanings import Command, Meanings
from filters.latex.memory import Known, Started
from filters.latex.tokens import after_line_end, ends_in_word


class Output(Meanings[Command]):
    """The text that is written, in pieces.

    Args:
        commands: what is done at a control sequence that is no macro.
        definers: names of those that define or include.
    """

    def __init__(self, commands: dict[str, Command], definers: frozenset[str]) -> None:
        super().__init__(commands, definers)
        self.out: list[str] = []
        self.size = 0
        self.met_call = False  # a call began or ended since the last text that is not blank

    def emit(self, text: str) -> None:
        """Write a text, with a space where a letter would prolong the control word before it.

        Where a call began or ended before it, two line ends that meet become one (rule 12).
        """
        if self.silent or not text:
            return
        out = self.out
        if self.met_call:
            if text[0] <= " " and (shorter := after_line_end(out, text)) != text:
                self.memory.skip_running()  # what stands before the call decided this
                text = shorter
                if not text:
                    return
            self.met_call = text.isspace()
        if text[0] in ascii_letters and out and ends_in_word(out[-1]):
            out.append(" ")
        out.append(text)
        self.size += len(text)

    def copy(self, text: str, begin: int, end: int) -> None:
        """Write a part of a level; after a line that was dropped, a blank line is one."""
        if self.met_call and begin and text[begin - 1] == "\n":
            self.met_call = False
            self.memory.skip_running()
        self.emit(text[begin:end])

    def state(self) -> tuple[int, int, int, int]:
        """Return what a call adds to: pieces and size of the output, expansions, calls left."""
        return len(self.out), self.size, self.counts.expansions, len(self.memory.left)

    def remember(self, started: Started) -> None:
        """Remember a call that was read to its end."""
        pieces, size, expansions, left = started.before
        if self.out[pieces : pieces + 1] == [" "]:
            return  # perhaps the space that what stood before it asked for
        known = Known(
            started.text,
            "".join(self.out[pieces:]),
            self.size - size,
            self.counts.expansions - expansions,
            tuple(self.memory.left[left:]),
            started.depth,
        )
        self.memory.keep(started, known)
