"""Decide which definitions of templates can be used, given the templates that each calls."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from filters.wikipedia.reduction import Definition, Refused
from filters.wikipedia.sites import Site

_MAX_REDIRECTS: Final = 5  # MediaWiki follows one; bots fix longer chains

Outcome: TypeAlias = Definition | Refused


def resolve(
    definitions: Mapping[str, Outcome], redirects: Mapping[str, str], site: Site
) -> dict[str, Outcome]:
    """Decide which definitions can be used, with the templates that they call.

    Args:
        definitions: the outcome of each definition alone, by normalised name.
        redirects: the normalised names of templates that are redirects, with those of the targets.
        site: the wiki; templates that its data has rules for may be called.

    Returns:
        each name of ``definitions`` with its definition, or the reason why it gets no rule.
    """
    resolver = _Resolver(definitions, redirects, site)
    for name in definitions:
        resolver.resolve(name)
    return resolver.resolved


def follow(name: str, redirects: Mapping[str, str]) -> str:
    """Return the target that redirects lead to from a name, or the name itself without a target.

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
    """The definitions of a wiki, with the outcomes that are known so far."""

    def __init__(
        self, definitions: Mapping[str, Outcome], redirects: Mapping[str, str], site: Site
    ) -> None:
        self.resolved: dict[str, Outcome] = {}
        self._definitions = definitions
        self._redirects = redirects
        self._site = site

    def resolve(self, first: str) -> None:
        """Resolve a template after all templates that it calls."""
        waiting = [first]  # a stack instead of recursion, since chains may be long
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
        """Return the definition, its refusal, or the name of a template to resolve before it."""
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
                nested = callee.reason.startswith("calls ")  # report the first cause
                return Refused(callee.reason if nested else f"calls {call}: {callee.reason}")
        return definition
