"""One pass over an HTML page decides whether it is too complex to parse.

The parser is compiled code that no time budget can interrupt, and a few shapes take it time that
grows with the square of their size: many attributes in one element, elements nested without end,
options of a list, lists in lists, and formatting elements, such as ``<b>`` and ``<font>``, that are
never closed, since HTML opens all of them again in each paragraph that follows. The limits count
elements and not seconds, so every machine decides alike. No page of the samples comes near them.

The parser reads 90 MB/s, so the pass must be cheap: a few searches show for nearly all pages that
they cannot exceed a limit. The other pages are tokenized as HTML defines it (WHATWG HTML, 13.2.5),
so that comments, scripts and quoted values are not mistaken for tags, and the pass keeps a stack of
open elements that is never shorter than the parser's own.
"""

import re

MAX_TAGS = 300_000  # counts every "<"; dense pages of 5 MiB have a third of it
MAX_ATTRIBUTES = 256  # per element: the parser compares each with those before it
MAX_STACK_STEPS = 200_000_000  # elements open at a tag, summed over the tags
MAX_LIST_STEPS = 4_000_000  # lists open at a tag, summed; a line is indented by them
MAX_NAMES = 20_000  # of elements or attributes: the parser's table of unknown ones is small
NAMES_CHARS = 1 << 19  # a shorter page holds too few names to cost a second
MAX_ROOT_TAGS = 8  # whose attributes, fewer than 32 each, are no more than MAX_ATTRIBUTES
MAX_SEARCH_STEPS = 3_000_000  # elements looked at for those that end tags close
# With fewer tags, no shape but many attributes takes more than some milliseconds.
FEW_TAGS = 2000
DEEP_TAGS = 15_000  # with fewer tags, no stack can exceed MAX_STACK_STEPS
MAX_REOPENED = 1_000_000  # formatting elements that the parser may have to open again
MAX_OPTIONS = 4096

TAG = re.compile(
    r"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"  # a comment
    r"|[!?][^>]*+>?+|/[^A-Za-z>][^>]*+>?+"  # what HTML treats as a comment
    r"|(/?)([A-Za-z][^\s/>]*+)"
    r"((?:[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+)*+))",
    re.DOTALL,
)
ATTRIBUTE = re.compile(
    r"[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+"
)
# An element with 32 attributes begins like this, wherever it stands. Attributes of more than 256
# characters are not searched for, since a page has too few of them to take time.
MANY_ATTRIBUTES = re.compile(
    r"</?[A-Za-z][^\s/>]{0,256}+(?:(?:[\s/]{1,256}+|(?<=[\"']))[^\s/>][^\s/>=]{0,256}+"
    r"(?:\s{0,256}+=\s{0,256}+(?:\"[^\"]{0,256}+\"|'[^']{0,256}+'|[^\s>\"'][^\s>]{0,256}+)?+)?+){32}"
)
LIST_TAG = re.compile(r"<(?:[uUoOdD][lL]|(?i:menu|dir))[\s/>]")
FORMATTING = r"(?:[aAbBiIsSuU]|(?i:big|code|em|font|nobr|small|strike|strong|tt))(?=[\s/>])"
FORMATTING_START = re.compile(f"<{FORMATTING}")
FORMATTING_TAG = re.compile(f"(</?)({FORMATTING})")
OPTION_START = re.compile(r"<[oO][pP][tT](?i:ion|group)(?=[\s/>])")
ROOT_TAG = re.compile(r"<(?:[hH][tT]|[bB][oO])(?i:ml|dy)[\s/]")
OPTION_TAG = re.compile(r"(?i)(</?)((?:option|optgroup)(?=[\s/>]))")


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Elements whose content is text up to their end tag.
RAW = {
    name: re.compile(rf"(?i)</{name}(?=[\s/>])")
    for name in _names("script style title textarea xmp iframe noembed noframes")
}
# Elements that are never open, or that the next element of their kind closes.
NOT_STACKED = _names(
    "area base br col embed hr img input link meta param source track wbr keygen frame "
    "p li dt dd option optgroup tr td th tbody thead tfoot colgroup caption rt rp rb rtc "
    "html head body"
)
LISTS = _names("ul ol dl menu dir")
# End tags of other elements close nothing beyond these (WHATWG HTML, 13.2.4.2, "special").
SPECIAL = _names(
    "address applet article aside blockquote button center details dir div dl fieldset "
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup iframe listing main "
    "marquee menu nav noembed noframes noscript object ol plaintext pre script search section "
    "select style summary table template textarea title ul xmp"
)
# End tags of special elements close nothing beyond these.
SCOPES = _names("applet marquee object table template select")


