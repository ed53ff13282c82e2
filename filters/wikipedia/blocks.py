"""Split the lines of a page into headings, items of lists, preformatted lines and paragraphs."""

import re
from typing import Final

from filters.wikipedia.markers import (
    APOSTROPHE,
    BREAK,
    COLON,
    EMPTY,
    EQUALS,
    REMOVED,
)

try:
    from filters.wikipedia import _lines
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

_HEADING: Final = re.compile(r"(={2,6})([^=]++)\1(?!=)(.*)")  # with the text after it
_ABSOLUTE_VALUE: Final = re.compile(r"\|[^|\s][^|]*+\|(?!\|)")
_LINE_MARKS: Final = re.compile(r"[ \t]*+[*#]++(?=[ \t])")
_LIST_MARKS: Final = re.compile(r"[*#:;]++[ \t]*+(?:[*#:]++[ \t]++)*+")
_BLANK_RUN: Final = re.compile(rf"[ \t]{EMPTY}*+[ \t][ \t{EMPTY}]*+|\t")
_RULE: Final = re.compile("-{4,}+")
# An address may contain colons; a colon at its end does not belong to it.
_TERM_END: Final = re.compile(
    r"(?i:[a-z][a-z0-9+.-]{1,20}://|mailto:|news:|tel:)[^\s]*[^\s,;.:!?]|[ \t]*+:[ \t]*+"
)
_PLACEHOLDER: Final = re.compile(r"[\s.,:;!?…·•_*–—-]*+")  # noqa: RUF001  (an en dash)
_BLANKS: Final = f" \t{REMOVED}"
# A line is plain text if it begins with none of these: no mark, nothing that is stripped.
_NOT_PLAIN: Final = frozenset({"", *"=|*#:;-", *_BLANKS, BREAK, EMPTY})


# A heading's level and text, or 0 and a line; an empty line separates blocks.
Block = tuple[int, str]


def join_blocks(text: str, drop_sections: frozenset[str]) -> tuple[str, bool]:
    """Return the lines of a page without marks of lists and headings, and whether to tidy them.

    They need not be tidied if they have no entities, no open marks of templates, tables or links,
    no blanks before a line end and no two empty lines.

    Args:
        text: the page, with rendered constructs and without emphasis.
        drop_sections: casefolded headings of sections to leave out, subsections included.
    """
    if AVAILABLE and not drop_sections:
        return _lines.join_lines(text, _item, _parts, _is_row)
    blocks = without_empty_sections(blocks_of(text, drop_sections))
    joined = "\n".join(line for _, line in blocks).replace(EMPTY, "").replace(EQUALS, "=")
    return joined.replace(APOSTROPHE, "'").replace(COLON, ":"), True


def blocks_of(text: str, drop_sections: frozenset[str]) -> list[Block]:
    """Split the text into headings and lines, with one empty line between blocks."""
    lines = _Lines()
    dropped_level = 0  # of the heading of a section to leave out
    for line in text.split("\n"):
        first = line[:1]
        if first not in _NOT_PLAIN and not dropped_level:
            lines.add_plain(line)
        elif first == "=" and (heading := _heading(line)):
            level, title, rest = heading
            if not dropped_level or level <= dropped_level:
                dropped_level = level if title.casefold() in drop_sections else 0
                if not dropped_level:
                    lines.add_heading(level, title)
                    lines.add(rest)
        elif dropped_level or (first == "|" and _is_row(line)):
            continue
        else:
            _add_marked(lines, line)
    return lines.blocks


def _is_row(line: str) -> bool:
    """Tell whether a line with a bar is a row of a table whose start a template produced."""
    return not _ABSOLUTE_VALUE.match(line)


def _add_marked(lines: "_Lines", line: str) -> None:
    """Add a line that may begin with the mark of a list, a rule or a preformatted line."""
    first = line[:1]
    if first and first in "*#:;":
        lines.add_item(_item(line))
    elif line.startswith("=="):
        lines.add(line.lstrip("= "))  # a heading that is not closed
    elif first == "-":
        lines.add(_RULE.sub("", line, count=1))
    elif first == " ":
        lines.add(line[1:], preformatted=True)
    else:
        lines.add(line)


