"""Parse the rules for inline templates: names of families, patterns, definitions and aliases.

A rule is one string in the data of a language. "@convert" names a family, whose function knows how
the arguments belong together (`filters.wikipedia.templates`). A pattern is plain text with fields
in braces:

- `{1}` is the first positional argument, `{text}` the argument of that name, `{lt|1}` the first of
  these that is not empty;
- `{*}`, `{+}` and `{-}` are all positional arguments that are not empty, joined by a space, by
  nothing and by an en dash;
- `{2=e}` is the second argument, or "e" if it is not given;
- `{#}`, `{·}` and `{,}` are the same arguments as items of a list: each on its line, or with a dot
  or a comma between them;
- a `?` at the end of a field, as in `c. {1?}`, allows the field to be empty. If all fields without
  `?` and `=` are empty, the template shows nothing;
- `{{` and `}}` are braces;
- `* ` at the start makes a text that shows only in a list item, as for works that are cited;
- a line feed at an end of the pattern, or around a family, starts a new line there, unless there
  is one; two line feeds start a new paragraph.

"@wikitext" and a blank begin a definition, the wikitext of a template in a wiki, with parameters,
`#if`, `#ifeq`, `#switch`, links and other templates that have rules:
`@wikitext {{#if:{{{2|}}}|{{{1}}} ({{{2}}})|{{{1}}}}}`. The module `filters.wikipedia.evaluation`
evaluates it.

"@same" and a blank begin the name of another template that has a rule: `@same Nowrap` is the rule
of an alias of that template.

The empty rule renders nothing: it overrides a rule that all languages share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from string import Formatter
from typing import Final

from filters.wikipedia.definitions import DefinitionError, Nodes, parse
from filters.wikipedia.markers import FRESH_LINE, IN_ITEM

FAMILIES: Final = frozenset(
    {
        "age",
        "as of",
        "biography",
        "century",
        "chem",
        "columns",
        "convert",
        "coordinates",
        "country",
        "currency",
        "date",
        "density",
        "exponent",
        "fraction",
        "gaps",
        "ipa",
        "number",
        "original",
        "power",
        "quantity",
        "raised",
        "sub",
        "sup",
        "text",
        "val",
    }
)
WIKITEXT: Final = "@wikitext "
SAME: Final = "@same "
_IN_ITEMS: Final = "* "
# Spans are written with an en dash.
JOINS: Final = {"*": " ", "+": "", "-": "–", "#": "\n* ", "·": " · ", ",": ", "}  # noqa: RUF001


class Arguments:
    """The trimmed arguments of a template, by position from 1 and by name.

    As in MediaWiki a numeric name is a position (`1=x`), and the last of equal names wins.
    """

    def __init__(self, arguments: Sequence[tuple[str | None, str]]) -> None:
        self.named: dict[str, str] = {}
        positional: dict[int, str] = {}
        unnamed = 0
        for name, value in arguments:
            name = None if name is None else name.strip()  # noqa: PLW2901
            if name is None:
                unnamed += 1
                positional[unnamed] = value.strip()
            elif name.isascii() and name.isdigit() and len(name) < 3 and int(name) > 0:
                positional[int(name)] = value.strip()
            else:
                self.named[name] = value.strip()
        # All arguments by name; an empty argument is given too.
        self.given = self.named | {str(i): value for i, value in positional.items()}
        last = max(positional, default=0)
        self.positional = [positional.get(i, "") for i in range(1, last + 1)]

    def get(self, *names: str) -> str:
        """Return the first of these arguments, positions or names, that is not empty; or ""."""
        for name in names:
            if name.isdigit():
                position = int(name)
                value = self.positional[position - 1] if position <= len(self.positional) else ""
            else:
                value = self.named.get(name, "")
            if value:
                return value
        return ""

    def join(self, separator: str = " ", last: int | None = None) -> str:
        """Join the positional arguments up to the ``last`` that are not empty."""
        return separator.join(value for value in self.positional[:last] if value)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a pattern that arguments fill."""

    names: tuple[str, ...]
    join: str | None = None  # the separator, if the field is for all positional arguments
    optional: bool = False
    default: str = ""  # used if the arguments are empty


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule: a family, the parts of a pattern, a definition, or an alias."""

    family: str = ""
    parts: tuple[str | Field, ...] = field(default=())
    before: str = ""  # line breaks around a pattern that shows something
    after: str = ""
    definition: Nodes | None = None
    same: str = ""  # the name of the template whose rule applies

    def fill(self, arguments: Arguments) -> str | None:
        """Fill the pattern in; return None if it has fields and all of them are empty."""
        filled, required, given = [], 0, 0
        for part in self.parts:
            if isinstance(part, str):
                filled.append(part)
                continue
            text = arguments.get(*part.names) if part.join is None else arguments.join(part.join)
            filled.append(text or part.default)
            required += not part.optional
            given += bool(text) and not part.optional
        text = "".join(filled)
        if required and not given:
            return None
        if required or len(self.parts) > 1:
            text = text.strip()
        return self.framed(text)

    def framed(self, text: str) -> str | None:
        """Return a text between the line breaks of the rule, or None if there is no text."""
        if self.before == IN_ITEM:
            text = text.replace("\n", " ")
        return f"{self.before}{text}{self.after}" if text else None


@lru_cache(None)
def parse_rule(text: str) -> Rule:
    """Parse a rule.

    Raises:
        ValueError: the family is unknown, braces do not match, or the definition cannot be parsed.

    >>> parse_rule("{1} €").fill(Arguments([(None, "5")]))
    '5 €'
    """
    if text.startswith(WIKITEXT):
        try:
            return Rule(definition=parse(text.removeprefix(WIKITEXT)))
        except DefinitionError as error:
            raise ValueError(f"cannot read the definition {text!r}: {error}") from None
    if text.startswith(SAME) and (other := text.removeprefix(SAME).strip()):
        return Rule(same=other)
    if text.startswith(_IN_ITEMS):
        pattern = text.removeprefix(_IN_ITEMS)
        before = after = IN_ITEM
    else:
        pattern = text.strip("\n")
        start, _, end = text.partition(pattern) if pattern else ("", "", "")
        before, after = _lines(start), _lines(end)
    if pattern.startswith("@"):
        return Rule(family=_family(pattern), before=before, after=after)
    try:
        return Rule(parts=_parts(pattern), before=before, after=after)
    except ValueError as error:
        raise ValueError(f"cannot read the pattern {text!r}: {error}") from None


def _family(pattern: str) -> str:
    if pattern[1:] not in FAMILIES:
        known = [f"@{family}" for family in sorted(FAMILIES)]
        raise ValueError(f"unknown family {pattern!r}{nearest(pattern, known)}")
    return pattern[1:]


def _parts(pattern: str) -> tuple[str | Field, ...]:
    parts: list[str | Field] = []
    for literal, name, spec, conversion in Formatter().parse(pattern):
        if literal:
            parts.append(literal)
        if name is not None:
            parts.append(_field(name, spec, conversion))
    return tuple(parts)


def _lines(feeds: str) -> str:
    """Return the text for a pattern's line feeds: a new line, or the end of a paragraph."""
    return FRESH_LINE if len(feeds) == 1 else feeds


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint for the end of a message: the name nearest to a mistyped one, or all names."""
    near = get_close_matches(name, known, n=1)
    return f". Did you mean {near[0]!r}?" if near else f". Use one of {', '.join(known)}"


def _field(name: str, spec: str | None, conversion: str | None) -> Field:
    if spec or conversion:
        raise ValueError("a field holds only names")
    name, equals, default = name.partition("=")
    names, optional = name.removesuffix("?"), bool(equals) or name.endswith("?")
    if names in JOINS:
        return Field((), JOINS[names], optional)
    alternatives = tuple(part.strip() for part in names.split("|"))
    if not all(alternatives):
        raise ValueError("a field names no argument")
    return Field(alternatives, None, optional, default)
