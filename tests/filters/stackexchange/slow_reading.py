"""The table of docs/rules/sources.md 5.5, read slowly: one character at a time, by html.parser."""

from html.parser import HTMLParser

BLOCKS = {
    *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "hr"),
    *("section", "article", "dl", "address", "aside", "center", "details", "dir", "fieldset"),
    *("figcaption", "figure", "footer", "form", "header", "main", "menu", "nav", "summary"),
}
LINES = {"tr", "dt", "dd", "caption"}
HIDDEN = {"script", "style", "iframe", "object"}
# White space that HTML does not collapse (Unicode's Zs without the space).
WIDE = (
    "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)


class SlowReader(HTMLParser):
    """Writes the text of a body."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out = ""
        self.wanted: set[str] = set()  # breaks before the next character: block, line, cell, space
        self.newlines = 0  # of the text, before the next character
        self.marker = ""  # of a list's item that has no text yet
        self.wide = ""  # white space that is written if a character follows in its line
        self.lists: list[int | None] = []
        self.hidden = 0
        self.pre = 0
        self.pre_began = self.after_br = False
        self.code = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Ask for the breaks of an element."""
        if tag in HIDDEN:
            self.hidden += 1
        elif self.hidden:
            pass
        elif tag == "pre":
            self.pre += 1
            if self.pre == 1:
                self.item_without_text()
                self.after_br, self.pre_began, self.code = False, True, ""
        elif tag == "br":
            self.break_line()
        elif self.pre or tag == "img":
            pass
        elif tag == "li":
            self.after_br = False
            self.item_without_text()
            self.want("line")
            number = self.lists[-1] if self.lists else None
            self.marker = "* " if number is None else f"{number}. "
            if number is not None:
                self.lists[-1] = number + 1
        else:
            if tag in ("ul", "ol"):
                start = dict(attrs).get("start") or "1"
                self.lists.append(None if tag == "ul" else int(start))
            self.ask(tag)

    def break_line(self) -> None:
        """Take ``<br>``."""
        self.pre_began = False
        if self.pre:
            self.code += "\n"
        else:
            self.wide = ""
            self.newlines += 1
            self.after_br = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take ``<br />`` as a browser does: the slash says nothing."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Ask for the breaks of an element; end code."""
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif self.hidden:
            pass
        elif tag == "pre" and self.pre:
            self.pre -= 1
            if not self.pre:
                self.end_code()
        elif tag == "br":
            self.handle_starttag(tag, [])
        elif self.pre or tag == "img":
            pass
        elif tag == "li":
            self.after_br = False
            self.item_without_text()
            self.want("line")
        else:
            self.ask(tag)
            if tag in ("ul", "ol") and self.lists:
                self.lists.pop()

    def ask(self, tag: str) -> None:
        """Note a break."""
        kind = "block" if tag in BLOCKS else "line" if tag in LINES else ""
        kind = "cell" if tag in ("td", "th") else kind
        if not kind:
            return
        self.after_br = False
        self.wide = ""
        if not self.marker:
            self.wanted.add(kind)

    def want(self, kind: str) -> None:
        """Note a break that ends the line."""
        self.wide = ""
        self.wanted.add(kind)

    def item_without_text(self) -> None:
        """Write the marker of an item that stays empty."""
        self.wide = ""
        if self.marker:
            self.write(self.marker.strip(), with_marker=False)
            self.marker = ""
            self.newlines = 0
            self.wanted = set()

    def end_code(self) -> None:
        """Write code as it is, a blank line around it."""
        self.wanted, self.newlines, self.wide = {"block"}, 0, ""
        if self.code.strip("\n"):
            if self.out:
                self.out += "\n" * (2 - min(2, self.trailing()))
            self.out += self.code
            self.wanted = {"code"}

    def trailing(self) -> int:
        """Count the line feeds at the end; they matter only after code."""
        return len(self.out) - len(self.out.rstrip("\n"))

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self.hidden:
            return
        data = data.replace("\r\n", "\n").replace("\r", "\n")
        if self.pre:
            self.code += data.removeprefix("\n") if self.pre_began else data
            self.pre_began = False
            return
        if self.after_br and data.lstrip(" \t\f").startswith("\n"):
            data = data.lstrip(" \t\f")[1:]
        self.after_br = False
        for character in data:
            if character in " \t\f":
                if self.wide:
                    self.wide = f"{self.wide.removesuffix(' ')} "
                else:
                    self.wanted.add("space")
            elif character == "\n":
                self.wide = ""
                self.newlines += 1
            elif character in WIDE:
                self.wide += character
            else:
                wide, self.wide = self.wide, ""
                self.write(wide + character)

    def write(self, text: str, *, with_marker: bool = True) -> None:
        """Write text behind the breaks that were asked for."""
        marker = self.marker if with_marker else ""
        if self.marker:  # what follows the marker was asked for in vain
            newlines, wanted = self.before_marker
        else:
            newlines, wanted = self.newlines, self.wanted
        if not self.out:
            gap = ""
        elif "code" in wanted:
            gap = "\n" * (2 - min(2, self.trailing()))
        elif "block" in wanted:
            gap = "\n\n"
        elif "line" in wanted:
            gap = "\n"
        elif "cell" in wanted:
            gap = " "
        elif newlines:
            gap = "\n" * min(2, newlines)
        else:
            gap = " " if "space" in wanted else ""
        self.out += gap + marker + text
        if with_marker:
            self.marker = ""
        self.newlines, self.wanted = 0, set()

    @property
    def marker(self) -> str:
        """The marker that waits for its item's text."""
        return self._marker

    @marker.setter
    def marker(self, marker: str) -> None:
        self._marker = marker
        if marker:
            self.before_marker = self.newlines, set(self.wanted)

    def text(self) -> str:
        """Return the text of the body."""
        if self.pre:
            self.end_code()
        self.item_without_text()
        text = self.out.strip("\n")
        return "" if text.isspace() else text


def slow_reading(html: str) -> str:
    """Return the text of a body."""
    reader = SlowReader()
    reader.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    reader.close()
    return reader.text()
