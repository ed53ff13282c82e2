"""Say what each stage of a source decides about one document, and what other documents decide.

The document is read by the source's own reader and goes through its own stages, with the text
before and after each. What documents decide together is decided again over the inputs, where they
are at hand and not too large; a run says besides what it decided.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.engine.documents import Document
from pipelines.engine.errors import RunError
from pipelines.engine.manifest import listing
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Context, Write
from pipelines.engine.recorded import units_of_run
from pipelines.engine.runs import Run
from pipelines.engine.source import Phase, Source
from pipelines.engine.units import Unit
from pipelines.engine.workspace import PIECES
from pipelines.readers.rows import BadRow
from pipelines.report.fate import fate_of, thread_of
from pipelines.report.fate import told as fate_told
from pipelines.report.owners import LostLine, Scope, lines_in_run, lost_lines
from pipelines.report.replay import (
    Replay,
    at_hand,
    documents_of,
    loaded_stages,
    replay_in,
    together_with,
)
from pipelines.report.single import write_text
from pipelines.report.trace import Judgement, Trace, trace
from pipelines.storage import files as storage

# Bytes of inputs over which decisions are made again without being asked to.
MAX_REPLAYED_BYTES = 256_000_000
_TEXT_SUFFIXES = (".txt", ".md", ".text", ".tex", ".html", ".wiki", ".wikitext")


@dataclass(frozen=True)
class Asked:
    """What a user wants to know.

    Args:
        source: that the document is of.
        settings: of the source, or of the run.
        field: the setting that takes the file.
        file: an input of the source, a plain text, or "-" for a plain text.
        text: the plain text, or None if the file is an input.
        id: of the document; "" for any.
        record: number of the document's record in the file; None for any.
        run: a run that has the document.
        search: decide across documents however large the inputs are.
    """

    source: Source
    settings: Any
    field: str
    file: str
    text: str | None = None
    id: str = ""
    record: int | None = None
    run: Run | None = None
    search: bool = False


@dataclass(frozen=True)
class Explained:
    """A document's way through one phase of its source, and what is known besides."""

    unit: Unit
    trace: Trace
    decided: str  # among which documents decisions were made; "" if they were not
    sent: bool  # whether the phase gives the document to another one
    lost: dict[str, list[LostLine]]  # stage -> lines that other documents took


@dataclass(frozen=True)
class Answer:
    """All that is known of a document."""

    found: Sequence[Explained]
    bad: Sequence[BadRow]
    taken_for: str  # what a plain text was taken for
    in_run: Sequence[str]  # what the run decided
    known: bool = False  # whether the run has the document


def explain(asked: Asked) -> Answer:
    """Return what is known of a document.

    Raises:
        RunError, StorageError, UnreadableFile: one line that says what to do.
    """
    with tempfile.TemporaryDirectory(prefix="corpusmill-explain-") as name:
        folder = Path(name)
        path, taken_for = storage.absolute(asked.file), ""
        if asked.text is not None:
            named = "text.py" if asked.file == "-" else storage.basename(asked.file)
            path, taken_for = write_text(asked.source.name, asked.text, named, folder)
        settings, units = _units(asked, path)
        phases = list(asked.source.phases(settings, units))
        (folder / "replay").mkdir()
        replay = replay_in(str(folder / "replay"), asked.source.name, phases, units)
        found, bad = _search(asked, path, phases, units, replay)
        if not found and not bad:
            said, known = _in_run(asked, ())
            return Answer((), (), taken_for, said, known)
        if found and found[-1].trace.kept:
            context = Context(Terms(asked.source.name, RejectPolicy()), units)
            found[-1] = replace(found[-1], trace=_later(phases, context, found[-1].trace))
        said, known = _in_run(asked, found)
        return Answer(found, bad, taken_for, said, known)


def _later(phases: Sequence[Phase], context: Context, traced: Trace) -> Trace:
    """Add the decisions that follow the stages, which only all documents together can make.

    Stages after such a decision that need no text are called as if the document won.
    """
    document, judgements = traced.document, list(traced.judgements)
    for phase in phases:
        if isinstance(phase, Write):
            continue
        then = {stage.name: stage for stage in getattr(phase, "then", ())}
        for name in phase.stage_names(context):
            if name in then:
                judgements += trace(document, [then[name]]).judgements
            else:
                across = "documents that are equal, overlap or belong together"
                text = document.text
                judgements.append(Judgement(name, None, {}, {}, {}, text, text, across))
    return Trace(document, judgements)


def _units(asked: Asked, path: str) -> tuple[Any, Sequence[Unit]]:
    """Return the settings and the units among which the document is looked for."""
    if asked.run is not None and asked.text is None:
        facts = asked.run.read_json("config.json")["config"]
        old, new = _moved(asked, list(facts["input"]), path)
        asked.source.check_worker(asked.settings, facts)
        return asked.settings, [_at(unit, old, new) for unit in units_of_run(asked.run)]
    settings = replace(asked.settings, **{asked.field: (path,)})
    return settings, asked.source.find(settings).units


def _moved(asked: Asked, inputs: Sequence[str], path: str) -> tuple[str, str]:
    """Return the folder of the run's inputs that lie elsewhere now, and where; both "" if not.

    Raises:
        RunError: the file is no input of the run, by its path or by its name.
    """
    if any(known == path or known.startswith(f"{path}/") for known in inputs):
        return "", ""
    name = storage.basename(path)
    same = [known for known in inputs if storage.basename(known) == name]
    if len(same) == 1:
        return same[0].removesuffix(name), path.removesuffix(name)
    parents = {known.rpartition("/")[0] for known in inputs}
    if len(folders := [parent for parent in parents if storage.basename(parent) == name]) == 1:
        return f"{folders[0]}/", f"{path}/"
    assert asked.run is not None
    raise RunError(
        f"{asked.file} is no input of {asked.run.path}. Leave --run out, or name one of its "
        "inputs, which config.json lists"
    )


