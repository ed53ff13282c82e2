"""Follow one document through the stages of its source, and note what each of them did.

Of each stage the trace holds the verdict, what the stage measured, the limits that it compares
with, what it changed in columns and ``meta``, and the text before and after it. Stages are called
as a run calls them; nothing is written.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from filters.verdict import Verdict, drop
from pipelines.engine.documents import DOCUMENT_SCHEMA, Document
from pipelines.engine.errors import is_of_the_machine
from pipelines.engine.stages import Keep, Stage
from pipelines.joins.claims import LostVerdictError

_SHOWN_CHARACTERS = 60  # of a value
_PRECISION = 4  # decimals of a number
_FEW = 8  # words of a set or a list that is printed
# Attributes of stages that are no settings of theirs.
_NO_LIMITS = frozenset(
    (
        "name",
        "across",
        "model",
        "folder",
        "table",
        "columns",
        "into",
        "input",
        "manifest",
        "rejects",
    )
)


@dataclass(frozen=True)
class Judgement:
    """What one stage did with a document."""

    stage: str
    verdict: Verdict | None  # None: documents that are not here decide it
    measured: Mapping[str, str]  # what the stage looked at or measured
    limits: Mapping[str, str]  # what it compares with: the settings of the stage
    changed: Mapping[str, tuple[Any, Any]]  # columns and keys of meta, before and after
    before: str
    after: str
    across: str = ""  # what other documents decide here

    @property
    def rewrote(self) -> bool:
        """Whether the stage changed the text."""
        return self.before != self.after


@dataclass(frozen=True)
class Trace:
    """A document on its way through the stages, up to the one that rejected it."""

    document: Document
    judgements: Sequence[Judgement] = field(default=())

    @property
    def kept(self) -> bool:
        """Whether every stage kept the document, as far as this process can tell."""
        return all(one.verdict is None or one.verdict.keep for one in self.judgements)


_IMPOSSIBLE = 1 << 62  # more than any text has, and whole, as counts are


def trace(document: Document, stages: Sequence[Stage], *, decided: bool = True) -> Trace:
    """Run a document through the stages.

    Args:
        document: is changed, as in a run.
        stages: the stages of its source, loaded.
        decided: whether the stages know what other documents decide. If not, a stage that depends
            on them wholly is left out, and one that looks at lines drops only repeats within the
            document.

    Raises:
        RunError: this machine lacks what a stage needs.
    """
    found = []
    for stage in stages:
        across = getattr(stage, "across", "")
        text, columns = document.text, _columns(document)
        measured = _measured(stage, document)
        if across and not decided and not hasattr(stage, "keys"):
            verdict = None
        else:
            verdict = _call(stage, document)
        changed = _changes(columns, _columns(document))
        judgement = Judgement(
            stage.name, verdict, measured, limits_of(stage), changed, text, document.text, across
        )
        found.append(judgement)
        if verdict is not None and not verdict.keep:
            break
    return Trace(document, found)


def _call(stage: Stage, document: Document) -> Verdict | None:
    """Return the verdict of a stage as a ledger would count it; None if others decide it."""
    try:
        return stage(document)
    except LostVerdictError:
        return None
    except Exception as error:
        if is_of_the_machine(error):
            raise
        return drop(f"failed:{type(error).__name__}", str(error)[:500])


def _columns(document: Document) -> dict[str, Any]:
    columns = {name: getattr(document, name) for name in DOCUMENT_SCHEMA.names if name != "text"}
    meta = deepcopy(columns.pop("meta"))
    return {**columns, **{f"meta.{key}": value for key, value in meta.items()}}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    }


def _measured(stage: Stage, document: Document) -> dict[str, str]:
    """Return the columns that a check reads, and what it measures in the text.

    A check says what it measured only where it rejects. So it is called once more with its limits
    moved to where no document passes: checks are pure, and its detail is the measured value.
    """
    if not isinstance(stage, Keep):
        return {}
    found = {}
    for column in stage.columns:
        if column == "text":
            continue
        key = column.removeprefix("meta.")
        value = document.meta.get(key) if column != key else getattr(document, column)
        found[column] = shown(value)
    if "text" in stage.columns and (detail := _provoked(stage, document)):
        found["text"] = detail
    return found


def _provoked(stage: Keep, document: Document) -> str:
    """Return the detail of the verdict that impossible limits give, or ""."""
    limits = _keywords(stage.check)
    impossible = {name: _impossible(name) for name in limits if _impossible(name) is not None}
    if not impossible or not isinstance(stage.check, partial):
        return f"{len(document.text):,} characters"
    try:
        verdict = dataclasses.replace(stage, check=partial(stage.check, **impossible))(document)
    except Exception:  # noqa: BLE001 - a measure is only shown; the stage itself is called next
        return f"{len(document.text):,} characters"
    return verdict.detail


def _impossible(limit: str) -> int | None:
    """Return a limit that no document keeps, for limits whose name says their direction."""
    if limit.startswith("min_"):
        return _IMPOSSIBLE
    return -_IMPOSSIBLE if limit.startswith("max_") else None


def _keywords(check: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while isinstance(check, partial):
        found = {**check.keywords, **found}
        check = check.func
    return found


def limits_of(stage: Stage) -> dict[str, str]:
    """Return the settings of a stage that a person can read: numbers, words and sets of words."""
    if limits := getattr(stage, "limits", None):
        return {name: shown(value) for name, value in limits.items()}
    values: Mapping[str, Any]
    values = _keywords(stage.check) if isinstance(stage, Keep) else getattr(stage, "__dict__", {})
    found: dict[str, str] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found |= {
                key: shown(member)
                for key, member in dataclasses.asdict(value).items()
                if key not in _NO_LIMITS and _readable(member)
            }
        elif name not in _NO_LIMITS and _readable(value):
            found[name] = shown(value)
    return found


def _readable(value: Any) -> bool:
    if isinstance(value, frozenset | set | tuple):
        few = 0 < len(value) <= _FEW
        return few and all(isinstance(one, str | int | float) for one in value)
    return isinstance(value, bool | int | float) or (isinstance(value, str) and value != "")


def shown(value: Any) -> str:
    """Return a value as it is printed: numbers with 4 decimals, long values cut.

    >>> shown(0.123456), shown(frozenset({"mit", "isc"}))
    ('0.1235', 'isc mit')
    """
    if isinstance(value, float):
        return f"{value:.{_PRECISION}f}".rstrip("0").rstrip(".")
    if isinstance(value, frozenset | set):
        value = " ".join(map(str, sorted(value)))
    elif isinstance(value, tuple):
        value = " ".join(map(str, value))
    text = "none" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _lines(text: str) -> list[str]:
    """Return the lines of a text, whatever ends them: a change of line ends alone is no diff."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if text else []


def changed_lines(before: str, after: str) -> list[str]:
    r"""Return the lines that differ: removed ones after "-", added ones after "+", in order.

    >>> changed_lines("a\nb\nc", "a\nC")
    ['-b', '-c', '+C']
    """
    old, new = (_lines(text) for text in (before, after))
    found: list[str] = []
    for first, last, from_, to in differences(old, new):
        found += [f"-{line}" for line in old[first:last]]
        found += [f"+{line}" for line in new[from_:to]]
    return found


def differences(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Return where two sequences differ: a range of the old one, and what replaces it.

    >>> differences("abcd", "aXd")
    [(1, 3, 1, 2)]
    """
    # Equal ends are cut off first: the comparison of what is between takes quadratic time.
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > 1_000_000)
    return [
        (start + first, start + last, start + from_, start + to)
        for kind, first, last, from_, to in matcher.get_opcodes()
        if kind != "equal"
    ]
