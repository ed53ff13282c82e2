"""Turn a page whose templates, links and tables are rendered into lines of plain text.

External links, behaviour switches and language variants are replaced in the whole text; headings,
lists and apostrophes line by line. Then the gaps that removals left are closed, and headings
without content are removed (docs/rules/sources.md 2.3, 2.4 and 2.6).

Several blanks in running text become one: a browser shows only one, so readers of the page see one,
and writers do not notice a second. Code, `<pre>` and `<nowiki>`, which are put aside, keep all
blanks, and so do lines that begin with a blank, which MediaWiki shows unchanged.
"""

import re
from functools import partial
from itertools import pairwise
from typing import Final

from filters.wikipedia.apostrophes import pair_apostrophes
from filters.wikipedia.blocks import join_blocks
from filters.wikipedia.entities import decode_entities
from filters.wikipedia.gaps import repair_gaps
from filters.wikipedia.markers import (
    BLOCK,
    BREAK,
    CITED,
    CITED_END,
    COLON,
    EMPTY,
    FIGURE,
    FRESH_LINE,
    JOINT,
    LOST,
    REMOVED,
    STRAY_LINK,
    STRAY_TABLE,
    STRAY_TEMPLATE,
)
from filters.wikipedia.scripts import resolve_scripts
from filters.wikipedia.site_data import fold
from filters.wikipedia.sites import Site

_CITATION: Final = re.compile(f"{CITED}([^{CITED}{CITED_END}\n]*+){CITED_END}")
_SCHEME: Final = (
    r"(?:https?|ftps?|sftp|ircs?|gopher|telnet|nntp|worldwind|svn|git|mms|ssh)://|//|mailto:|news:|"
    rf"magnet:|tel:|sms:|xmpp:|sip:|urn:|geo:|bitcoin:|{REMOVED}"
)
# An address ends at a blank, a bracket, a quote, a tag, or a mark of emphasis. Its label may hold a
# few pairs of brackets, and ends at the end of the line.
_EXTERNAL_LINK: Final = re.compile(
    rf"\[(?i:{_SCHEME})[^\s\[\]\"<>'{BREAK}]*+(?:'(?!')[^\s\[\]\"<>'{BREAK}]*+)*+"
    r"[ \t]*+([^\[\]\n]*+(?:\[[^\[\]\n]*+\][^\[\]\n]*+){0,3})\]"
)
_LEFT_OPEN: Final = re.compile(r"\{[{|]++|\[\[++")
_MAX_ROUNDS: Final = 10
# Links are rendered before this: such brackets come from a template and the text around it.
_DOUBLED: Final = re.compile(r"\[\[([^\[\]\n]{1,200})\]\]")
_CLOSING: Final = re.compile(r"\]\]")
_MAX_REMARK_CHARS: Final = 200  # how far after a citation a remark is searched
_MAX_BRACKETED_CHARS: Final = 200  # how far back an opening bracket is searched
_SWITCH: Final = re.compile(r"__((?!_)\w{2,40}?)__(?!_)")
_VARIANT: Final = re.compile(r"-\{([^{}]*+)\}-")
_VARIANT_FLAGS: Final = re.compile(r"[ \t]*+[A-Z](?:[ \t]*+;[ \t]*+[A-Z])*+[ \t]*+\|")
_VARIANT_RULE: Final = re.compile(r"\s*+[a-z]{2,3}(?:-[a-z]+)?+\s*+:(.*)", re.DOTALL)
_STRAYS: Final = re.compile(f"[{STRAY_LINK}{STRAY_TEMPLATE}{STRAY_TABLE}]")
_FILE_LINK: Final = re.compile(r"[ \t]*+([^\n|:\[\]]{1,40}):[^\n]*+")
_BLANK_LINES: Final = re.compile("\n{3,}+")
_TRAILING_BLANKS: Final = re.compile(r"(?<![ \t])[ \t]++(?=\n|\Z)")


def lay_out(text: str, site: Site, drop_sections: frozenset[str]) -> str:
    """Return the lines of a page's text; the pieces put aside are still markers in it.

    Args:
        text: the page after a parser rendered it.
        site: the names of the wiki.
        drop_sections: casefolded headings of sections to leave out, subsections included.
    """
    text = _plain_blanks(text.replace(LOST, REMOVED).replace(BLOCK, "\n"))
    if FRESH_LINE in text:
        text = _start_lines(text)
    if CITED in text:
        text = _CITATION.sub(_citation, text)
    text = resolve_scripts(text)
    if STRAY_LINK in text or STRAY_TEMPLATE in text or STRAY_TABLE in text:
        text = _clear_strays(text, site)
    # Before a search for two characters, here and below, one for the rarer of them is much faster.
    if "{" in text and "-{" in text:
        for _ in range(_MAX_ROUNDS):  # nested variants
            if not _VARIANT.search(text):
                break
            text = _VARIANT.sub(_variant, text)
    text = pair_apostrophes(_EXTERNAL_LINK.sub(_external_link, text))
    if FIGURE in text:
        text = _part_figures(text)
    if "]" in text and "]]" in text:
        text = _CLOSING.sub(_closing, _DOUBLED.sub(r"[\1]", text))
    if "_" in text and "__" in text:
        text = _SWITCH.sub(partial(_switch, site.behaviour_switches), text)
    text = repair_gaps(_LEFT_OPEN.sub(REMOVED, text) if _has_open(text) else text)
    joined, untidy = join_blocks(text, drop_sections)
    return _tidy(joined) if untidy else joined.strip()


