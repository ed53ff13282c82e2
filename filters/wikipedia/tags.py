"""Remove the comments and tags of wikitext, before anything else is parsed.

As in MediaWiki, the content of comments and of extension tags (`<ref>`, `<nowiki>`, `<math>`, ...)
is not parsed as markup: it is removed or put aside before templates, links and tables are searched.
HTML tags are removed and their content stays; `<br>` and block elements leave a line end. The
steps after this pass see no tags.
"""

import re
from typing import Final, Literal

from filters.wikipedia.entities import decode_entities
from filters.wikipedia.markers import (
    BLOCK,
    BREAK,
    EMPTY,
    JOINT,
    REMOVED,
    SCRIPT_END,
    SUBSCRIPT,
    SUPERSCRIPT,
    keep_verbatim,
)
from filters.wikipedia.scripts import SLASHES, join_fractions, simple_script

Math = Literal["latex", "drop", "placeholder"]

# Every quantifier is possessive and stops at the next "<", so that no text is read twice.
# A tag that is cut off, before its ">", has no third group.
_TAG: Final = re.compile(r"<(?:!--|(/?)([A-Za-z][A-Za-z0-9]*+)(?:((?:[\s/\\][^<>]*+)?)>)?+)")
# The attributes of a tag that is cut off, and the slash that closes it.
_CUT_OFF: Final = re.compile(
    r"((?:[ \t\n]++(?i:align|bgcolor|border|cellpadding|class|clear|color|colspan|dir|face"
    r"|group|height|href|id|lang|name|rowspan|size|src|style|title|valign|width)[ \t]*+=[ \t]*+"
    r"(?:\"[^\"<>\n]*+\"|'[^'<>\n]*+'|[^\s<>{}\[\]|/]++))*+)[ \t]*+(/?+)"
)
_BLANK_LINE: Final = re.compile(r"\n[ \t]*+\n")
_BLANKS: Final = re.compile(r"[ \t]*+")
# A bare `<ref/>` is a typing error for it, and so is a tag that is cut off.
_REF_END: Final = r"<(?:/ref(?:\s[^<>]*+)?|ref\s*+/)>|</ref(?![a-z0-9])"
_NOWIKI: Final = re.compile(r"</?nowiki\s*+/?>", re.IGNORECASE)

_Kind = Literal[
    "drop", "ref", "verbatim", "raw", "math", "inline", "block", "paragraph", "break", "table",
    "heading", "sup", "sub",
]  # fmt: skip


def _kinds(**names: str) -> dict[str, _Kind]:
    return {name: kind for kind, tags in names.items() for name in tags.split()}  # type: ignore[misc]  # the keywords are kinds


_KINDS: Final[dict[str, _Kind]] = _kinds(
    # Removed with their content.
    drop="references gallery timeline imagemap graph templatedata templatestyles categorytree"
    " inputbox indicator mapframe maplink hiero includeonly style script phonos rss section"
    " dynamicpagelist charinsert listing",
    ref="ref",
    verbatim="nowiki pre code",
    raw="syntaxhighlight source",  # in these, entities are text too
    math="math chem ce score",
    sup="sup",
    sub="sub",
    inline="b i u s del ins small big span font em strong cite abbr tt kbd samp var dfn q"
    " bdi bdo mark strike ruby rb rt rp rtc time data wbr noinclude onlyinclude nobr translate a",
    block="div center li dt dd tr td th caption tbody thead tfoot poem hr",
    paragraph="p blockquote ul ol dl",
    table="table",
    heading="h1 h2 h3 h4 h5 h6",
)  # fmt: skip
_KINDS["br"] = "break"
# If one of these is unclosed, only the tag is removed: the text after it is not its content.
_TAG_ALONE: Final = frozenset({"references", "includeonly", "section", "templatestyles"})


