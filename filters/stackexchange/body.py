r"""HTML of Stack Exchange posts to text (docs/rules/sources.md 5.5).

The tags of a body are found one after the other by one regular expression that never backtracks,
so that the time is linear in the length, also where tags, comments and quotes are never closed.
What lies between them is collected with marks for the breaks that elements ask for; each stretch of
text outside ``pre`` is then laid out as a whole, and what is inside ``pre`` is left as it is.
"""

import re
from dataclasses import dataclass, field
from html import unescape

BLOCKS = frozenset(
    (
        *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "hr"),
        *("section", "article", "dl"),
        # Further elements that browsers lay out as blocks.
        *("address", "aside", "center", "details", "dir", "fieldset", "figcaption", "figure"),
        *("footer", "form", "header", "main", "menu", "nav", "summary"),
    )
)
LINES = frozenset(("tr", "dt", "dd", "caption"))
CELLS = frozenset(("td", "th"))
RAW = frozenset(("script", "style", "iframe"))  # what is in them is no markup
_WITH_TAGS = frozenset((*BLOCKS, *LINES, *CELLS, *RAW, "br", "li", "pre", "object", "img"))

# A tag as the HTML standard's tokenizer reads it (13.2.5): a quote that is never closed, or a tag
# that is never closed, takes the rest of the text with it.
_TAG = re.compile(
    r"""<(/?)([a-zA-Z][^ \t\n\f/>]*+)
    ((?:[ \t\n\f/]*+
        [^ \t\n\f/>][^ \t\n\f/>=]*+
        (?:[ \t\n\f]*+=[ \t\n\f]*+(?:"[^"]*"|'[^']*'|[^ \t\n\f"'>][^ \t\n\f>]*+|(?=>))
          |(?![ \t\n\f]*+=))
    )*+)
    [ \t\n\f/]*+>""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    r"""[ \t\n\f/]*+([^ \t\n\f/>][^ \t\n\f/>=]*+)
    (?:[ \t\n\f]*+=[ \t\n\f]*+(?:"([^"]*)"|'([^']*)'|([^ \t\n\f"'>][^ \t\n\f>]*+))?+)?+""",
    re.VERBOSE,
)
_COMMENT_END = re.compile(r"--!?>")
_RAW_END = {name: re.compile(rf"</{name}(?=[ \t\n\f/>])", re.IGNORECASE | re.ASCII) for name in RAW}

# Marks in collected text. The characters are none of HTML's, and bodies lose theirs beforehand.
_BLOCK, _LINE, _MARKER, _CELL, _ITEM = "\x01", "\x02", "\x03", "\x04", "\x05"
_SPACE = f" \n{_BLOCK}{_LINE}{_CELL}"
_ENDS = f"{_SPACE[1:]}{_ITEM}"  # what a line ends in
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1f]")
_SPACES = re.compile("  +")
_AFTER_MARKER = re.compile(f"{_MARKER}[{_SPACE}]*+")
# The search is fast since the pattern begins with a set of characters: spaces before it go first.
_BREAKS = re.compile(f"[{_ENDS}][{_SPACE}{_ITEM}]*+")
# White space that HTML does not collapse, such as the no-break space. It stays in a line, but no
# line ends in it, and a line of nothing else is blank.
_WIDE = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_WIDE_AT_END = re.compile(f"(?<![ {_WIDE}])[ {_WIDE}]++(?=[{_ENDS}]|\\Z)")


@dataclass(frozen=True)
class HtmlOptions:
    """What becomes of code blocks and images."""

    code_fence: bool = False  # put ``` around code blocks
    img_alt: bool = False  # put the alternative text in the place of an image


DEFAULT = HtmlOptions()


def html_to_text(html: str, options: HtmlOptions = DEFAULT) -> str:
    r"""Return the text of a post's body.

    >>> html_to_text("<p>a <b>b</b></p><p>c &amp;lt;</p><ol><li>d</li><li>e</li></ol>")
    'a b\n\nc &lt;\n\n1. d\n2. e'
    """
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    html = _NO_TEXT.sub("", html)
    layout = _Layout(options)
    _read(html, layout)
    return layout.text()


