"""A mixture file: how much of each source a run reads (spec ``tokens.md`` 4.2).

    name = "llama1"
    tokens = 1_400_000_000_000       # budget of the run
    [sources]
    github = {weight = 0.045, paper_epochs = 0.64}
    books = {weight = 0.045, paper_epochs = 2.23, max_epochs = 3}

Every source says its amount in the one kind that the mixture uses: ``weight`` (a share on any
scale), ``epochs``, or ``tokens``; ``mixtures.plan`` derives the other two. Numbers are kept as the
exact fractions that the file writes. Everything a file can get wrong is found here, by name.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

from mixtures.order import MAX_SEED, is_source_name
from mixtures.paper import TABLE_1
from tokenizer.errors import UserError
from tokenizer.settings import nearest

Kind = Literal["weight", "epochs", "tokens"]
OnExhausted = Literal["error", "cap", "repeat"]

DEFAULT_MAX_EPOCHS = Fraction(4)

_KINDS: tuple[Kind, ...] = get_args(Kind)
_KEYS = ("name", "tokens", "seed", "max_epochs", "on_exhausted", "extra_sources", "sources")
_SOURCE_KEYS = (*_KINDS, "max_epochs", "paper_epochs")


class MixtureError(UserError, ValueError):
    """A mixture file is wrong, or does not fit the token shards. The message says what to do."""


@dataclass(frozen=True, slots=True)
class MixtureSource:
    """How much of one source a mixture takes."""

    name: str
    amount: Fraction  # >= 0, in the mixture's kind; 0 leaves the source out
    max_epochs: Fraction  # its own, or else the mixture's
    paper_epochs: Fraction | None  # to print beside the epochs that come out


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture file, checked."""

    name: str
    kind: Kind
    tokens: int | None  # budget of the run; None where the sources' amounts give it
    seed: int  # of the training order, 0 <= seed < 2**63
    on_exhausted: OnExhausted  # what to do with a source that would exceed its max_epochs
    sources: tuple[MixtureSource, ...]  # as in the file


def find(name: str | Path) -> Path:
    """Return the file of a mixture: this path, or that of the mixture that the package brings.

    The package's may be called by its name or by its path in the repository, from any folder. A
    file of the user at that path comes first.

    >>> find("llama1").name
    'llama1.toml'
    """
    path, folder = Path(name), Path(__file__).parent
    bundled = folder / f"{path.name.removesuffix('.toml')}.toml"
    named = path.parent in (Path(), Path(folder.name)) and bundled.exists()
    return bundled if named and not path.exists() else path


def bundled_names() -> list[str]:
    """Return the names of the mixtures that the package brings.

    >>> bundled_names()
    ['demo', 'llama1', 'llama1_1t']
    """
    return sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))


def of_one_source(name: str) -> str:
    """Write the file of a mixture that reads one source, as often as the length of the run wants.

    The source may have any name.
    """
    return (
        f'tokens = 1\non_exhausted = "repeat"\nextra_sources = ["{name}"]\n'
        f"[sources]\n{name} = {{weight = 1}}\n"
    )


def load(path: str | Path) -> Mixture:
    """Read and check a mixture file, or one that comes with the package by its name (``llama1``).

    Raises:
        MixtureError: the file cannot be read or is no mixture; the message begins with its name.
    """
    path = find(path)
    try:
        with path.open("rb") as file:
            table = tomllib.load(file, parse_float=Fraction)
    except FileNotFoundError as error:
        known = bundled_names()
        hint = nearest(str(path), known) or f": those of the package are {', '.join(known)}"
        raise MixtureError(f"{path}: no such file or mixture{hint}") from error
    except OSError as error:
        raise MixtureError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # of TOML, of UTF-8, or a number that is none
        raise MixtureError(f"{path.name}: {error}") from error
    try:
        return _mixture(table, default_name=path.stem)
    except MixtureError as error:
        raise MixtureError(f"{path.name}: {error}") from None


def changed(mixture: Mixture, amounts: Mapping[str, Fraction]) -> Mixture:
    """Give some sources other amounts, in the mixture's kind.

    Raises:
        MixtureError: the mixture has no such source, or nothing is left to read.
    """
    if not amounts:
        return mixture
    names = tuple(source.name for source in mixture.sources)
    _refuse_unknown("source", amounts, names)
    sources = tuple(
        replace(source, amount=amounts.get(source.name, source.amount))
        for source in mixture.sources
    )
    if not any(source.amount for source in sources):
        raise MixtureError(f"every source has {mixture.kind} 0: nothing is left to read")
    name = f"{mixture.name} with " + ", ".join(
        f"{source}={float(amount):g}" for source, amount in amounts.items()
    )
    tokens = mixture.tokens
    if mixture.kind == "tokens":
        tokens = int(sum(source.amount for source in sources))
    return replace(mixture, name=name, tokens=tokens, sources=sources)