class _Lines:
    """A collector of the lines of a page, in order."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._parted = True  # the next line starts a block: no second empty line
        self._item = False  # the last line is an item of a list

    def add_heading(self, level: int, title: str) -> None:
        self._part()
        self.blocks += [(level, title), (0, "")]
        self._parted, self._item = True, False

    def add_item(self, item: str) -> None:
        if item:
            self._put(item, item=True)

    def add(self, line: str, *, preformatted: bool = False) -> None:
        line = line.rstrip(_BLANKS)
        if line[:1] == EMPTY:  # the text after it starts no block of its own
            line = line.lstrip(_BLANKS + EMPTY)
            if not line:
                return
        if line:
            self._put(line, item=False, preformatted=preformatted)
        else:
            self._part()

    def add_plain(self, line: str) -> None:
        """Add a line of plain text: what `add` does with it, in less time."""
        if BREAK in line:
            self.add(line)
            return
        self.blocks.append((0, _one_blank(line.rstrip(_BLANKS))))
        self._parted = self._item = False

    def _part(self) -> None:
        if not self._parted:
            self.blocks.append((0, ""))
            self._parted = True

    def _put(self, line: str, *, item: bool, preformatted: bool = False) -> None:
        if not preformatted:
            line = _one_blank(line)
        if BREAK in line:
            lines = [(0, part) for part in _parts(line)]
        else:
            lines = [(0, line)] if line else []
        if lines:
            if item and self._item and self._parted:
                self.blocks.pop()  # no empty line between items
            self.blocks += lines
            self._parted, self._item = False, item


def _parts(line: str) -> list[str]:
    """Return the lines that breaks make of a line; those without text are left out."""
    parts = (_LINE_MARKS.sub("", part).strip(_BLANKS) for part in line.split(BREAK))
    return [part for part in parts if part]


def _one_blank(line: str) -> str:
    """Return the line with one blank in place of several blanks or a tab."""
    return _BLANK_RUN.sub(" ", line) if "  " in line or "\t" in line or EMPTY in line else line


def _heading(line: str) -> tuple[int, str, str] | None:
    """Return a heading's level and title and the text after it, or None for another line."""
    line = line.rstrip(_BLANKS)
    before = len(line) - len(line.lstrip("="))
    after = len(line) - len(line.rstrip("="))
    if before == len(line):
        return None
    if after:
        level, rest = min(before, after, 6), ""
        title = line[level:-level]
    elif match := _HEADING.match(line):
        level, title, rest = len(match[1]), match[2], match[3].strip(_BLANKS)
    else:
        return None
    return level, _one_blank(title.replace(BREAK, " ").strip(_BLANKS)), rest


def _item(line: str) -> str:
    """Return a list item without its marks; a colon separates a term from its definition."""
    marks = _LIST_MARKS.match(line)
    assert marks
    text = line[marks.end() :]
    if marks[0].rstrip().endswith(";"):
        for end in _TERM_END.finditer(text):
            if end[0].strip() == ":":
                term, definition = text[: end.start()], text[end.end() :]
                return f"{term}: {definition}" if definition.strip(_BLANKS) else term
    return text.strip(_BLANKS)


def without_empty_sections(blocks: list[Block]) -> list[Block]:
    """Remove the headings of sections that hold no text, or only sections without text.

    Lines of dots and dashes are placeholders for missing text and do not count as text.
    """
    kept: list[Block] = []
    content = False  # whether there is text since the heading that comes next in the page
    next_level = 0  # of that heading
    section = 0  # where the lines of this section start in `kept`
    for level, line in reversed(blocks):
        if level == 0:
            content = content or not _PLACEHOLDER.fullmatch(line)
        elif line and (content or next_level > level):
            content, next_level = False, level
        else:
            # Its text, if any, goes to the section before.
            if not content:
                del kept[section:]
            if kept and not kept[-1][1]:
                kept.pop()
            continue
        kept.append((level, line))
        if level:
            section = len(kept)
    kept.reverse()
    return kept
