"""Scan templates, links and tables in linear time.

`filters.wikipedia.marks` finds the marks; an explicit stack holds the open constructs. Runs of
braces are matched as in MediaWiki's preprocessor: a closing run takes three braces for an argument
or two for a template from the innermost opening run, as long as both have them. If marks do not
match, MediaWiki shows the markup; this scanner keeps the constructs that are closed and removes
only the marks without a partner (docs/rules/sources.md 2.7). An unclosed link ends with its
paragraph; an unclosed file with a caption ends with the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from filters.wikipedia.markers import (
    BLOCK,
    EQUALS,
    REMOVED,
    STRAY_LINK,
    STRAY_TABLE,
    STRAY_TEMPLATE,
)
from filters.wikipedia.marks import marks_of
from filters.wikipedia.nodes import Renderer

MAX_DEPTH: Final = 100  # nested constructs (docs/rules/sources.md 2.7)

_STRAY: Final = {"{{": STRAY_TEMPLATE, "[[": STRAY_LINK, "{|": STRAY_TABLE}


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan of one page."""

    text: str
    ambiguous: bool  # another reading is possible
    too_deep: bool  # marks beyond the limit of depth were treated as strays
    edits: list[
        tuple[int, int, str]
    ]  # spans of the source that are strays, and the replacement of each


class _Frame:
    """An open construct."""

    __slots__ = ("braces", "cuts", "kind", "mark", "pieces", "start")

    def __init__(self, kind: str, start: int, mark: int, braces: int = 0) -> None:
        self.kind = kind  # "{{", "[[", "{|", or "" for the page
        self.start = start  # the place of its mark
        self.mark = mark  # the mark of the renderer
        self.braces = braces  # the number of braces that are still open
        self.pieces: list[str] = []
        self.cuts: list[int] = []  # indices of the pieces that are bars

    def parts(self) -> list[str]:
        pieces = self.pieces
        if not self.cuts:
            return ["".join(pieces)]
        parts = []
        start = 0
        for cut in self.cuts:
            parts.append("".join(pieces[start:cut]))
            start = cut + 1
        parts.append("".join(pieces[start:]))
        return parts


