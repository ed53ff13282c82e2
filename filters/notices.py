"""Tell licence, copyright and generator notices from comments that document a file.

A comment is read in groups of lines: paragraphs, split further where a line begins a notice or a
tag (`@license`), since authors often write them without a blank line between. A group is a notice
by a cue of its own ("copyright", "licensed under", "do not edit"), or because it goes on from the
licence notice beside it ("Neither the name of ..."). What is left documents the file.
"""

import re
from collections.abc import Sequence
from typing import Final

# Nothing is searched further in a comment without one of these.
_HINTS: Final = (
    "licen", "copyright", "(c)", "©", "generated", "rights reserved", "spdx", "not edit",
    "warrant", "redistribut", "permission", "copyleft", "general public", "not modify",
)  # fmt: skip

# A group's text is lower-cased and its blanks are collapsed before these are searched.
_LEGAL: Final = re.compile(
    r"""
      copyright | copyleft | ©
    | \(c\) .{0,80}? \b(?:19|20)\d\d\b | \b(?:19|20)\d\d\b .{0,20}? \(c\) | ^\(c\) \s \w
    | all\ rights\ reserved
    | spdx-licen[sc]e-identifier
    | \blicen[sc]ed\ (?:under|to|by|for|with)\b
    | \bunder\ .{0,60}? (?: licen[sc]e | \b[al]?gpl | public\ domain )
    | \bgoverned\ by\ .{0,60}? licen[sc]e
    | \blicen[sc]e \s* : | @licen[sc]e\b
    | ^(?:the\ )? (?: mit | bsd | apache | isc | zlib | at&t\ public )\ licen[sc]e
    | apache\ licen[sc]e | gnu\ .{0,20}? general\ public | mozilla\ public\ licen[sc]e
    | \bis\ free\ software\b
    | permission\ is\ hereby\ granted | permission\ to\ use,?\ copy
    | redistribution\ and\ use
    | \bwithout\ (?:any\ )? (?:express\ or\ implied\ )? warrant
    | \bno\ warranty\b
    | \bplaced\ in\ the\ public\ domain | \breleased\ (?:in)?to\ the\ public\ domain
    """,
    re.VERBOSE,
)
# Says nothing on its own; beside a licence notice it is part of it.
_CONTINUES: Final = re.compile(
    r"""
      licen[sc] | copyright | warrant | \bliab | \bas[ -]is\b | endorse | redistribut | permission
    | free\ software | disclaim | infring | merchantab | following\ conditions | all\ copies
    | conditions\ of\ any\ kind | \bthis\ file\ is\ (?:a\ )?part\ of\b | altered\ (?:source|from)
    | misrepresent | consequential\ damages | contributor\ agreement | \btrademark
    """,
    re.VERBOSE,
)
_GENERATED: Final = re.compile(
    r"""
      \bdo\ not\ (?:edit|modify)\b | \bdon't\ edit\b | \bnot\ be\ edited\b
    | @generated\b | \bauto-?generated>
    | ^(?:[\w.-]+\ ){0,3}? (?:was\ |is\ |were\ |are\ )? (?:auto(?:matically|-)?\ ?|machine[ -])?
       generated\ (?:by|from|with|using|on|at|automatically|code|file)\b
    | \bthis\ (?:[\w.-]+\ ){0,3}? (?:is|was|has\ been)\ (?:an?\ )? (?:[\w-]+\ )?
       (?:auto-?)? generated\b
    | \b(?:automatically|auto-|auto)\ ?generated\ (?:by|from|using|with|file|code)\b
    | \blost\ if\ the\ (?:code|file)\ is\ regenerated
    """,
    re.VERBOSE,
)
# A line that begins a group even where no blank line stands before it.
_BEGINS_GROUP: Final = re.compile(
    r"@\w|:\w++:|</?\w++[ >]|copyright\b|\(c\)\s|©|spdx-|licen[sc]ed?\b|all\ rights|this\ file\ is\b",
    re.IGNORECASE,
)
# Who, when and where: lines that say nothing about the code.
_METADATA: Final = re.compile(
    r"""
      @(?:authors?|copyright|licen[sc]e|date|version|link|preserve)\b
    | (?:authors?|contributors?|maintainers?|copyright|date|created|modified|updated|version|e-?mail
       |url|website|homepage|contact|file|filename|project|company|source) \s* :
    | (?:written|created|contributed|modified|maintained|updated)\ by\b | released\ on\b
    | (?:https?://|www\.) \S++$ | <?[\w.+-]++@[\w.-]++>?$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_HAS_WORD: Final = re.compile(r"[^\W_]")
_TITLE_MAX_WORDS: Final = 9  # of a line right above a notice: "htop - Row.c", "Chart.js v3.0"
_FILE_NAME_MAX_WORDS: Final = 5  # "File: src/foo.c", in a group of its own
_FIRST_LINES: Final = 5


def notice_lines(lines: Sequence[str], file_name: str = "") -> list[bool | None]:
    """Say of each line of a comment whether it belongs to a notice.

    Args:
        lines: of one comment, without its markers.
        file_name: a line that only names the file belongs to the notice beside it.

    Returns:
        For each line True (notice), False (documents the file) or None (nothing to read on it).

    >>> notice_lines([" Copyright 2020 A", " ----", " Parses B."])
    [True, None, False]
    """
    contents = [undecorated(line) for line in lines]
    flags = [False if content else None for content in contents]
    lowered = "\n".join(contents).lower()
    if not any(hint in lowered for hint in _HINTS):
        return flags
    groups, attached = _split_groups(contents)
    texts = [" ".join(" ".join(contents[i] for i in group).split()) for group in groups]
    legal = [bool(_LEGAL.search(text.lower())) for text in texts]

    def goes_on(number: int) -> bool:
        return _goes_on(texts[number], [contents[i] for i in groups[number]], file_name)

    for i in range(1, len(groups)):
        legal[i] = legal[i] or (legal[i - 1] and goes_on(i))
    for i in range(len(groups) - 2, -1, -1):
        legal[i] = legal[i] or (
            legal[i + 1] and (goes_on(i) or (attached[i + 1] and _is_title(texts[i])))
        )
    for group, text, is_legal in zip(groups, texts, legal, strict=True):
        if is_legal or _GENERATED.search(text.lower()):
            for i in group:
                flags[i] = True
    return flags


def is_generated(text: str) -> bool:
    """Tell whether one of the first five lines says that a program wrote the file.

    >>> is_generated("// Code generated by protoc-gen-go. DO NOT EDIT.")
    True
    """
    position = 0
    for _ in range(_FIRST_LINES):
        end = text.find("\n", position)
        line = text[position : end if end >= 0 else len(text)]
        if _GENERATED.search(" ".join(undecorated(line).lower().split())):
            return True
        if end < 0:
            return False
        position = end + 1
    return False


def undecorated(line: str) -> str:
    """Return a comment's line without what frames it; "" if there is no letter or digit in it.

    >>> undecorated(" * Parses. */"), undecorated("# -----")
    ('Parses.', '')
    """
    return line.strip(" \t\r/*#;%!'\"|=~+-.:{}") if _HAS_WORD.search(line) else ""


def _split_groups(lines: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
    """Return the groups' line numbers, and whether a group follows the one before at once."""
    groups: list[list[int]] = []
    attached: list[bool] = []
    inside = False
    for i, line in enumerate(lines):
        if not line:
            inside = False
        elif inside and not _BEGINS_GROUP.match(line):
            groups[-1].append(i)
        else:
            groups.append([i])
            attached.append(inside)
            inside = True
    return groups, attached


def _goes_on(text: str, lines: Sequence[str], file_name: str) -> bool:
    """Tell whether the group beside a licence notice belongs to it."""
    if _CONTINUES.search(text.lower()) or all(map(_METADATA.match, lines)):
        return True
    return bool(file_name) and file_name in text and len(text.split()) <= _FILE_NAME_MAX_WORDS


def _is_title(text: str) -> bool:
    """Tell a name above a notice from a sentence about the code."""
    return (
        len(text.split()) <= _TITLE_MAX_WORDS
        and not text.endswith((".", "!", "?", ":"))
        and not text.startswith(("@", "<", ":"))
    )
