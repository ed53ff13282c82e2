"""Explain one document: a command per source, made from the settings of the source."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from pipelines.catalog import SOURCE_BY_NAME, SourceEntry
from pipelines.engine.errors import RunError
from pipelines.engine.recorded import settings_of_run
from pipelines.engine.runs import Run, open_begun
from pipelines.report import explain as explaining
from pipelines.report import words
from pipelines.storage import files as storage
from tokenizer.commandline import take_settings

# The settings that take inputs, where a source has several; the first is the default.
_INPUTS = {"books": ("gutenberg", "books3"), "c4": ("input", "wet")}


def command_of(entry: SourceEntry) -> Callable[..., int]:
    """Return the function of the command that explains a document of a source."""
    source = entry.load()
    inputs = _INPUTS.get(entry.name, ("input",))
    optional = without_inputs(source.settings, inputs)

    def explain(
        file: Annotated[
            str,
            Parameter(
                help="input of the source, or a plain text; -: stdin", allow_leading_hyphen=True
            ),
        ],
        /,
        *,
        settings: Any,
        id: Annotated[str, Parameter(help="id of the document in the file")] = "",  # noqa: A002 - the flag
        record: Annotated[
            int | None,
            Parameter(help="number of the record in the file, from 0", validator=Number(gte=0)),
        ] = None,
        run: Annotated[
            str, Parameter(help="run that read the file: its settings, and what it decided")
        ] = "",
        text: Annotated[
            bool, Parameter(help="the file is the plain text of one document", negative="")
        ] = False,
        search: Annotated[
            bool, Parameter(help="decide across documents also over large inputs", negative="")
        ] = False,
        full: Annotated[
            bool, Parameter(help="print every changed line and every owner", negative="")
        ] = False,
    ) -> int:
        if file.startswith("-") and file != "-":
            raise RunError(f"unknown flag {file}. --help lists the flags")
        given = {
            field.name: getattr(settings, field.name)
            for field in dataclasses.fields(source.settings)
            if getattr(settings, field.name) != _default(field)
        }
        opened = _open(run, source.name) if run else None
        if opened is not None:
            settings = settings_of_run(optional, opened, **given)
        asked = explaining.Asked(
            source,
            _as_declared(source.settings, settings),
            _input_of(entry.name, inputs, file),
            file,
            _text(file, text=text),
            id,
            record,
            opened,
            search,
        )
        answer = explaining.explain(asked)
        if not answer.found and not answer.bad and not answer.in_run:
            raise RunError(f"{file}: {_nothing(id, record)}")
        out = words.console()
        for line in words.explained(answer, full=full):
            out.print(line, highlight=False)
        return 0 if answer.found or answer.bad or answer.known else 1

    take_settings(explain, optional)
    return explain


def without_inputs(settings: type[Any], inputs: tuple[str, ...]) -> type[Any]:
    """Return the settings of a source with no input as the default, since the file is the input."""
    fields = [
        (
            field.name,
            field.type,
            dataclasses.field(
                default=() if field.name in inputs else field.default, metadata=field.metadata
            ),
        )
        for field in dataclasses.fields(settings)
    ]
    made: type[Any] = dataclasses.make_dataclass(
        settings.__name__, fields, bases=(settings,), frozen=True
    )
    made.__module__ = settings.__module__  # without it cyclopts sees no dataclass of ours
    return made


def _default(field: "dataclasses.Field[Any]") -> Any:
    return () if field.default is dataclasses.MISSING else field.default


def _as_declared(settings: type[Any], values: Any) -> Any:
    """Return settings of the source's own class, which workers and phases know."""
    return settings(
        **{field.name: getattr(values, field.name) for field in dataclasses.fields(settings)}
    )


def _open(path: str, source: str) -> Run:
    run = open_begun(path)
    if run.source != source:
        raise RunError(f"{path} is a run of {run.source}: explain {run.source} instead")
    return run


def _input_of(source: str, inputs: tuple[str, ...], file: str) -> str:
    """Return the setting that takes the file."""
    if source == "c4":
        wet = file == "-" or ".wet" in storage.basename(file) or explaining.is_text(file)
        return "wet" if wet else "input"
    if source == "books" and "books3" in file:
        return "books3"
    return inputs[0]


def _text(file: str, *, text: bool) -> str | None:
    """Return the plain text that a file holds; None if the file is an input of the source."""
    if not (text or explaining.is_text(file)):
        return None
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text("utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from error


def _nothing(document_id: str, record: int | None) -> str:
    if document_id:
        return f"no document of it has the id {document_id}"
    if record is not None:
        return f"it has no record {record}"
    return "it holds no document"


def __getattr__(name: str) -> Callable[..., int]:
    """Return the command of the source of that name, which is imported now."""
    if name not in SOURCE_BY_NAME:
        raise AttributeError(name)
    return command_of(SOURCE_BY_NAME[name])