def _mixture(table: Mapping[str, Any], *, default_name: str) -> Mixture:
    _refuse_unknown("key", table, _KEYS)
    max_epochs = _positive(table, "max_epochs") or DEFAULT_MAX_EPOCHS
    kind, sources = _sources(table, max_epochs)
    budget = _whole(table, "tokens", at_least=1)
    if kind == "weight" and budget is None:
        raise MixtureError("weights need a budget: add tokens = .., the length of the run")
    if kind == "tokens":
        total = int(sum(source.amount for source in sources))
        if budget not in (None, total):
            raise MixtureError(
                f"the sources' tokens add up to {total:,}, the budget is {budget:,}: leave out the "
                "budget, or give weights"
            )
    return Mixture(
        name=_text(table, "name") or default_name,
        kind=kind,
        tokens=budget,
        seed=_whole(table, "seed", at_least=0, at_most=MAX_SEED) or 0,
        on_exhausted=_on_exhausted(table),
        sources=sources,
    )


def _sources(
    table: Mapping[str, Any], max_epochs: Fraction
) -> tuple[Kind, tuple[MixtureSource, ...]]:
    known = (*TABLE_1, *_extra_sources(table))
    rows = table.get("sources")
    if not isinstance(rows, dict) or not rows:
        raise MixtureError("no sources: add a table [sources] with a line for each")
    _refuse_unknown("source", rows, known, otherwise="Name other sources in extra_sources")
    kind_of: dict[str, Kind] = {}
    sources = []
    for name, row in rows.items():
        try:
            kind_of[name], source = _source(name, row, max_epochs)
        except MixtureError as error:
            raise MixtureError(f"source {name!r}: {error}") from None
        sources.append(source)
    (first, kind), *others = kind_of.items()
    for name, other in others:
        if other != kind:
            raise MixtureError(
                f"source {name!r} gives {other}, source {first!r} gives {kind}: "
                "use one kind in a mixture"
            )
    if not any(source.amount for source in sources):
        raise MixtureError(f"every source has {kind} 0: nothing is left to read")
    return kind, tuple(sources)


def _source(name: str, row: object, max_epochs: Fraction) -> tuple[Kind, MixtureSource]:
    if not isinstance(row, dict):
        raise MixtureError(f"must be a table, as in {name} = {{weight = 0.1}}")
    _refuse_unknown("key", row, _SOURCE_KEYS)
    kinds = [kind for kind in _KINDS if kind in row]
    if len(kinds) != 1:
        given = " and ".join(kinds) or "none"
        raise MixtureError(f"give one of {', '.join(_KINDS)}, not {given}")
    kind = kinds[0]
    amount = _number(row, kind)
    if amount is None or amount < 0:
        raise MixtureError(f"{kind} must be at least 0")
    if kind == "tokens" and amount.denominator != 1:
        raise MixtureError("tokens must be a whole number")
    return kind, MixtureSource(
        name=name,
        amount=amount,
        max_epochs=_positive(row, "max_epochs") or max_epochs,
        paper_epochs=_positive(row, "paper_epochs"),
    )


def _extra_sources(table: Mapping[str, Any]) -> list[str]:
    extra = table.get("extra_sources", [])
    if not isinstance(extra, list) or not all(
        isinstance(name, str) and is_source_name(name) for name in extra
    ):
        raise MixtureError("extra_sources must be a list of names made of a-z, 0-9 and _")
    return extra


def _on_exhausted(table: Mapping[str, Any]) -> OnExhausted:
    choice = table.get("on_exhausted", "error")
    for known in get_args(OnExhausted):
        if choice == known:
            return known  # type: ignore[no-any-return]  # get_args forgets that these are literals
    choices = " or ".join(f'"{known}"' for known in get_args(OnExhausted))
    raise MixtureError(f"on_exhausted must be {choices}, not {_shown(choice)}")


def _refuse_unknown(
    what: str, given: Iterable[str], known: tuple[str, ...], *, otherwise: str = ""
) -> None:
    for name in given:
        if name in known:
            continue
        others = f". Known: {', '.join(known)}." + (f" {otherwise}." if otherwise else "")
        raise MixtureError(f"unknown {what} {name!r}{nearest(name.lower(), known) or others}")


def _number(table: Mapping[str, Any], key: str) -> Fraction | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        raise MixtureError(f"{key} must be a number, not {_shown(value)}")
    return Fraction(value)


def _positive(table: Mapping[str, Any], key: str) -> Fraction | None:
    number = _number(table, key)
    if number is not None and number <= 0:
        raise MixtureError(f"{key} must be more than 0")
    return number


def _whole(
    table: Mapping[str, Any], key: str, *, at_least: int, at_most: int | None = None
) -> int | None:
    number = _number(table, key)
    if number is None:
        return None
    if number.denominator != 1:
        raise MixtureError(f"{key} must be a whole number")
    if number < at_least:
        raise MixtureError(f"{key} must be at least {at_least}")
    if at_most is not None and number > at_most:
        raise MixtureError(f"{key} must be at most {at_most}")
    return int(number)


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise MixtureError(f"{key} must be a text, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """Show a value as the file writes it, nearly."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