def _tidy(text: str) -> str:
    """Decode entities, and remove characters and marks that do not belong in a text."""
    for _ in range(_MAX_ROUNDS):  # marks that a removal between them joined
        if not _has_open(text):
            break
        text = _LEFT_OPEN.sub("", text)
    text = decode_entities(text)
    if " \n" in text or "\t\n" in text:
        text = _TRAILING_BLANKS.sub("", text)
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip()


def _plain_blanks(text: str) -> str:
    """Return the text with plain blanks in place of no-break spaces and of encoded blanks."""
    text = text.replace("\xa0", " ")
    if "&" in text:  # the search for a single character is much faster
        text = text.replace("&nbsp;", " ").replace("&#160;", " ").replace("&#32;", " ")
    return text


def _has_open(text: str) -> bool:
    """Tell whether `_LEFT_OPEN` matches; a search for a single character first is much faster."""
    return ("{" in text and ("{{" in text or "{|" in text)) or ("[" in text and "[[" in text)


def _start_lines(text: str) -> str:
    """Put exactly one line end at each mark of a new line, whatever line ends surround it."""
    text = text.replace(f"\n{FRESH_LINE}", FRESH_LINE).replace(f"{FRESH_LINE}\n", FRESH_LINE)
    while FRESH_LINE * 2 in text:
        text = text.replace(FRESH_LINE * 2, FRESH_LINE)
    return text.replace(FRESH_LINE, "\n")


def _part_figures(text: str) -> str:
    """Separate values from digits beside them, which belong to another number."""
    pieces = [piece for piece in text.split(FIGURE) if piece]
    out = pieces[:1]
    for left, right in pairwise(pieces):
        if left[-1].isdigit() and right[0].isdigit():
            out.append(" ")
        out.append(right)
    return "".join(out)


def _citation(match: re.Match[str]) -> str:
    """Return the title of a cited work at the start of a list item if a remark follows it.

    Other citations are removed, and so are the items that hold nothing else.
    """
    text, start = match.string, match.start()
    line = text[text.rfind("\n", 0, start) + 1 : start]
    rest = text[match.end() : match.end() + _MAX_REMARK_CHARS].partition("\n")[0]
    remark = any(map(str.isalnum, rest.partition(CITED)[0]))
    return match[1] if line and not line.strip("*#:; ") and remark else REMOVED


def _external_link(match: re.Match[str]) -> str:
    label = match[1]
    if not label.strip():
        return REMOVED
    label = label.replace(":", COLON)
    return f"{JOINT}{label}{JOINT}" if label[0] == "'" or label[-1] == "'" else label


def _closing(match: re.Match[str]) -> str:
    """Remove brackets that close nothing; the brackets of `a[b[1]]` stay."""
    line = match.string[max(0, match.start() - _MAX_BRACKETED_CHARS) : match.start()]
    line = line[line.rfind("\n") + 1 :]
    return match[0] if line.count("[") - line.count("]") >= 2 else REMOVED


def _switch(switches: frozenset[str], match: re.Match[str]) -> str:
    """Remove a behaviour switch if the site knows it or if it is a word in capitals."""
    word = match[1]
    capitals = word == word.upper() != word.lower()
    return REMOVED if capitals or match[0].casefold() in switches else match[0]


def _variant(match: re.Match[str]) -> str:
    """Return the first variant of `-{sr-ec:A; sr-el:B}-`, or the text of `-{X}-`."""
    content = match[1]
    flags = _VARIANT_FLAGS.match(content)
    if flags:
        if set(flags[0]) & set("HT-"):  # rules for the page or its title show nothing
            return REMOVED
        content = content[flags.end() :]
    rule = _VARIANT_RULE.match(content.partition(";")[0])
    return rule[1].strip() if rule else content


def _clear_strays(text: str, site: Site) -> str:
    """Remove what is clearly not text after unclosed marks (docs/rules/sources.md 2.7)."""
    unlinked = site.file_names | site.category_names | site.language_codes
    pieces = _STRAYS.split(text)
    marks = _STRAYS.findall(text)
    out = [pieces[0], REMOVED]
    for mark, piece in zip(marks, pieces[1:], strict=True):
        if mark == STRAY_LINK:
            out.append(_clear_link(piece, unlinked))
        else:
            out.append(_clear_rows(piece, table=mark == STRAY_TABLE))
        if out[-1].startswith("|"):
            out[-1] = EMPTY + out[-1]  # so that it is not read as a row of a table
        out.append(REMOVED)
    out.pop()
    return "".join(out)


def _clear_link(piece: str, unlinked: frozenset[str]) -> str:
    """Remove a link's target, the text before the bar; for a file, remove its options too."""
    line, newline, rest = piece.partition("\n")
    match = _FILE_LINK.match(line)
    if match and fold(match[1]) in unlinked:
        line = line.rpartition("|")[2] if "|" in line else ""
    else:
        label = line.partition("|")[2]
        line = label if label.strip() else line
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