def _at(unit: Unit, old: str, new: str) -> Unit:
    """Return a unit whose parts lie in another folder than the run says."""
    if not old:
        return unit
    parts = (
        replace(part, path=new + part.path.removeprefix(old)) if part.path.startswith(old) else part
        for part in unit.parts
    )
    return replace(unit, parts=tuple(parts))


def _among(asked: Asked, phase: Write, unit: Unit, units: Sequence[Unit]) -> str:
    """Return among which documents a phase's decisions can be made here; "" if they cannot.

    They can if the inputs of the unit's scope are all there, and are not too large. Of a run that
    is not complete not all units are known.
    """
    if asked.run is not None and not asked.run.completed:
        return ""
    scope = together_with(phase, unit, units)
    if not asked.search and sum(other.size for other in scope) > MAX_REPLAYED_BYTES:
        return ""
    if not at_hand(scope):
        return ""
    return "the run's inputs" if asked.run and asked.text is None else "this input alone"


def _search(
    asked: Asked, path: str, phases: Sequence[Phase], units: Sequence[Unit], replay: Replay
) -> tuple[list[Explained], list[BadRow]]:
    """Return the document in each phase that handles it, and bad records in its place."""
    found: list[Explained] = []
    for phase in phases:
        if not isinstance(phase, Write):
            continue
        for unit in units:
            if not phase.of(unit) or not _reads(unit, path):
                continue
            decided = _among(asked, phase, unit, units)
            if not decided and any(topic.name == PIECES for topic in phase.wants):
                raise RunError(f"{asked.file} is large and has to be unpacked first: give --search")
            verdicts = replay.decide(unit, phase.wants) if decided else {}
            stages = loaded_stages(phase, asked.source.name, unit, verdicts)
            documents = documents_of(phase, unit, verdicts, replay.workspace)
            chosen = _choose(asked, documents)
            if isinstance(chosen, BadRow):
                return found, [chosen]
            if chosen is None:
                continue
            traced = trace(chosen, stages, decided=bool(decided))
            scope = Scope(replay, phase, asked.source.name, {one.name: one for one in units})
            lost = _lost(asked, scope, unit, traced, decided=bool(decided))
            found.append(Explained(unit, traced, decided, phase.send, lost))
            if not (phase.send and traced.kept):
                return found, []
            break  # what is kept goes on in a later phase
    return found, []


def _lost(
    asked: Asked, scope: Scope, unit: Unit, traced: Trace, *, decided: bool
) -> dict[str, list[LostLine]]:
    """Return, by stage, the lines that other documents took, or that they may have taken."""
    found = {}
    for one in traced.judgements:
        if one.across and decided:
            found[one.stage] = lost_lines(scope, unit, traced.document, one)
        elif one.across and one.verdict is not None and _may_be_read(asked):
            assert asked.run is not None
            found[one.stage] = lines_in_run(asked.run, traced.document.id, one.before)
    return found


def _may_be_read(asked: Asked) -> bool:
    """Return whether the texts of the run are small enough to be read, or were asked for."""
    if asked.run is None or asked.text is not None:
        return False
    return asked.search or sum(listing(asked.run.path).values()) <= MAX_REPLAYED_BYTES


def _reads(unit: Unit, path: str) -> bool:
    """Return whether a unit reads a file, or a file of a folder."""
    return any(part.path == path or part.path.startswith(f"{path}/") for part in unit.parts)


def _choose(asked: Asked, documents: Iterator[Document | BadRow]) -> Document | BadRow | None:
    """Return the document that the user means.

    Raises:
        RunError: there are several, and the user did not say which.
    """
    first: Document | BadRow | None = None
    for document in documents:
        if asked.id or asked.record is not None:
            named = not asked.id or (isinstance(document, Document) and document.id == asked.id)
            if named and asked.record in (None, document.row):
                return document
            continue
        if first is not None:
            name = document.id if isinstance(document, Document) else ""
            raise RunError(
                f"{asked.file} holds several documents: choose one with --id, such as --id "
                f"{name or asked.source.name + ':...'}, or by the number of its record with "
                "--record, from 0"
            )
        first = document
    return first


def _in_run(asked: Asked, found: Sequence[Explained]) -> tuple[list[str], bool]:
    """Return what the run decided about the document, and whether the run has it."""
    document = found[-1].trace.document if found else None
    name = asked.id or (document.id if document and not asked.text else "")
    if asked.run is None or not name:
        return [], False
    # Rows of GitHub's files with the id of a blob are in many units.
    units = [one.unit.name for one in found] if asked.source.name != "github" else []
    fate = fate_of(asked.run, name, units)
    if document is not None and asked.source.name == "stackexchange":
        meta = document.meta
        if meta.get("question") and meta.get("type") and not fate.rejected:
            said = thread_of(asked.run, meta["site"], meta["question"], meta["id"])
            return [said], True
    return fate_told(asked.run, name, fate), fate.known


def is_text(file: str) -> bool:
    """Return whether a file is taken for the plain text of one document, by its name.

    >>> is_text("-"), is_text("notes.txt"), is_text("dump.xml.bz2")
    (True, True, False)
    """
    return file == "-" or file.lower().endswith(_TEXT_SUFFIXES)
