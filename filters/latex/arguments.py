r"""The arguments of a call, as the signature of its macro asks for them.

The rules are docs/rules/sources.md 4.6, rule 2 and the table: undelimited, optional, star,
delimited.
"""

import re
from collections.abc import Callable

from filters.latex.macros import Macro, Parameter
from filters.latex.tokens import Reader, control_at, ends_in_word, near_closing, skip_blanks

# What ends a group or a paragraph: a call before it has no argument.
_NO_ARGUMENTS = frozenset({"\\end", "\\par", "\\else", "\\fi", "\\item"})
_MAX_FAILURES = 200  # of delimited arguments in a paper: each costs a search
_MAX_DELIMITED = 5_000  # characters of a delimited argument


def read_argument(parameter: Parameter, reader: Reader) -> str | None:
    """Read one argument, or the text that must stand before one; None where it is not there.

    A delimited one is the business of :func:`read_delimited`.
    """
    kind = parameter.kind
    if kind == "mandatory":
        reader.pos = at = skip_blanks(reader.text, reader.pos)
        if reader.text[at : at + 1] == "{":
            return reader.group()
        value = reader.token()
        return None if value in _NO_ARGUMENTS else value
    if kind == "optional":
        value = reader.option()
        return parameter.text if value is None else value
    if kind == "star":
        return "\\BooleanTrue" if reader.take("*") else "\\BooleanFalse"
    if kind == "literal":
        return _literal(parameter.text, reader)
    return read_delimited(parameter.text, reader)


def read_delimited(delimiter: str, reader: Reader) -> str | None:
    """Read up to a text outside of all groups (4.6); braces around the whole are taken off."""
    text, start = reader.text, reader.pos
    wanted = r"[ \t\n]" if delimiter.isspace() else re.escape(delimiter)
    if ends_in_word(delimiter):
        wanted += "(?![A-Za-z])"
    pattern = re.compile(rf"(?P<end>{wanted})|\\[\s\S]|[{{}}]")
    at, limit = start, min(len(text), start + _MAX_DELIMITED)
    while match := pattern.search(text, at, limit):
        if match["end"] is not None:
            reader.pos = match.end()
            value = text[start : match.start()]
            if value[:1] == "{" and reader.groups.braces.get(start) == match.start() - 1:
                value = value[1:-1]
            return value
        at = match.end()
        if match[0] == "{":
            closing = reader.groups.braces.get(match.start())
            if closing is None:
                break
            at = closing + 1
        elif match[0] == "}":
            break
    return None


def _literal(text: str, reader: Reader) -> str | None:
    if text.isspace():
        reader.skip()
        return ""
    at = reader.pos
    if not reader.text.startswith(text, at):
        at = skip_blanks(reader.text, at)
    if not reader.text.startswith(text, at):
        return None
    reader.pos = at + len(text)
    return ""


def _groups(reader: Reader, count: int) -> list[str] | None:
    """Read so many short groups that follow one another at once; None, and stay, without them."""
    text, at = reader.text, reader.pos
    found = []
    for _ in range(count):
        if text[at : at + 1] != "{" or (end := near_closing(text, at)) < 0:
            return None
        found.append(text[at + 1 : end])
        at = end + 1
    reader.pos = at
    return found


def _hands_on(macro: Macro, reader: Reader, pos: int) -> bool:
    r"""Tell whether a call does without its last argument, which is not there.

    TeX takes the next token for it, be it ``\end`` or the ``\par`` of a blank line. Where the body
    ends in that argument the token comes out again behind the rest, and where the body does not use
    it nothing is missed: both are as if the argument was empty.

    Args:
        macro: whose last argument is looked for.
        reader: the text that the call stands in.
        pos: where the argument would begin.
    """
    if macro.earlier or macro.parameters[-1].kind != "mandatory":
        return False
    at = skip_blanks(reader.text, pos)
    if reader.text[at : at + 1] != "\n" and control_at(reader.text, at) not in _NO_ARGUMENTS:
        return False
    number = sum(parameter.kind != "literal" for parameter in macro.parameters)
    uses = macro.pieces.count(number)
    return not uses or (uses == 1 and macro.pieces[-1] == number)


class Arguments:
    """The arguments of the calls of one paper.

    Args:
        settle: returns the text from which the next argument is read; texts read up are left.
    """

    def __init__(self, settle: Callable[[], Reader]) -> None:
        self._settle = settle
        self._failures = 0

    def read(self, macro: Macro, reader: Reader) -> list[str] | None:
        """Read the arguments of a call; None, and all is as it was, where they are not there."""
        if not macro.parameters:
            return []
        groups = _groups(reader, len(macro.parameters)) if macro.grouped else None
        return self._read_any(macro, reader) if groups is None else groups

    def _read_any(self, macro: Macro, reader: Reader) -> list[str] | None:
        """Read arguments of any kind, also from the texts below."""
        places = [(reader, reader.pos)]
        found: list[str] = []
        last = len(macro.parameters) - 1
        for number, parameter in enumerate(macro.parameters):
            reader = self._settle()
            if parameter.kind == "delimited" and not found and macro.name[-1].isalpha():
                reader.skip()
            if reader is not places[-1][0]:
                places.append((reader, reader.pos))
            value, pos = None, reader.pos
            if parameter.kind != "delimited" or self._failures <= _MAX_FAILURES:
                value = read_argument(parameter, reader)
            if value is None and number == last and _hands_on(macro, reader, pos):
                value, reader.pos = "", pos
            if value is None:
                self._failures += parameter.kind == "delimited"
                for other, pos in places:
                    other.pos = pos
                return None
            if parameter.kind != "literal":
                found.append(value)
        return found