def _read(html: str, layout: "_Layout") -> None:
    """Find the tags of a body, and give what lies between them to a layout."""
    at = text_from = 0
    match, find = _TAG.match, html.find
    while (at := find("<", at)) >= 0:
        if found := match(html, at):
            slash, name, attributes = found.groups()
            name, goes_on = name.lower(), found.end()
        else:
            slash = name = attributes = ""
            goes_on = _end_of_no_tag(html, at)
            if goes_on == at + 1:  # a "<" of the text
                at = goes_on
                continue
        if at > text_from and not layout.objects:
            layout.add(html[text_from:at])
        if name in RAW and not slash:
            goes_on = _end_of_raw(html, name, goes_on)
        elif name == "object":
            layout.objects = max(0, layout.objects - 1) if slash else layout.objects + 1
        elif name in _WITH_TAGS and not layout.objects:
            layout.tag(name, bool(slash), attributes)
        if not goes_on:  # it has no end: the rest is part of it
            return
        at = text_from = goes_on
    if not layout.objects:
        layout.add(html[text_from:])


def _end_of_no_tag(html: str, at: int) -> int:
    """Return where what begins with a "<" and is no whole tag ends; 0 where it does not end.

    It is a comment, what browsers take for one, a tag that is cut off, or one character of text.
    """
    follows = html[at + 1 : at + 2]
    if follows == "/":
        after = html[at + 2 : at + 3]
        if not after:
            return at + 1
        return 0 if _is_letter(after) else html.find(">", at) + 1
    if follows and follows in "!?":
        return _end_of_comment(html, at)
    return 0 if _is_letter(follows) else at + 1


def _end_of_raw(html: str, name: str, at: int) -> int:
    """Return where the tag that closes a script, or the like, begins; 0 if there is none."""
    found = _RAW_END[name].search(html, at)
    return found.start() if found else 0


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _end_of_comment(html: str, at: int) -> int:
    """Return where a comment, or what browsers take for one, ends; 0 if it does not."""
    if not html.startswith("<!--", at):
        return html.find(">", at) + 1
    for short in ("<!-->", "<!--->"):
        if html.startswith(short, at):
            return at + len(short)
    found = _COMMENT_END.search(html, at + 4)
    return found.end() if found else 0


def _attribute(attributes: str, name: str) -> str:
    """Return the value of an attribute; empty if it is not there."""
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return unescape(found[2] or found[3] or found[4] or "")
    return ""


