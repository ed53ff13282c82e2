"""Find the lines of a comment that are a notice, and those that document the file.

A comment is read in groups of lines: paragraphs, split further where a line begins a notice, a tag
(`@license`) or a sentence of another kind, since authors often write them without a blank line
between. A group is a notice by a cue of its own (`filters.github.notice_cues`,
`filters.github.generated`), or because it goes on from the licence notice beside it ("Neither the
name of ..."). What is left documents the file.
"""

import re
from collections.abc import Sequence
from typing import Final

from filters.github.comments import undecorated
from filters.github.generated import GENERATED_HINTS, names_a_generator
from filters.github.notice_cues import HINTS, continues, documents, is_legal

# A line that begins a group even where no blank line stands before it, besides
# `_METADATA_FIELD`.
_BEGINS_GROUP: Final = re.compile(
    r"""
      @\w | :\w++: | </?\w++[ >]
    | copyright\b(?!\ (?:notice|holder|owner|law)) | \(c\)\s | © | spdx- | all\ rights\ reserved
    | (?:usage|examples?|description|purpose|synopsis|summary|todo|arguments|parameters)\s*:
    | licen[sc]e\s*: | licen[sc]ed\ (?:under|to|by)\b | this\ file\ is\b
    | (?-i:Distributed|Released|Available|Published|Provided)\ under\b
    | [\w/-]+\.\w{1,6}\s*(?::|-|\u2013)\s\S
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
_NOTICE_WORDS: Final = ("copyright", "(c) ", "©", "spdx-")
_NOTICE_ENDS: Final = ("license", "licence", "reserved", "domain")
_CLOSING: Final = "\"')]"  # may stand behind a full stop
# A line that ends so has its sentence go on in the next one; "A" may be a name.
_OPEN_END: Final = re.compile(
    r"(?:[,&(]|\b(?:a|an|the|this|these|those|that|which|who|such|any|no|not|above|if|but|than|it|its"
    r"|their|and|or|of|by|to|for|in|on|at|from|with|as|upon|is|are|was|were|been|be|being|has|have"
    r"|had))$"
)
_TITLE_MAX_WORDS: Final = 9  # of a line right above a notice: "htop - Row.c", "Chart.js v3.0"
_NAME_MAX_WORDS: Final = 3
_NAMES_A_RELEASE: Final = re.compile(r"\w\.\w{1,4}\b|\b\d+\.\d|://")  # file, version, address
_SENTENCE_MIN_WORDS: Final = 4
_FILE_NAME_MAX_WORDS: Final = 5  # "File: src/foo.c", in a group of its own
_NAME_PARTS: Final = frozenset(
    {
        *("and", "of", "the", "by", "for", "von", "van", "de", "der", "la", "du", "et", "al."),
        *("others", "others.", "authors", "authors.", "contributors", "contributors.", "reserved."),
        *("rights", "inc.", "ltd.", "co."),
    }
)
_LABELS: Final = frozenset({"file", "filename", "name", "module", "script", "version", "of", "the"})


def notice_lines(
    lines: Sequence[str],
    file_name: str = "",
    *,
    docstring: bool = False,
    contents: Sequence[str] | None = None,
) -> list[bool | None]:
    """Return for each line of a comment whether it belongs to a notice.

    Args:
        lines: of one comment, without its markers.
        file_name: a line that only names the file belongs to the notice beside it.
        docstring: of the lines of a docstring that is not a notice as a whole, only those that
            begin as a notice belong to one.
        contents: the lines undecorated, if the caller has them already.

    Returns:
        For each line True (notice), False (documents the file) or None (nothing to read on it).

    >>> notice_lines([" Copyright 2020 A", " ----", " Parses B."])
    [True, None, False]
    """
    contents = contents or [undecorated(line) for line in lines]
    flags = [False if content else None for content in contents]
    lowered = " ".join(contents).lower()
    if not any(map(lowered.__contains__, HINTS)):
        return flags
    may_be_generated = any(map(lowered.__contains__, GENERATED_HINTS))
    groups, attached = _split_groups(contents, generated=may_be_generated)
    texts = [" ".join(" ".join(contents[i] for i in group).split()) for group in groups]
    examples = _examples(lines, groups, texts)
    legal = [
        not example and is_legal(text, docstring=docstring)
        for text, example in zip(texts, examples, strict=True)
    ]

    def goes_on(number: int) -> bool:
        text = texts[number]
        return not examples[number] and _goes_on(
            text, [contents[i] for i in groups[number]], file_name
        )

    for i in range(1, len(groups)):
        legal[i] = legal[i] or (legal[i - 1] and goes_on(i))
    for i in range(len(groups) - 2, -1, -1):
        if legal[i + 1] and not legal[i]:
            between_notices = i > 0 and legal[i - 1] and attached[i] and not documents(texts[i])
            titled = attached[i + 1] and not docstring and not examples[i]
            legal[i] = goes_on(i) or (titled and (between_notices or _is_title(texts[i])))
    written_by_hand = False
    generated = False
    for group, text, is_notice in zip(groups, texts, legal, strict=True):
        if not is_notice:
            # What comes after a generator's first words is how to run it, up to the comment's end.
            names = may_be_generated and names_a_generator(text)
            names = names and not (docstring and written_by_hand)
            generated = names or (generated and not written_by_hand)
            written_by_hand |= not generated
        if is_notice or generated:
            for i in group:
                flags[i] = True
    return flags


def _examples(
    lines: Sequence[str], groups: Sequence[Sequence[int]], texts: Sequence[str]
) -> list[bool]:
    """Return whether each group is an example: indented, below a sentence that ends in ":"."""
    examples = [False] * len(groups)
    indentation = [len(lines[group[0]]) - len(lines[group[0]].lstrip()) for group in groups]
    base: int | None = None
    for i in range(1, len(groups)):
        if base is None and texts[i - 1].endswith(":") and not is_legal(texts[i - 1]):
            base = indentation[i - 1]
        if base is not None and indentation[i] > base:
            examples[i] = True
        else:
            base = None
    return examples


def _split_groups(lines: Sequence[str], *, generated: bool) -> tuple[list[list[int]], list[bool]]:
    """Return the groups' line numbers, and whether a group follows the one before at once."""
    groups: list[list[int]] = []
    attached: list[bool] = []
    inside = False
    for i, line in enumerate(lines):
        if not line:
            inside = False
        elif inside and not _begins_group(line, lines[i - 1], generated=generated):
            groups[-1].append(i)
        else:
            groups.append([i])
            attached.append(inside)
            inside = True
    return groups, attached


def _begins_group(line: str, line_above: str, *, generated: bool) -> bool:
    """Return whether a group begins on a line although the line above is not empty."""
    if _BEGINS_GROUP.match(line) or _METADATA_FIELD.match(line):
        # "... written by A and" / "maintained by B"
        return not (line[0].islower() and _OPEN_END.search(line_above))
    ended = line_above.rstrip(_CLOSING).endswith((".", "!", "?"))
    if line[0].islower():
        return ended and documents(line)
    if generated and names_a_generator(line):
        return True
    if not (ended or _is_notice_line(line_above)) or _OPEN_END.search(line_above):
        return False
    return documents(line) or (line[0].isupper() and _is_sentence(line))


def _is_notice_line(line: str) -> bool:
    """Return whether a line is part of a notice and may be its last."""
    lowered = line.lower()
    return lowered.endswith(_NOTICE_ENDS) or any(map(lowered.__contains__, _NOTICE_WORDS))


def _is_sentence(line: str) -> bool:
    """Return whether a line is a phrase such as "Main entry point.", and not part of a name."""
    words = line.split()
    if line.endswith(".") and any(map(_is_content, words)):
        return True
    lower_case = sum(word[0].islower() for word in words)
    return len(words) >= _SENTENCE_MIN_WORDS and 2 * lower_case >= len(words)


def _is_content(word: str) -> bool:
    """Return whether a word is one of a sentence, and not one that names also have ("of")."""
    return word.rstrip(".,").isalpha() and word[0].islower() and word not in _NAME_PARTS


def _goes_on(text: str, lines: Sequence[str], file_name: str) -> bool:
    """Return whether the group beside a licence notice belongs to it."""
    if documents(text):
        return False
    if continues(text):
        return True
    continued = False  # a list of authors goes on behind a comma
    for line in lines:
        if not (continued or _METADATA_FIELD.match(line) or _ADDRESS.match(line)):
            break
        continued = line.endswith(",")
    else:
        return True
    return _FILE_PATH.match(text) is not None or _only_names(text, file_name)


def _only_names(text: str, file_name: str) -> bool:
    """Return whether a line only names the file ("File: src/foo.c") and does not describe it."""
    if not file_name or file_name not in text or len(text.split()) > _FILE_NAME_MAX_WORDS:
        return False
    before, _, after = text.partition(file_name)
    words = [*before.split()[: None if before.endswith(" ") else -1], *after.split()]
    described = [word for word in words if word.isalpha() and word not in _LABELS]
    return not after.endswith(".") and sum(word.islower() for word in described) <= 1


def _is_title(text: str) -> bool:
    """Return whether a line above a notice is a name, and not a phrase about the code."""
    words = text.split()
    if len(words) > _TITLE_MAX_WORDS or text.endswith((".", "!", "?", ":")):
        return False
    if text.startswith(("@", "<", ":")) or documents(text):
        return False
    plain = sum(word.isalpha() and word.islower() for word in words[1:])
    if plain == 0 and len(words) <= _NAME_MAX_WORDS:
        return True
    return plain <= 1 and _NAMES_A_RELEASE.search(text) is not None
