"""From rendered wikitext to lines of plain text: what is left once templates, links and tables are.

External links, behaviour switches and language variants are replaced in the whole text; headings,
lists and apostrophes line by line. Then the gaps that removals left are closed and headings without
content go (spec/sources.md, sections 2.3, 2.4 and 2.6).

Blanks in running text become one, whoever made them: a browser shows one, so that is what readers
of the page see, and writers do not notice a second. Code, `<pre>` and `<nowiki>`, which are put
aside, and lines that begin with a blank, which MediaWiki shows as they are, keep all of theirs.
"""

import re
from functools import partial
from typing import Final

from filters.wikipedia.entities import decode_entities
from filters.wikipedia.gaps import repair_gaps
from filters.wikipedia.markers import (
    BLOCK,
    BREAK,
    EMPTY,
    EQUALS,
    REMOVED,
    STRAY_LINK,
    STRAY_TABLE,
    STRAY_TEMPLATE,
)
from filters.wikipedia.sites import Site, fold

_SCHEME: Final = (
    r"(?:https?|ftps?|sftp|ircs?|gopher|telnet|nntp|worldwind|svn|git|mms|ssh)://|//|mailto:|news:|"
    rf"magnet:|tel:|sms:|xmpp:|sip:|urn:|geo:|bitcoin:|{REMOVED}"
)
# A label may hold a few pairs of brackets; it ends with its line.
_EXTERNAL_LINK: Final = re.compile(
    rf"\[(?i:{_SCHEME})[^\s\[\]]*+(?:[ \t]++([^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+){{0,3}}))?\]"
)
_LEFT_OPEN: Final = re.compile(r"\{[{|]++|\[\[++")
_LEFT_OVER: Final = re.compile(r"\{[{|]++|\[\[++|''++")
_MAX_ROUNDS: Final = 10
_CLOSING: Final = re.compile(r"\]\]")
_MAX_BRACKETED_CHARS: Final = 200  # how far back an opening bracket is looked for
_SWITCH: Final = re.compile(r"__((?!_)\w{2,40}?)__(?!_)")
_VARIANT: Final = re.compile(r"-\{([^{}]*+)\}-")
_VARIANT_FLAGS: Final = re.compile(r"[ \t]*+[A-Z](?:[ \t]*+;[ \t]*+[A-Z])*+[ \t]*+\|")
_VARIANT_RULE: Final = re.compile(r"\s*+[a-z]{2,3}(?:-[a-z]+)?+\s*+:(.*)", re.DOTALL)
_HEADING: Final = re.compile(r"(={2,6})([^=]++)\1(?!=)(.*)")  # with text behind it
_ABSOLUTE_VALUE: Final = re.compile(r"\|[^|\s][^|]*+\|(?!\|)")
_LINE_MARKS: Final = re.compile(r"[ \t]*+[*#]++(?=[ \t])")
_APOSTROPHES: Final = re.compile("''++")
_LIST_MARKS: Final = re.compile(r"[*#:;]++[ \t]*+(?:[*#:]++[ \t]++)*+")
_BLANK_RUN: Final = re.compile(rf"[ \t]{EMPTY}*+[ \t][ \t{EMPTY}]*+|\t")
_RULE: Final = re.compile("-{4,}+")
_STRAYS: Final = re.compile(f"[{STRAY_LINK}{STRAY_TEMPLATE}{STRAY_TABLE}]")
_FILE_LINK: Final = re.compile(r"[ \t]*+([^\n|:\[\]]{1,40}):[^\n]*+")
_TERM_END: Final = re.compile(r"[ \t]*+:(?!//)[ \t]*+")
_BLANK_LINES: Final = re.compile("\n{3,}+")
_BLANKS: Final = f" \t{REMOVED}"
_TRAILING_BLANKS: Final = re.compile(r"(?<![ \t])[ \t]++(?=\n|\Z)")


def lay_out(text: str, site: Site, drop_sections: frozenset[str]) -> str:
    """Return the lines of a page's text; pieces put aside are still markers in it.

    Args:
        text: what a parser made of the page.
        site: the wiki's names.
        drop_sections: casefolded headings of sections to leave out, subsections included.
    """
    text = text.replace(BLOCK, "\n").replace("\xa0", " ").replace("&nbsp;", " ")
    text = text.replace("&#160;", " ").replace("&#32;", " ")
    if _STRAYS.search(text):
        text = _clear_strays(text, site)
    if "-{" in text:
        for _ in range(_MAX_ROUNDS):  # variants in variants
            if not _VARIANT.search(text):
                break
            text = _VARIANT.sub(_variant, text)
    text = _EXTERNAL_LINK.sub(_external_link, text)
    if "]]" in text:
        text = _CLOSING.sub(_closing, text)
    if "__" in text:
        text = _SWITCH.sub(partial(_switch, site.behaviour_switches), text)
    text = repair_gaps(_LEFT_OPEN.sub(REMOVED, text))
    blocks = _without_empty_sections(_blocks(text, drop_sections))
    joined = "\n".join(line for _, line in blocks).replace(EMPTY, "").replace(EQUALS, "=")
    return _tidy(joined)


