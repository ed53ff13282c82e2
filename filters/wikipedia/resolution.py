"""Which definitions of templates stand, once it is known what each of them calls."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from filters.wikipedia.reduction import Definition, Refused
from filters.wikipedia.sites import Site

_MAX_REDIRECTS: Final = 5  # MediaWiki follows one; bots mend the rest

Outcome: TypeAlias = Definition | Refused


def resolve(
    definitions: Mapping[str, Outcome], redirects: Mapping[str, str], site: Site
) -> dict[str, Outcome]:
    """Decide which definitions stand, with the templates that they call.

    Args:
        definitions: by normalised name, as far as each tells itself.
        redirects: from the normalised name of a template that is a redirect to its target's.
        site: the wiki; templates that its data has rules for may be called.

    Returns:
        each name of ``definitions`` with its definition, or why it is left alone.
    """
    resolver = _Resolver(definitions, redirects, site)
    for name in definitions:
        resolver.resolve(name)
    return resolver.resolved


def follow(name: str, redirects: Mapping[str, str]) -> str:
    """Return where redirects lead from a name; the name itself if they lead nowhere.

    >>> follow("A", {"A": "B", "B": "C"}), follow("A", {"A": "B", "B": "A"})
    ('C', 'A')
    """
    target = name
    for _ in range(_MAX_REDIRECTS):
        if target not in redirects:
            return target
        target = redirects[target]
    return name


class _Resolver:
    """The definitions of a wiki, and what is known of them so far."""

    def __init__(
        self, definitions: Mapping[str, Outcome], redirects: Mapping[str, str], site: Site
    ) -> None:
        self.resolved: dict[str, Outcome] = {}
        self._definitions = definitions
        self._redirects = redirects
        self._site = site

    def resolve(self, first: str) -> None:
        """Resolve a template after all that it calls."""
        waiting = [first]  # instead of recursion: chains may be long
        while waiting:
            name = waiting[-1]
            outcome = self._definitions[name]
            if name not in self.resolved and isinstance(outcome, Definition):
                checked = self._check(outcome, waiting)
                if isinstance(checked, str):
                    waiting.append(checked)
                    continue
                outcome = checked
            self.resolved.setdefault(name, outcome)
            waiting.pop()

    def _check(self, definition: Definition, waiting: list[str]) -> Outcome | str:
        """Return the definition, why it falls, or the name of one to resolve before it."""
        for call in sorted(definition.calls):
            if self._site.rule(call) is not None:
                continue
            target = follow(call, self._redirects)
            if target in waiting:
                return Refused("calls itself")
            if target not in self._definitions:
                return Refused(f"calls {call}: not in the dump")
            if target not in self.resolved:
                return target
            if isinstance(callee := self.resolved[target], Refused):
                nested = callee.reason.startswith("calls ")  # name the root of the trouble
                return Refused(callee.reason if nested else f"calls {call}: {callee.reason}")
        return definition