@dataclass
class _Layout:
    """Collects the text of a body and lays it out."""

    options: HtmlOptions
    objects: int = 0  # how many <object> are open: what is in them is left out
    _parts: list[str] = field(default_factory=list)  # of the stretch at hand
    _done: list[str] = field(default_factory=list)  # laid out, a blank line between any two
    _pre: int = 0  # how many <pre> are open
    _pre_began: bool = False  # nothing of it has been read
    _after_br: bool = False
    _lists: list[int] = field(default_factory=list)  # next number of each open list; ul: -1

    def add(self, text: str) -> None:
        """Take text between two tags."""
        if "&" in text:
            text = unescape(text)
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self._pre:
            if self._pre_began:
                self._pre_began = False
                text = text.removeprefix("\n")
        elif self._after_br:  # the line feed that follows <br> in the source is no second one
            self._after_br = False
            rest = text.lstrip(" \t\f")
            if rest.startswith("\n"):
                text = rest[1:]
        self._parts.append(text)

    def tag(self, name: str, closing: bool, attributes: str) -> None:
        """Take a tag that changes the layout."""
        if name == "pre":
            self._pre_tag(closing)
        elif name == "br":
            self._parts.append("\n")
            self._after_br = not self._pre
            self._pre_began = False
        elif name == "img":
            if self.options.img_alt and not closing:
                self.add(_attribute(attributes, "alt").replace("&", "&amp;"))
        elif not self._pre:
            self._after_br = False
            self._break(name, closing, attributes)

    def _break(self, name: str, closing: bool, attributes: str) -> None:
        parts = self._parts
        if name == "li":
            if closing:
                parts.append(_ITEM)
                return
            marker = "* "
            if self._lists and self._lists[-1] >= 0:
                marker = f"{self._lists[-1]}. "
                self._lists[-1] += 1
            parts.append(f"{_ITEM}{marker}{_MARKER}")
        elif name in BLOCKS:
            parts.append(_BLOCK)
            if name in ("ul", "ol"):
                if not closing:
                    self._lists.append(-1 if name == "ul" else _first_number(attributes))
                elif self._lists:
                    self._lists.pop()
        elif name in LINES:
            parts.append(_LINE)
        elif name in CELLS:
            parts.append(_CELL)

    def _pre_tag(self, closing: bool) -> None:
        if not closing:
            if not self._pre:
                self._end_stretch()
                self._pre_began = True
                self._after_br = False
            self._pre += 1
        elif self._pre:
            self._pre -= 1
            if not self._pre:
                self._end_pre()

    def _end_stretch(self) -> None:
        """Lay out the text since the last ``pre``."""
        if text := _lay_out("".join(self._parts)):
            self._done.append(text)
        self._parts = []

    def _end_pre(self) -> None:
        code = "".join(self._parts)
        self._parts = []
        if not code.strip("\n"):  # a block without code
            return
        if self.options.code_fence:
            code = f"```\n{code}{'' if code.endswith(chr(10)) else chr(10)}```"
        self._done.append(code)

    def text(self) -> str:
        """Return the text that was collected."""
        if self._pre:
            self._end_pre()
        else:
            self._end_stretch()
        pieces: list[str] = []
        for text in self._done:
            if pieces:  # code mostly ends in a line feed of its own
                last = pieces[-1]
                ends = len(last) - len(last.rstrip("\n"))
                pieces.append("\n" * max(0, 2 - ends))
            pieces.append(text)
        found = "".join(pieces).strip("\n")
        return "" if found.isspace() else found


def _first_number(attributes: str) -> int:
    """Return the number of the first item of an ordered list."""
    start = _attribute(attributes, "start").strip() if attributes else ""
    return int(start) if start.isascii() and start.isdecimal() and len(start) <= 9 else 1


def _breaks(found: re.Match[str]) -> str:
    run = found[0]
    if _BLOCK in run:
        return "\n\n"
    if _LINE in run or _ITEM in run:
        return "\n"
    if _CELL in run:  # cells of a row stand in one line
        return " "
    return "\n\n" if run.count("\n") > 1 else "\n"


def _lay_out(text: str) -> str:
    """Return text outside ``pre`` with single spaces and at most one blank line."""
    text = _SPACES.sub(" ", text.replace("\t", " ").replace("\f", " "))
    if not text.isascii():
        text = _WIDE_AT_END.sub("", text)
    if _MARKER in text:
        text = _AFTER_MARKER.sub("", text)
    for end in _ENDS:
        text = text.replace(f" {end}", end)
    return _BREAKS.sub(_breaks, text).strip(f"{_SPACE}{_ITEM}")


def strip_tags(html: str) -> str:
    r"""Return the text of a body as RedPajama v1 makes it, for comparison.

    Items of lists begin with ``\n*``; all other tags leave nothing, so that paragraphs run
    together where the HTML has no line feed between them.

    >>> strip_tags("<p>a</p><p>b</p><ul><li>c</li></ul>")
    'ab\n*c'
    """
    layout = _Plain()
    html = _NO_TEXT.sub("", html.replace("\r\n", "\n").replace("\r", "\n"))
    _read(html, layout)
    return "".join(layout.parts)


class _Plain(_Layout):
    """Collects text as it is."""

    def __init__(self) -> None:
        super().__init__(DEFAULT)
        self.parts: list[str] = []

    def add(self, text: str) -> None:
        """Take text between two tags."""
        self.parts.append(unescape(text).replace("\r\n", "\n").replace("\r", "\n"))

    def tag(self, name: str, closing: bool, attributes: str) -> None:  # noqa: ARG002 - as in _Layout
        """Begin an item; leave nothing of other tags."""
        if name == "li" and not closing:
            self.parts.append("\n*")
