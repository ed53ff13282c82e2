"""Tell licence, copyright and generator notices from comments that document a file.

A comment is read in groups of lines: paragraphs, split further where a line begins a notice or a
tag (`@license`), since authors often write them without a blank line between. A group is a notice
by a cue of its own ("copyright", "licensed under", "do not edit"), or because it goes on from the
licence notice beside it ("Neither the name of ..."). What is left documents the file.
"""

import re
from collections.abc import Sequence
from typing import Final

# Texts are searched with their blanks collapsed; for all but the first pattern, in lower case.
# Prose has "copyright" in lower case; a notice begins with it, or has a capital.
_COPYRIGHT: Final = re.compile(
    r"""
      \b(?:Copyright|COPYRIGHT)\b | © | ^(?:</?)?copyright\b | \b(?:is|are)\ copyright(?:ed)?\b
    | \bcopyright(?:ed|s)? \ ? (?: : | \(c\) | \d | by\b | holder | owner | notice | law)
    """,
    re.VERBOSE,
)
_LEGAL_PHRASES: Final = (
    "all rights reserved", "copyleft", "general public license", "general public licence",
    "is free software", "permission is hereby granted", "permission to use and copy",
    "permission to use copy", "permission to use, copy", "placed in the public domain",
    "redistribution and use", "released into the public domain", "released to the public domain",
)  # fmt: skip
# Patterns are slow: each has a substring without which it cannot match.
_LEGAL_PATTERNS: Final = tuple(
    (hint, re.compile(pattern, re.VERBOSE))
    for hint, pattern in {
        "(c)": r"""
              \(c\) .{0,80}? \b(?:19|20)\d\d\b | \b(?:19|20)\d\d\b .{0,20}? \(c\) | ^\(c\) \s \w
            | \(c\)\ .{0,80}? \b(?:licen[sc]e | contributors | foundation | inc\b | ltd\b)
            """,
        "licen": r"""
              \blicen[sc]ed\ (?:under|to|by|for|with)\b | \blicen[sc]e \s* : | @licen[sc]e\b
            | \b(?:mit | bsd | apache | isc | zlib | mozilla\ public | at&t\ public)\ licen[sc]e
            | \b(?:see|view|in)\ (?:the\ )?(?:file\ )?["'`]?licen[sc]e\b
            | \b(?:under|governed\ by)\ .{0,60}? licen[sc]e
            """,
        "gpl": r"\bunder\ .{0,60}? \b[al]?gpl",
        "spdx": r"\bspdx-[a-z]",
        "warrant": r"\b(?:without|no)\ (?:any\ )? (?:express\ or\ implied\ )? warrant",
    }.items()
)
# Says nothing on its own; beside a licence notice it is part of it.
_CONTINUES: Final = re.compile(
    r"""
      ^(?:head\d\ )? (?:licen[sc]e | copyright) | (?:begin|end)\W{1,3}licen[sc]e
    | \b(?:the|this|own|chosen|following|public)\ licen[sc]e | /licen[sc]es?\b | sublicen[sc]
    | licen[sc]e(?:[,.;)] | \ (?:agreement|at\b|information|summary|terms|text|version|v\d))
    | \blicen[sc](?:ing|or)\b | copyright\ (?:notice|holder|owner|law|statement)
    | \bthe\ original\ code\b
    | permissions?\ (?:notice|is|are|described|granted|to\ use) | (?:written|special)\ permission
    | warrant | \bliab(?:le|ilit) | \bas[ -]is["'”] | provided\ as[ -]is | disclaim | merchantab
    | consequential\ damages | infring | endorse | redistribut | free\ software | \btrademark
    | following\ conditions | conditions\ of\ any\ kind | all\ copies
    | altered\ (?:source|from) | misrepresent | voluntary\ contributions | contributor\ agreement
    | \bthis\ file\ (?:is|was|has\ been)\ (?:(?:a\ )?part\ of|based\ on|derived|adapted|modified)
    """,
    re.VERBOSE,
)
_GENERATED_HINTS: Final = ("generated", "t edit", "not modify", "be edited")
_GENERATED: Final = re.compile(
    r"""
      \bdo\ not\ (?:edit|modify)\b | \bdon't\ edit\b | \bnot\ be\ edited\b
    | @generated\b | \bauto-?generated>
    | ^(?:(?:this|the|code|file|source|header|script|note|warning|[\w/-]+\.[\w.]*)[:!]?\ ){0,4}?
      (?:was\ |is\ |has\ been\ )? (?:auto(?:matically|-)?\ ?|machine[ -])?
      generated\ (?:by|from|with|using|on|at|automatically|code|file)\b
    | \bthis\ (?:[\w.-]+\ ){0,3}? (?:is|was|has\ been)\ (?:an?\ )? (?:[\w-]+\ )?
       (?:auto-?)? generated\b
    | \b(?:automatically|auto-|auto)\ ?generated\ (?:by|from|using|with)\b
    | \blost\ if\ the\ (?:code|file)\ is\ regenerated
    """,
    re.VERBOSE,
)
# Substrings of all the cues above: most comments have none and are not looked at further.
_HINTS: Final = (
    "copyright", "©", "rights reserved", "copyleft", "general public", "free software",
    "permission", "public domain", "redistribution", *_GENERATED_HINTS,
    *(hint for hint, _ in _LEGAL_PATTERNS),
)  # fmt: skip
# A line that begins a group even where no blank line stands before it, besides
# `_METADATA_FIELD`.
_BEGINS_GROUP: Final = re.compile(
    r"""
      @\w | :\w++: | </?\w++[ >]
    | copyright\b(?!\ (?:notice|holder|owner|law)) | \(c\)\s | © | spdx- | all\ rights\ reserved
    | licen[sc]e\s*: | licen[sc]ed\ (?:under|to|by)\b | this\ file\ is\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Who, when and where: lines that say nothing about the code. Those of the first kind begin a group.
_METADATA_FIELD: Final = re.compile(
    r"""
      @(?:authors?|copyright|licen[sc]e|date|version|link|preserve)\b
    | (?:authors?|contributors?|maintainers?|copyright|date|created|modified|updated|version|e-?mail
       |url|website|homepage|contact|file|filename|project|company|source) \s* :
    | (?:written|created|contributed|modified|maintained|updated)\ by\b | released\ on\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S++$|<?[\w.+-]++@[\w.-]++>?$", re.IGNORECASE)
_FILE_PATH: Final = re.compile(r"[\w/@+-]++(?:\.\w++)++$")
_NOTICE_LINE: Final = re.compile(r"copyright\b|\(c\)\ |©|spdx-|\.$", re.IGNORECASE)
_HAS_WORD: Final = re.compile(r"[^\W_]|©")
_TITLE_MAX_WORDS: Final = 9  # of a line right above a notice: "htop - Row.c", "Chart.js v3.0"
_NAME_MAX_WORDS: Final = 3
_NAMES_A_RELEASE: Final = re.compile(r"\w\.\w{1,4}\b|\b\d+\.\d|://")  # file, version, address
_SENTENCE_MIN_WORDS: Final = 4
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
    lowered = " ".join(contents).lower()
    if not any(hint in lowered for hint in _HINTS):
        return flags
    groups, attached = _split_groups(contents)
    texts = [" ".join(" ".join(contents[i] for i in group).split()) for group in groups]
    legal = list(map(_is_legal, texts))

    def goes_on(number: int) -> bool:
        return _goes_on(texts[number], [contents[i] for i in groups[number]], file_name)

    for i in range(1, len(groups)):
        legal[i] = legal[i] or (legal[i - 1] and goes_on(i))
    for i in range(len(groups) - 2, -1, -1):
        if legal[i + 1] and not legal[i]:
            between_notices = i > 0 and legal[i - 1] and attached[i]
            legal[i] = goes_on(i) or (attached[i + 1] and (between_notices or _is_title(texts[i])))
    written_by_hand = False
    generated = False
    for group, text, is_legal in zip(groups, texts, legal, strict=True):
        if not is_legal:
            # What comes after a generator's first words is how to run it, up to the comment's end.
            generated = _names_a_generator(text) or (generated and not written_by_hand)
            written_by_hand |= not generated
        if is_legal or generated:
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
        if _names_a_generator(" ".join(undecorated(line).split())):
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
    if not _HAS_WORD.search(line):
        return ""
    return line.lstrip(" \t/*#;%!'\"|=~+-.{").rstrip(" \t\r/*#|=~+-")


def _is_legal(text: str) -> bool:
    lowered = text.lower()
    return (
        (("copyright" in lowered or "©" in text) and _COPYRIGHT.search(text) is not None)
        or any(phrase in lowered for phrase in _LEGAL_PHRASES)
        or any(hint in lowered and pattern.search(lowered) for hint, pattern in _LEGAL_PATTERNS)
    )


def _names_a_generator(text: str) -> bool:
    lowered = text.lower()
    if not any(hint in lowered for hint in _GENERATED_HINTS):
        return False
    return _GENERATED.search(lowered) is not None


def _split_groups(lines: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
    """Return the groups' line numbers, and whether a group follows the one before at once."""
    groups: list[list[int]] = []
    attached: list[bool] = []
    inside = False
    for i, line in enumerate(lines):
        if not line:
            inside = False
        elif inside and not _begins_group(line, lines[i - 1]):
            groups[-1].append(i)
        else:
            groups.append([i])
            attached.append(inside)
            inside = True
    return groups, attached


def _begins_group(line: str, line_above: str) -> bool:
    """Tell whether a group begins on a line although the one above is not empty."""
    if _BEGINS_GROUP.match(line) or _METADATA_FIELD.match(line):
        return True
    # "Copyright 2020 The Authors" / "This script builds the documentation."
    words = line.split()
    return (
        len(words) >= _SENTENCE_MIN_WORDS
        and line[0].isupper()
        and 2 * sum(word[0].islower() for word in words) >= len(words)
        and _NOTICE_LINE.search(line_above) is not None
    )


def _goes_on(text: str, lines: Sequence[str], file_name: str) -> bool:
    """Tell whether the group beside a licence notice belongs to it."""
    if _CONTINUES.search(text.lower()):
        return True
    continued = False  # a list of authors goes on behind a comma
    for line in lines:
        if not (continued or _METADATA_FIELD.match(line) or _ADDRESS.match(line)):
            break
        continued = line.endswith(",")
    else:
        return True
    if _FILE_PATH.match(text):
        return True
    return bool(file_name) and file_name in text and len(text.split()) <= _FILE_NAME_MAX_WORDS


def _is_title(text: str) -> bool:
    """Tell a name above a notice from a phrase about the code."""
    words = len(text.split())
    if words > _TITLE_MAX_WORDS or text.endswith((".", "!", "?", ":")):
        return False
    if text.startswith(("@", "<", ":")):
        return False
    return words <= _NAME_MAX_WORDS or _NAMES_A_RELEASE.search(text) is not None