class _Scanner:
    """The scan of one page; methods that take a mark return the place to continue at."""

    def __init__(self, text: str, renderer: Renderer) -> None:
        self.text = text
        self.renderer = renderer
        self.dropped = renderer.dropped
        self.stack = [_Frame("", 0, 0)]
        self.open = {"{{": 0, "[[": 0, "{|": 0}
        self.edits: list[tuple[int, int, str]] = []
        self.ambiguous = False
        self.too_deep = False

    def run(self) -> str:
        read = marks_of(self.text)
        deal_with: dict[str, Callable[[int, int, str | None, str | None], int]] = {
            "[": self._open_link,
            "]": self._close_link,
            "{": self._open_braces,
            "}": self._close_braces,
            "\n": self._line,
            BLOCK: self._line,
        }
        stack, place, size = self.stack, 0, len(self.text)
        while place < size:
            found, place = read(place)
            for item in found:
                if isinstance(item, str):
                    top = stack[-1]
                    if item == "|" and top.kind in _DIVIDED:
                        top.cuts.append(len(top.pieces))
                    top.pieces.append(item)
                else:
                    sign, start, end, first, second = item
                    after = deal_with[sign](start, end, first, second)
                    if end == place:  # the last mark, which may end elsewhere
                        place = after
        self._abandon(1)
        return "".join(stack[0].pieces)

    def _open_link(self, start: int, end: int, target: str | None, label: str | None) -> int:
        if target is None:
            self._push("[[", start, end)
        else:
            parts = [target] if label is None else [target, label]
            rendered = self.renderer.link(parts, len(self.dropped))
            top = self.stack[-1]
            if top.kind == "{{" and "=" in rendered:
                rendered = rendered.replace("=", EQUALS)
            top.pieces.append(rendered)
        return end

    def _open_braces(self, start: int, end: int, content: str | None, _: str | None) -> int:
        if content is None:
            self._push("{{", start, end)
        else:
            self._put(self.renderer.template(content.split("|"), len(self.dropped)))
        return end

    def _push(self, kind: str, start: int, end: int) -> None:
        if len(self.stack) > MAX_DEPTH:
            self.too_deep = True
            self._drop(start, end)
            return
        braces = end - start
        if braces > 3:
            self.ambiguous = True
        self.stack.append(_Frame(kind, start, self.renderer.mark(), braces))
        self.open[kind] += 1

    def _drop(self, start: int, end: int) -> None:
        """Drop a mark without a partner."""
        self.edits.append((start, end, REMOVED))
        self.stack[-1].pieces.append(REMOVED)

    def _put(self, rendered: str) -> None:
        """Add the text of a construct to the construct around it."""
        top = self.stack[-1]
        if top.kind == "{{" and "=" in rendered:
            rendered = rendered.replace("=", EQUALS)
        top.pieces.append(rendered)

    def _pop(self) -> _Frame:
        frame = self.stack.pop()
        self.open[frame.kind] -= 1
        return frame

    def _abandon(self, depth: int) -> None:
        """Abandon the constructs from this place of the stack on: only their marks are removed."""
        stack = self.stack
        base = stack[depth - 1]
        pieces = base.pieces
        for frame in stack[depth:]:
            self.open[frame.kind] -= 1
            self.edits.append((frame.start, frame.start + frame.braces, _STRAY[frame.kind]))
            pieces.append(_STRAY[frame.kind])
            if base.kind in _DIVIDED:
                base.cuts += [len(pieces) + cut for cut in frame.cuts]
            pieces += frame.pieces
        del stack[depth:]

    def _back_to(self, kind: str) -> _Frame:
        """Abandon the constructs that opened after the innermost open construct of a kind."""
        depth = len(self.stack)
        while self.stack[depth - 1].kind != kind:
            depth -= 1
        if depth < len(self.stack):
            self.ambiguous = True
            self._abandon(depth)
        return self.stack[-1]

    def _close_braces(self, start: int, end: int, *_: str | None) -> int:
        while end - start > 1 and self.open["{{"]:
            frame = self._back_to("{{")
            braces = 3 if end - start > 2 and frame.braces > 2 else 2
            if braces == 3:
                rendered = self.renderer.argument(frame.parts())
            else:
                rendered = self.renderer.template(frame.parts(), frame.mark)
            start += braces
            frame.braces -= braces
            if frame.braces > 1:
                frame.pieces, frame.cuts = [], []
            else:
                self._pop()
                if frame.braces:
                    self.stack[-1].pieces.append("{")
            self._put(rendered)
        if end - start == 1:
            self.stack[-1].pieces.append("}")
        elif end > start:
            self._drop(start, end)
        return end

    def _close_link(self, _start: int, end: int, *_: str | None) -> int:
        if not self.open["[["]:
            self.stack[-1].pieces.append("]]")  # one of them may close an external link
            return end
        frame = self._back_to("[[")
        if self.text.startswith("]", end) and not self.text.startswith("]]", end):
            last = frame.pieces[-1] if frame.pieces else ""
            if last.rfind("[") > last.rfind("]"):  # `[[A|[b]]]`: the first "]" is the label's
                frame.pieces.append("]")
                end += 1
        self._pop()
        self._put(self.renderer.link(frame.parts(), frame.mark))
        return end

    def _captioned(self, frame: _Frame) -> bool:
        """Tell whether a link is a file, whose caption may have paragraphs."""
        return bool(frame.cuts) and self.renderer.is_file(frame.pieces[0])

    def _line(self, _start: int, end: int, *_: str | None) -> int:
        """Process the end of a paragraph or the mark of a table."""
        text, stack = self.text, self.stack
        if text[end - 1] == "\n":
            depth = len(stack)
            while stack[depth - 1].kind == "[[" and not self._captioned(stack[depth - 1]):
                depth -= 1
            if depth < len(stack):
                self._abandon(depth)
            stack[-1].pieces.append("\n")
            return end
        if text[end - 1] == "|":
            stack[-1].pieces.append("\n")
            self._push("{|", end - 2, end)
            return end
        braces = text.startswith("}", end) and not text.startswith("}}", end)
        if braces and self.open["{{"]:  # `|}}` ends a template
            stack[-1].pieces.append("\n")
            return end - 2
        if not self.open["{|"]:
            stack[-1].pieces.append("\n")
            self._drop(end - 2, end)
            return end
        frame = self._back_to("{|")
        self._pop()
        self._put(self.renderer.table(frame.mark))
        return end


_DIVIDED: Final = frozenset({"{{", "[["})  # constructs whose parts are divided by bars


def scan(text: str, renderer: Renderer) -> Scan:
    """Render templates, links and tables of a text without tags (`strip_tags`)."""
    scanner = _Scanner("\n" + text, renderer)
    rendered = scanner.run()
    return Scan(rendered, scanner.ambiguous, scanner.too_deep, scanner.edits)


def balance(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Return the scanned text without its stray marks; opening ones leave a marker."""
    text = "\n" + text
    pieces = []
    position = 0
    for start, end, marker in sorted(edits):
        pieces += [text[position:start], marker]
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
