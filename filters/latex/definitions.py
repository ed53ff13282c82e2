r"""Definitions: every form of the table of docs/rules/sources.md 4.6, read from a text.

Each function reads one form after its command word. It returns what the form defines and leaves the
reader after it, or returns None where the text is no such definition; the caller then puts the
reader back.
"""

import re
from dataclasses import dataclass

from filters.latex.macros import NO_VALUE, Macro, Parameter, make_macro
from filters.latex.tokens import Reader, skip_blanks

_PARAMETER = re.compile(r"\\[\s\S]|#([1-9])")
MANDATORY = Parameter("mandatory")


def _star(reader: Reader) -> bool:
    return reader.take("*")


def _signature(reader: Reader) -> list[Parameter] | None:
    """Read ``[n][default]``."""
    number = reader.option()
    if number is None:
        return []
    number = number.strip()
    if not (len(number) == 1 and number.isascii() and number.isdigit()):
        return None
    parameters = [MANDATORY] * int(number)
    if parameters and (default := reader.option()) is not None:
        parameters[0] = Parameter("optional", default)
    return parameters


def _body(reader: Reader) -> str | None:
    r"""Read a body: a group, or one token as in ``\newcommand\x\y``."""
    group = reader.group()
    if group is not None:
        return group
    return reader.token() if reader.text[skip_blanks(reader.text, reader.pos)] != "{" else None


def read_newcommand(reader: Reader) -> Macro | None:
    r"""Read what follows ``\newcommand`` and its relatives."""
    _star(reader)
    name = reader.name()
    if not name:
        return None
    parameters = _signature(reader)
    if parameters is None or not reader.text[reader.pos : reader.pos + 1000].strip():
        return None
    body = _body(reader)
    if body is None:
        return None
    return make_macro(name, parameters, body, at_is_letter=reader.at_is_letter)


def read_def(reader: Reader) -> Macro | None:
    r"""Read what follows ``\def``: a name, a parameter text, a body."""
    name = reader.control()
    if not name:
        return None
    opening = _opening_brace(reader)
    if opening < 0:
        return None
    parameter_text = reader.text[reader.pos : opening]
    if name[1].isalpha():
        parameter_text = parameter_text.lstrip(" \t\n")
    reader.pos = opening
    body = reader.group()
    if body is None:
        return None
    parameters = _parameter_text(parameter_text)
    if parameters is None:
        return Macro(name, (), unsupported="parameter_text")
    return make_macro(name, parameters, body, at_is_letter=reader.at_is_letter)


_MAX_PARAMETER_TEXT = 500  # characters: what is longer is no definition that anybody writes


def _opening_brace(reader: Reader) -> int:
    for match in re.compile(r"\\[\s\S]|[{}]").finditer(
        reader.text, reader.pos, reader.pos + _MAX_PARAMETER_TEXT
    ):
        if match[0] == "{":
            return match.start()
        if match[0] == "}":
            return -1
    return -1


def _parameter_text(text: str) -> list[Parameter] | None:
    """Cut a parameter text into what a call must look like; None where it is not understood."""
    places = [match for match in _PARAMETER.finditer(text) if match[1]]
    if [int(match[1]) for match in places] != list(range(1, len(places) + 1)) or text.endswith("#"):
        return None
    prefix = text[: places[0].start()] if places else text
    parameters = [Parameter("literal", prefix)] if prefix else []
    ends = [*(match.start() for match in places[1:]), len(text)]
    for match, end in zip(places, ends, strict=False):
        delimiter = text[match.end() : end]
        parameters.append(Parameter("delimited", delimiter) if delimiter else MANDATORY)
    return parameters


def read_let(reader: Reader) -> tuple[str, str] | None:
    r"""Read what follows ``\let``: a name, and what it is to mean (a token)."""
    name = reader.name() if reader.peek() == "{" else reader.control()
    if not name:
        return None
    reader.take("=")
    meaning = reader.control()
    if not meaning:
        at = skip_blanks(reader.text, reader.pos)
        meaning = reader.text[at : at + 1]
        if not meaning or meaning in "{}\n\x01\x02\x03#":
            return None
        reader.pos = at + 1
    return name, meaning


def read_operator(reader: Reader) -> Macro | None:
    r"""Read what follows ``\DeclareMathOperator``."""
    star = "*" if _star(reader) else ""
    name = reader.name()
    text = reader.group() if name else None
    if text is None:
        return None
    return make_macro(name, (), f"\\operatorname{star}{{{text}}}", at_is_letter=reader.at_is_letter)


_XPARSE = re.compile(r"\s*(?:([mos])|(O)\s*(\{)|([+!>]))")


def read_document_command(reader: Reader) -> Macro | None:
    r"""Read what follows ``\NewDocumentCommand``: a name, argument types, a body."""
    name = reader.name()
    types = reader.group() if name else None
    body = reader.group() if types is not None else None
    if types is None or body is None:
        return None
    parameters = document_signature(types)
    if parameters is None:
        return Macro(name, (), unsupported="argument_type")
    return make_macro(name, parameters, body, at_is_letter=reader.at_is_letter)


def document_signature(types: str) -> list[Parameter] | None:
    """Return the parameters of xparse's types ``m o O{d} s``; None where there are others."""
    parameters = []
    reader = Reader(types)
    while types[reader.pos :].strip():
        match = _XPARSE.match(types, reader.pos)
        if not match or match[4] == "!" or match[4] == ">":
            return None
        reader.pos = match.end()
        if match[1] == "m":
            parameters.append(MANDATORY)
        elif match[1] == "o":
            parameters.append(Parameter("optional", NO_VALUE))
        elif match[1] == "s":
            parameters.append(Parameter("star"))
        elif match[2]:
            reader.pos = match.end() - 1
            default = reader.group()
            if default is None:
                return None
            parameters.append(Parameter("optional", default))
    return parameters


def read_paired_delimiter(reader: Reader) -> Macro | None:
    r"""Read what follows ``\DeclarePairedDelimiter``: ``\abs{x}`` is ``\lvert x\rvert``."""
    name = reader.name()
    left = reader.group() if name else None
    right = reader.group() if left is not None else None
    if left is None or right is None:
        return None
    # star: \left and \right; an option: a size, before both
    body = f"\\IfBooleanTF{{#1}}{{\\left{left} #3\\right{right}}}{{#2{left} #3#2{right}}}"
    parameters = (Parameter("star"), Parameter("optional", ""), MANDATORY)
    return make_macro(name, parameters, body, at_is_letter=True)


@dataclass(slots=True)
class Environment:
    r"""An environment of a paper: what its ``\begin`` and its ``\end`` become."""

    begin: Macro
    end: Macro


def read_environment(reader: Reader) -> tuple[str, Environment | None] | None:
    r"""Read what follows ``\newenvironment``; the environment is None if its bodies are odd."""
    _star(reader)
    name = reader.group()
    if name is None:
        return None
    parameters = _signature(reader)
    begin = reader.group() if parameters is not None else None
    end = reader.group() if begin is not None else None
    if parameters is None or begin is None or end is None:
        return None
    name = name.strip()
    opening = make_macro(name, parameters, begin, at_is_letter=reader.at_is_letter)
    closing = make_macro(name, (), end, at_is_letter=reader.at_is_letter)
    return name, Environment(opening, closing) if opening and closing else None
