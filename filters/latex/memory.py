r"""What calls became that were expanded before: a paper makes most of its calls many times.

A call is remembered if nothing but its name and its arguments decided what it became: it read no
text after it, and it changed nothing that later calls depend on. Everything that is remembered is
forgotten when a macro, a conditional or an environment gets another meaning.
"""

from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = tuple[str | bool, ...]  # name, whether "@" is a letter, arguments
_MAX_CALL_CHARACTERS = 1_000  # of a call that is remembered
_MAX_OUTPUT_CHARACTERS = 5_000  # of what it became
_MAX_CHARACTERS = 20_000_000  # of everything that is remembered


@dataclass(slots=True)
class Known:
    """What a call became."""

    text: str  # the body with its arguments
    output: str  # the same, expanded to its end, without an \\xspace there
    size: int  # characters of the output, with those of its verbatim parts
    expansions: int  # of calls in the text
    left: tuple[tuple[str, str], ...]  # calls in the text that stay, and why
    depth: int  # of the level that the call stood in


@dataclass(slots=True)
class Started:
    """A call that is being expanded, and what there was when it began."""

    key: Key
    text: str
    before: tuple[int, int, int, int]  # pieces and size of the output, expansions, calls left
    changes: int
    depth: int


class Memory:
    """The calls of one paper whose result is known."""

    def __init__(self) -> None:
        self.changes = 0  # after which no call that had begun before is remembered
        self.left: list[tuple[str, str]] = []  # calls that stay, in order, and why
        self._known: dict[Key, Known] = {}
        self._characters = 0

    def forget(self) -> None:
        """Forget everything: something got another meaning, and what is known may not hold."""
        self.skip_running()
        self._known.clear()
        self._characters = 0

    def skip_running(self) -> None:
        """Remember no call that is being expanded: it read or did more than its arguments say."""
        self.changes += 1

    def find(self, key: Key, depth: int) -> Known | None:
        """Return what a call becomes in a level; None where it is not known."""
        known = self._known.get(key)
        return known if known is not None and depth <= known.depth else None

    @staticmethod
    def key(name: str, arguments: list[str], *, at_is_letter: bool) -> Key | None:
        """Return what decides what a call becomes; None for a long one, which is not remembered."""
        if arguments and sum(map(len, arguments)) > _MAX_CALL_CHARACTERS:
            return None
        return (name, at_is_letter, *arguments)

    def keep(self, started: Started, known: Known) -> None:
        """Remember a call that is expanded to its end, unless something changed meanwhile."""
        if started.changes != self.changes or len(known.output) > _MAX_OUTPUT_CHARACTERS:
            return
        self._characters += len(known.output) + len(known.text) + _MAX_CALL_CHARACTERS // 10
        if self._characters > _MAX_CHARACTERS:
            self.forget()
        else:
            self._known[started.key] = known
