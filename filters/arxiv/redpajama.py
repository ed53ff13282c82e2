r"""What RedPajama v1 does with the files of a paper, for comparison (docs/rules/sources.md 4.2).

Its known faults are part of it: no ``\input`` is followed, a file without a sectioning command
gives nothing, one file that is not UTF-8 drops the paper, macros with arguments stay, and a
comment takes the character before it along.
"""

import re
from collections.abc import Mapping

# "paragraph" and "subparagraph" are not told apart: a "|" is missing in the original, so that only
# both in a row would match.
_HEADS = ("chapter", "part", "section", "subsection", "subsubsection")
_HEAD = re.compile(
    "|".join(
        [
            *(rf"\\{name}\b\*?(?:\[.*?\])?\{{.*?\}}" for name in _HEADS),
            r"\\paragraph\b\*?(?:\[.*?\])?\{.*?\}\\subparagraph\b\*?(?:\[.*?\])?\{.*?\}",
        ]
    ),
    re.DOTALL,
)
_LINE_COMMENT = re.compile(r"^%.*\n?", re.MULTILINE)
_COMMENT = re.compile(r"[^\\]%.+$", re.MULTILINE)
_END = re.compile(
    r"\\appendix|\\begin\{references\}|\\begin\{REFERENCES\}|\\begin\{thebibliography\}"
    r"|\\bibliography\{.*\}"
)
_NEWCOMMAND = re.compile(r"\\newcommand\b\*?\{(\\[A-Za-z0-9]+?)\}\{(.*?)\}$", re.MULTILINE)
_DEF = re.compile(r"\\def\s*(\\[A-Za-z0-9]+?)\s*\{(.*?)\}$", re.MULTILINE)


def macros_of(text: str) -> dict[str, str]:
    r"""Return the macros without arguments of a file whose closing brace ends the line."""
    found = dict(_NEWCOMMAND.findall(text))
    found.update(_DEF.findall(text))
    return found


def cut_before_section(text: str) -> str:
    r"""Drop what comes before the first sectioning command; "" if there is none."""
    head = _HEAD.search(text)
    return text[head.start() :] if head else ""


def strip_comments(text: str) -> str:
    """Drop comment lines, and comments in lines with the character before them."""
    return _COMMENT.sub("", _LINE_COMMENT.sub("", text))


def cut_from_bibliography(text: str) -> str:
    r"""Drop everything from the first ``\appendix`` or bibliography on."""
    end = _END.search(text)
    return text[: end.start()] if end else text


def expand_macros(text: str, macros: Mapping[str, str]) -> str:
    """Put values in place of names, one after the other, also where they are defined."""
    for name, value in macros.items():
        if name in text:
            pattern = re.compile(re.escape(name) + r"(?=[^A-Za-z0-9])")
            text = pattern.sub(value.replace("\\", "\\\\"), text)
    return text


def clean_file(text: str, macros: Mapping[str, str]) -> str:
    r"""Clean one file; "" if it has no sectioning command."""
    text = strip_comments(cut_before_section(text))
    return expand_macros(cut_from_bibliography(text), macros)


def clean_papers(members: Mapping[str, bytes]) -> str | None:
    """Clean the ``.tex`` files of a paper one by one and join them in the order of the archive.

    Returns:
        the text, "" if no file has a section; None if a file is not UTF-8.
    """
    try:
        texts = [
            data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
            for name, data in members.items()
            if name.endswith(".tex")
        ]
    except UnicodeDecodeError:
        return None
    macros: dict[str, str] = {}
    for text in texts:
        macros |= macros_of(text)
    cleaned = [clean_file(text, macros) for text in texts]
    return "\n".join(text for text in cleaned if text)