class _Finder:
    """A search for the next match of a pattern that reads every part of the text once."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._pattern = pattern
        self._text = text
        self._next: re.Match[str] | None = None
        self._from = -1

    def after(self, position: int) -> tuple[int, int]:
        """Return the span of the first match from ``position`` on, or the text's end if none."""
        if self._from < 0 or (self._next is not None and self._next.start() < position):
            self._next = self._pattern.search(self._text, position)
            self._from = position
        return self._next.span() if self._next else (len(self._text), len(self._text))


class _Tags:
    """The pass over one page."""

    def __init__(self, text: str, math: Math) -> None:
        self.text = text
        self.math = math
        self.out: list[str] = []
        self.verbatim: list[str] = []
        self.formulas = 0
        self.fractions = False  # whether there are fractions of a raised and a lowered number
        self.tables: list[int] = []  # the length of `out` at each open <table>
        self._finders: dict[str, _Finder] = {}
        self._blank_line = _Finder(_BLANK_LINE, text)

    def run(self) -> str:
        text, out, position = self.text, self.out, 0
        search = _TAG.search
        while match := search(text, position):
            start = match.start()
            if match[2] is None:
                position = self._comment(position, start)
                continue
            kind = _KINDS.get(match[2].lower())
            if kind is None:
                out.append(text[position : start + 1])  # a "<" that is text
                position = start + 1
                continue
            if start > position:
                out.append(text[position:start])
            if match[3] is None:
                position = self._cut_off(kind, match)
            elif kind == "inline":
                position = match.end()
                if text[start - 1 : start] == "'" or text[position : position + 1] == "'":
                    out.append(JOINT)
            else:
                position = self._tag(kind, match)
        if position < len(text):
            out.append(text[position:])
        stripped = "".join(out)
        return join_fractions(stripped) if self.fractions else stripped

    def _tag(self, kind: _Kind, match: re.Match[str]) -> int:
        """Process a tag that leaves a mark or whose content is removed; return where to go on."""
        closing = bool(match[1])
        if kind in _LAYOUT:
            self.out.append(_LAYOUT[kind])
        elif kind == "heading":
            marks = "=" * int(match[2][1])
            self.out.append(f"{marks}{BLOCK}" if closing else f"{BLOCK}{marks}")
        elif kind == "table":
            self._table(closing=closing)
        elif kind in _SCRIPTS:
            if closing:
                self.out.append(SCRIPT_END)
            elif script := simple_script(self.text, match.end(), up=kind == "sup"):
                self.out.append(script[0])
                self.fractions = self.fractions or self.text[match.start() - 1] in SLASHES
                return script[1]
            else:
                self.out.append(_SCRIPTS[kind])
        elif not closing:
            return self._extension(kind, match)
        return match.end()

    def _cut_off(self, kind: _Kind, match: re.Match[str]) -> int:
        """Process a known tag that lacks its ">"; return where to go on.

        A start tag without attributes is text, as in "a <b", unless it begins a reference.
        """
        end = match.end()
        if match[1]:
            self.out.append(REMOVED)
            return end
        attributes = _CUT_OFF.match(self.text, end)
        assert attributes
        if kind == "break":
            self.out.append(BREAK)
            return attributes.end()
        if kind != "ref" and not attributes[1]:
            self.out.append("<")
            return match.start() + 1
        self.out.append(_LAYOUT.get(kind, REMOVED))
        if kind == "ref" and not attributes[2]:
            close, behind = self._finder("ref", _REF_END).after(end)
            another = self._finder("<ref", r"<ref\b[^<>/]*+>").after(end)[0]
            if close < min(another, self._blank_line.after(end)[0]):
                return behind  # the end of this tag
        return attributes.end()

    def _comment(self, position: int, start: int) -> int:
        """Remove a comment, and its line if nothing else is there; return where to go on."""
        text = self.text
        line = start
        while line > position and text[line - 1] in " \t":
            line -= 1
        end = self._comment_end(start)
        if line == 0 or text[line - 1] == "\n":
            while True:
                blanks = _BLANKS.match(text, end)
                assert blanks
                if not text.startswith("<!--", blanks.end()):
                    break
                end = self._comment_end(blanks.end())
            if blanks.end() == len(text) or text[blanks.end()] == "\n":
                self.out.append(text[position:line])
                return blanks.end() + 1
        self.out.append(text[position:start])
        # Inside a word a comment leaves nothing; elsewhere there may be blanks on both sides.
        if not (text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()):
            self.out.append(REMOVED)
        return end

    def _comment_end(self, start: int) -> int:
        close, end = self._finder("-->", "-->").after(start + 4)
        return end if close < len(self.text) else self._blank_line.after(start)[0]

    def _finder(self, name: str, pattern: str) -> _Finder:
        finder = self._finders.get(name)
        if finder is None:
            finder = self._finders[name] = _Finder(re.compile(pattern, re.IGNORECASE), self.text)
        return finder

    def _table(self, *, closing: bool) -> None:
        if not closing:
            self.tables.append(len(self.out))
            self.out.append(BLOCK)
        elif self.tables:
            del self.out[self.tables.pop() :]
            self.out.append(BLOCK + REMOVED + BLOCK)

    def _extension(self, kind: _Kind, match: re.Match[str]) -> int:
        """Process a tag whose content is not parsed; return where to go on."""
        name, attributes, start = match[2].lower(), match[3], match.end()
        if attributes.rstrip().endswith("/"):
            self.out.append(EMPTY if kind == "verbatim" else REMOVED)
            return start
        closer = _REF_END if kind == "ref" else rf"</{name}(?:\s[^<>]*+)?>"
        close, end = self._finder(name, closer).after(start)
        if close == len(self.text):
            if kind in {"drop", "ref"}:
                self.out.append(REMOVED)
                return start if name in _TAG_ALONE else self._blank_line.after(start)[0]
            return start
        if kind == "ref":
            blank = self._blank_line.after(start)[0]
            if blank < close and self._finder("<ref", r"<ref\b[^<>/]*+>").after(start)[0] < close:
                end = blank  # this tag was not closed: the closing tag belongs to another
        if kind in {"drop", "ref"}:
            self.out.append(REMOVED)
        else:
            self._content(kind, name, attributes, self.text[start:close])
        return end

    def _content(self, kind: _Kind, name: str, attributes: str, content: str) -> None:
        if kind == "math":
            self.out.append(self._formula(content))
            return
        block = name == "pre" or (kind == "raw" and "inline" not in attributes)
        if kind == "verbatim":
            if name != "nowiki":
                content = _NOWIKI.sub("", content)
            content = decode_entities(content)
        if block:
            content = content.strip("\n").rstrip()
        if not content.strip():
            self.out.append(EMPTY + content + EMPTY)
            return
        marker = keep_verbatim(content, self.verbatim)
        self.out.append(f"{BLOCK}{BLOCK}{marker}{BLOCK}{BLOCK}" if block else marker)

    def _formula(self, content: str) -> str:
        body = " ".join(decode_entities(content).split())
        if not body or self.math == "drop":
            return REMOVED
        self.formulas += 1
        if self.math == "placeholder":
            return f"formula_{self.formulas}"
        return keep_verbatim(f"${body}$", self.verbatim)


_SCRIPTS: Final[dict[_Kind, str]] = {"sup": SUPERSCRIPT, "sub": SUBSCRIPT}
_LAYOUT: Final[dict[_Kind, str]] = {"break": BREAK, "block": BLOCK, "paragraph": BLOCK + BLOCK}


def strip_tags(text: str, math: Math = "latex") -> tuple[str, list[str]]:
    """Return the text without comments and tags, and the numbered pieces that were put aside.

    An extension tag that is never closed ends with its paragraph (docs/rules/sources.md 2.7).

    >>> strip_tags("a<!-- b --> <small>c</small><ref>d</ref>")[0].replace(REMOVED, "~")
    'a~ c~'
    """
    page = _Tags(text, math)
    return page.run(), page.verbatim