def _tidy(text: str) -> str:
    """Decode entities, and remove what no line or page should hold."""
    for _ in range(_MAX_ROUNDS):  # marks that came together when what stood between them went
        if not _LEFT_OVER.search(text):
            break
        text = _LEFT_OVER.sub("", text)
    text = decode_entities(text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING_BLANKS.sub("", text)
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip()


def _external_link(match: re.Match[str]) -> str:
    label = match[1]
    return label if label and label.strip() else REMOVED


def _closing(match: re.Match[str]) -> str:
    """Remove brackets that close nothing: `a[b[1]]` keeps its own."""
    line = match.string[max(0, match.start() - _MAX_BRACKETED_CHARS) : match.start()]
    line = line[line.rfind("\n") + 1 :]
    return match[0] if line.count("[") - line.count("]") >= 2 else REMOVED


def _switch(switches: frozenset[str], match: re.Match[str]) -> str:
    """Remove a behaviour switch: one that the site knows, or any word in capitals."""
    word = match[1]
    capitals = word == word.upper() != word.lower()
    return REMOVED if capitals or match[0].casefold() in switches else match[0]


def _variant(match: re.Match[str]) -> str:
    """Return the first variant of `-{sr-ec:A; sr-el:B}-`, or the text of `-{X}-`."""
    content = match[1]
    flags = _VARIANT_FLAGS.match(content)
    if flags:
        if set(flags[0]) & set("HT-"):  # rules for the page or its title: they show nothing
            return REMOVED
        content = content[flags.end() :]
    rule = _VARIANT_RULE.match(content.partition(";")[0])
    return rule[1].strip() if rule else content


def _clear_strays(text: str, site: Site) -> str:
    """Remove what is plainly no text behind marks without an end (spec/sources.md, section 2.7)."""
    unlinked = site.file_names | site.category_names | site.language_codes
    pieces = _STRAYS.split(text)
    marks = _STRAYS.findall(text)
    out = [pieces[0], REMOVED]
    for mark, piece in zip(marks, pieces[1:], strict=True):
        if mark == STRAY_LINK:
            out.append(_clear_link(piece, unlinked))
        else:
            out.append(_clear_rows(piece, table=mark == STRAY_TABLE))
        out.append(REMOVED)
    out.pop()
    return "".join(out)


def _clear_link(piece: str, unlinked: frozenset[str]) -> str:
    """Remove the target of a link: a file's, with its options, or what stands before the bar."""
    line, newline, rest = piece.partition("\n")
    match = _FILE_LINK.match(line)
    if match and fold(match[1]) in unlinked:
        line = line.rpartition("|")[2] if "|" in line else ""
    else:
        target, bar, label = line.partition("|")
        line = label if bar else target
    return line + newline + rest


def _clear_rows(piece: str, *, table: bool) -> str:
    """Remove the lines of the paragraph that are rows of a table or arguments of a template."""
    lines = piece.split("\n")
    marks = ("|", "!") if table else ("|",)
    rows = len(lines) > 1 and lines[1].lstrip().startswith(marks)
    first = "" if rows or (table and "=" in lines[0]) else lines[0]
    kept = [first]
    number = 1
    while number < len(lines):
        line = lines[number].lstrip()
        if not line and not "".join(lines[number + 1 : number + 2]).lstrip().startswith(marks):
            break
        if line and not line.startswith(marks):
            kept.append(lines[number])
        number += 1
    return "\n".join(kept + lines[number:])


_Block = tuple[int, str]  # a heading's level and text, or 0 and a line; an empty line parts blocks


def _blocks(text: str, drop_sections: frozenset[str]) -> list[_Block]:
    """Split the text into headings and lines, with one empty line where blocks part."""
    lines = _Lines()
    dropped_level = 0  # of the heading of a section to leave out
    for line in text.split("\n"):
        first = line[:1]
        if first == "=" and (heading := _heading(line)):
            level, title, rest = heading
            if not dropped_level or level <= dropped_level:
                dropped_level = level if title.casefold() in drop_sections else 0
                if not dropped_level:
                    lines.add_heading(level, title)
                    lines.add(rest)
        elif dropped_level or (first == "|" and not _ABSOLUTE_VALUE.match(line)):
            continue  # "|": a row of a table whose start a template made
        elif first and first in "*#:;":
            lines.add_item(_item(line))
        elif line.startswith("=="):
            lines.add(line.lstrip("= "))  # a heading that is not closed
        elif first == "-":
            lines.add(_RULE.sub("", line, count=1))
        elif first == " ":
            lines.add(line[1:], preformatted=True)
        else:
            lines.add(line)
    return lines.blocks


class _Lines:
    """The lines of a page, as they come."""

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
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
        if line:
            self._put(line, item=False, preformatted=preformatted)
        else:
            self._part()

    def _part(self) -> None:
        if not self._parted:
            self.blocks.append((0, ""))
            self._parted = True

    def _put(self, line: str, *, item: bool, preformatted: bool = False) -> None:
        if "''" in line:
            emphasized = line.startswith("''")
            line = _strip_apostrophes(line)
            line = line.strip(_BLANKS) if emphasized else line.rstrip(_BLANKS)
        if not preformatted:
            line = _one_blank(line)
        if BREAK in line:
            parts = (_LINE_MARKS.sub("", part).strip(_BLANKS) for part in line.split(BREAK))
            lines = [(0, part) for part in parts if part]
        else:
            lines = [(0, line)] if line else []
        if lines:
            if item and self._item and self._parted:
                self.blocks.pop()  # no empty line between items
            self.blocks += lines
            self._parted, self._item = False, item


def _one_blank(line: str) -> str:
    """Return the line with one blank where there are more, or a tab."""
    return _BLANK_RUN.sub(" ", line) if "  " in line or "\t" in line or EMPTY in line else line


def _heading(line: str) -> tuple[int, str, str] | None:
    """Return the level and title of a heading, and what follows it; None if the line is none."""
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
    title = title.replace(BREAK, " ").strip(_BLANKS)
    return level, _one_blank(_strip_apostrophes(title) if "''" in title else title), rest


def _item(line: str) -> str:
    """Return an item of a list without its marks; a term and its definition part with a colon."""
    marks = _LIST_MARKS.match(line)
    assert marks
    text = line[marks.end() :]
    if marks[0].rstrip().endswith(";") and (end := _TERM_END.search(text)):
        term, definition = text[: end.start()], text[end.end() :]
        return f"{term}: {definition}" if definition.strip(_BLANKS) else term
    return text.strip(_BLANKS)


def _strip_apostrophes(line: str) -> str:
    """Remove the marks of bold and italics from a line, as MediaWiki pairs them.

    >>> _strip_apostrophes("l'''arbre'' et '''l'eau'''")
    "l'arbre et l'eau"
    """
    runs = [len(run) for run in _APOSTROPHES.findall(line)]
    bold = sum(run != 2 for run in runs)
    italic = sum(run in {2, 5} or run > 5 for run in runs)
    if bold % 2 and italic % 2:
        return _unpaired_apostrophes(line)
    if any(run not in {2, 3, 5} for run in runs):
        return _APOSTROPHES.sub(_literal_apostrophes, line)
    return _APOSTROPHES.sub("", line)


def _literal_apostrophes(match: re.Match[str]) -> str:
    """Return what a run shows: four are an apostrophe and bold; of more than five, none is text."""
    return "'" if len(match[0]) == 4 else ""


def _unpaired_apostrophes(line: str) -> str:
    """Remove the marks where one run of three is an apostrophe and the start of italics."""
    candidates: dict[str, int] = {}
    for match in _APOSTROPHES.finditer(line):
        if len(match[0]) in {3, 4}:
            before = line[max(0, match.start() - 2) : match.start()].rjust(2)
            if before[1] == " ":
                kind = "blank"
            elif before[0] == " ":
                kind = "letter"
            else:
                kind = "word"
            candidates.setdefault(kind, match.start())
    chosen = next((candidates[k] for k in ("letter", "word", "blank") if k in candidates), -1)
    return _APOSTROPHES.sub(lambda m: "'" if m.start() == chosen else _literal_apostrophes(m), line)


def _without_empty_sections(blocks: list[_Block]) -> list[_Block]:
    """Leave out headings of sections without text, and of those that hold only such sections."""
    kept: list[_Block] = []
    content = False  # since the heading that comes next in the text
    next_level = 0  # of that heading
    for level, line in reversed(blocks):
        if level == 0:
            content = content or bool(line)
        elif line and (content or next_level > level):
            content, next_level = False, level
        else:
            # Its text, if any, goes to the section before.
            if kept and not kept[-1][1]:
                kept.pop()
            continue
        kept.append((level, line))
    kept.reverse()
    return kept
