"""Collect the pages and the site information of MediaWiki's export XML from expat's events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_TEXT_CHARS = 16 << 20  # of one page; MediaWiki itself allows 2 MiB
MAX_TAG_BYTES = 16 << 20  # of one tag with its attributes; expat keeps a tag until its end
MAX_DIGITS = 18  # of an id or a namespace; MediaWiki's are integers of 32 or 64 bits
_BUFFER_BYTES = 1 << 16  # of text per call from expat

# (parent, element) -> the field for its text: `id` occurs in page, revision and contributor.
_PAGE_FIELDS = {"title", "ns", "id"}
_REVISION_FIELDS = {"id", "timestamp", "model", "text"}
_FIELDS = {
    **{("page", name): name for name in _PAGE_FIELDS},
    **{("revision", name): f"revision.{name}" for name in _REVISION_FIELDS},
    **{("siteinfo", name): name for name in ("dbname", "base")},
    ("namespaces", "namespace"): "namespace",
}


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """The facts that a dump states about its wiki; a fact that is not stated is empty."""

    dbname: str = ""  # such as enwiki
    base: str = ""  # address of the main page
    namespaces: Mapping[int, str] = field(default_factory=dict)  # key -> local name


class _Broken(Exception):  # noqa: N818 - named for the page
    """The elements of a page are invalid; this is raised through expat."""

    def __init__(self, reason: str, problem: str, at: int) -> None:
        super().__init__(problem)
        self.reason = reason
        self.at = at  # byte where the tag begins; expat forgets it


class ExportParser:
    """A parser of the elements of one dump, from its root to the first damage."""

    def __init__(self) -> None:
        self.pages: list[dict[str, str]] = []  # complete pages that the caller has not taken yet
        self.site: SiteInfo | None = None  # set when its element has ended
        self.open: dict[str, str] | None = None  # the current page
        self.depth = 0
        self.root = ""
        self._site: dict[str, str] = {}
        self._namespaces: dict[int, str] = {}
        self._path: list[str] = []
        self._attributes: dict[str, str] = {}
        self._text: list[str] = []
        self._characters = 0
        self._fed = 0  # bytes fed before the current call
        self._expat = expat.ParserCreate()
        # Expat 2.6 waits for more bytes before it looks at an unfinished token again, and would
        # find damage later than earlier releases, which have no such switch.
        if switch := getattr(self._expat, "SetReparseDeferralEnabled", None):
            switch(False)
        self._expat.buffer_text = True
        self._expat.buffer_size = _BUFFER_BYTES
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def feed(self, data: bytes) -> tuple[str, str, bytes] | None:
        """Parse bytes; at damage return the reason, the detail, and the bytes from there on."""
        try:
            self._expat.Parse(data, False)
        except _Broken as error:
            return error.reason, str(error), data[max(0, error.at - self._fed) :]
        except expat.ExpatError as error:
            return "bad_xml", str(error), data[max(0, self._expat.ErrorByteIndex - self._fed) :]
        tag = max(
            0, self._expat.CurrentByteIndex - self._fed
        )  # where a tag begins that has not ended
        self._fed += len(data)
        if self._fed - self._expat.CurrentByteIndex > MAX_TAG_BYTES:
            # The bytes returned begin after the start of the tag, or it would be found again.
            return "too_large", f"a tag of more than {MAX_TAG_BYTES} bytes", data[tag + 1 :]
        return None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        path = self._path
        parent = path[-1] if path else ""
        if name == "page":
            if len(path) != 1:
                at = self._expat.CurrentByteIndex
                raise _Broken("bad_xml", "a page begins inside another element", at)
            self.open = {}
        elif name == "revision" and self.open is not None:
            self.open = {k: v for k, v in self.open.items() if not k.startswith("revision.")}
        elif name == "redirect" and parent == "page" and self.open is not None:
            self.open["redirect"] = attributes.get("title", "")
        elif (parent, name) in _FIELDS:
            self._attributes = attributes
            self._text = []
            self._characters = 0
            self._expat.CharacterDataHandler = self._characters_of_field
        elif not path:
            self.root = name
        path.append(name)

    def _characters_of_field(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_TEXT_CHARS:
            at = self._expat.CurrentByteIndex
            raise _Broken("too_large", f"a text of more than {MAX_TEXT_CHARS} characters", at)
        self._text.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        path = self._path
        path.pop()
        parent = path[-1] if path else ""
        if key := _FIELDS.get((parent, name)):
            self._expat.CharacterDataHandler = None
            text = "".join(self._text)
            if key == "namespace":
                self._name_space(text)
            elif parent == "siteinfo":
                self._site[key] = text
            elif self.open is not None and "deleted" not in self._attributes:
                self.open[key] = text
        elif name == "page" and self.open is not None:
            self.pages.append(self.open)
            self.open = None
        elif name == "siteinfo":
            self.site = SiteInfo(**self._site, namespaces=self._namespaces)

    def _name_space(self, text: str) -> None:
        key = self._attributes.get("key", "")
        if is_integer(key):
            self._namespaces[int(key)] = text

    @property
    def closed(self) -> bool:
        """Whether the root element has ended."""
        return bool(self.root) and not self._path


def is_integer(text: str) -> bool:
    """Tell whether a text is an integer that MediaWiki would write."""
    return len(text) <= MAX_DIGITS and text.removeprefix("-").isdecimal()