def simplify(html: str) -> str:
    """Rename formatting elements and options if there are many; this changes no text.

    Unknown elements have no rules of their own: the parser never opens them again, and keeps no
    list of options.
    """
    tags = html.count("<")
    if tags > FEW_TAGS:
        formatting = len(FORMATTING_START.findall(html))
        if formatting * (tags - formatting) > MAX_REOPENED or formatting**2 > MAX_REOPENED:
            html = FORMATTING_TAG.sub(r"\1x-\2", html)
        if len(OPTION_START.findall(html)) > MAX_OPTIONS:
            html = OPTION_TAG.sub(r"\1x-\2", html)
    return html


def too_complex(html: str) -> str:
    """Say which limit a page exceeds; return "" if it exceeds none.

    >>> too_complex("<p>a")
    ''
    >>> too_complex("<p " + "a " * 1000 + ">")
    'over 256 attributes in <p>'
    """
    tags = html.count("<")
    if tags > MAX_TAGS:
        return f"over {MAX_TAGS} tags"
    lists = len(LIST_TAG.findall(html)) if tags > FEW_TAGS else 0
    nested = tags > DEEP_TAGS or lists * tags > MAX_LIST_STEPS
    simple = not nested and len(html) < NAMES_CHARS and not MANY_ATTRIBUTES.search(html)
    if simple and len(ROOT_TAG.findall(html)) <= MAX_ROOT_TAGS:
        return ""
    return _Pass(html, nested=nested).run()


class _Pass:
    """One pass over a page."""

    def __init__(self, html: str, *, nested: bool) -> None:
        self._html = html
        self._nested = nested  # the page may be nested deeply; if not, only attributes matter
        self._stack: list[str] = []
        self._open: dict[str, int] = {}  # of each name in the stack
        self._names: set[str] | None = set() if len(html) >= NAMES_CHARS else None
        self._root_attributes = 0  # of all <html> and <body>, which the parser merges
        self._foreign = 0  # open <svg> and <math> elements, within which no element is raw
        self._lists = 0
        self._stack_steps = self._list_steps = self._search_steps = 0

    def run(self) -> str:
        """Return the limit that the page exceeds, or ""."""
        html, search = self._html, TAG.search
        place = 0
        while match := search(html, place):
            place = match.end()
            slash, name, attributes = match.groups()
            if name is None:
                continue
            name = name.lower()
            if self._has_many_attributes(name, attributes):
                return f"over {MAX_ATTRIBUTES} attributes in <{name[:20]}>"
            if name in ("svg", "math"):
                self._foreign = max(0, self._foreign + (-1 if slash else 1))
            elif name in RAW and not slash and not self._foreign:
                end = RAW[name].search(html, place)
                place = end.start() if end else len(html)
                continue
            if attributes and self._names is not None:
                self._names.update(ATTRIBUTE.findall(attributes))
                if len(self._names) > MAX_NAMES:
                    return f"over {MAX_NAMES} names of attributes"
            if self._nested and (problem := self._count(slash, name)):
                return problem
        return ""

    def _has_many_attributes(self, name: str, attributes: str) -> bool:
        is_root = name in ("html", "body")
        if len(attributes) < 2 * MAX_ATTRIBUTES and not is_root:
            return False
        found = sum(1 for _ in ATTRIBUTE.finditer(attributes))
        if is_root:
            self._root_attributes += found
            found = self._root_attributes
        return found > MAX_ATTRIBUTES

    def _count(self, slash: str, name: str) -> str:
        if name in NOT_STACKED:
            pass
        elif not slash:
            self._stack.append(name)
            self._open[name] = self._open.get(name, 0) + 1
            if len(self._open) > MAX_NAMES:
                return f"over {MAX_NAMES} names of elements"
            self._lists += name in LISTS
        elif self._open.get(name):
            self._close(name)
        self._stack_steps += len(self._stack)
        self._list_steps += self._lists
        if self._stack_steps > MAX_STACK_STEPS or self._search_steps > MAX_SEARCH_STEPS:
            return "nested too deep"
        return "lists nested too deep" if self._list_steps > MAX_LIST_STEPS else ""

    def _close(self, name: str) -> None:
        """Close the elements up to ``name``, unless an element between them prevents it."""
        stack = self._stack
        barriers = SCOPES if name in SPECIAL else SPECIAL
        depth = 0
        for other in reversed(stack):
            depth += 1
            if other == name:
                break
            if other in barriers:
                self._search_steps += depth
                return
        self._search_steps += depth
        for other in stack[-depth:]:
            self._open[other] -= 1
            self._lists -= other in LISTS
        del stack[-depth:]
