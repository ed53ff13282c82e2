"""What becomes of templates, links and tables: the one renderer behind both parsers.

A parser finds where a construct starts and ends, innermost first, and hands its parts over as text.
The answer takes the construct's place in what encloses it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from filters.wikipedia.markers import BLOCK, BREAK, EMPTY, EQUALS, FRESH_LINE, IN_ITEM, REMOVED
from filters.wikipedia.sites import Site, fold
from filters.wikipedia.templates import Page, dropped_name

# A name and its arguments, as `filters.wikipedia.templates.render_template` takes them.
RenderTemplate = Callable[[str, Sequence[tuple[str | None, str]], Site, Page], str | None]

# Around names and values; the last two are marks of direction, which titles cannot have.
_STRIPPED: Final = f" \t\n{BLOCK}{BREAK}{EMPTY}{FRESH_LINE}{REMOVED}\u200e\u200f"
_MAX_PREFIX_CHARS: Final = 100  # namespaces have shorter names
_NAME_MARKS: Final = str.maketrans(
    dict.fromkeys((BLOCK, BREAK, EMPTY, FRESH_LINE, IN_ITEM, REMOVED), "")
)


class Renderer:
    """Render the constructs of one page, and remember which templates were dropped."""

    def __init__(self, site: Site, page: Page, render_template: RenderTemplate) -> None:
        self.site = site
        self.page = page
        self.dropped: list[str] = []
        self._render_template = render_template
        self._unlinked = site.file_names | site.category_names | site.language_codes

    def mark(self) -> int:
        """Return a mark to give back with the construct that starts here."""
        return len(self.dropped)

    def template(self, parts: list[str], mark: int) -> str:
        """Render ``{{name|arguments}}``."""
        name = " ".join(parts[0].translate(_NAME_MARKS).replace("_", " ").split())
        if not name:
            return self._removed(mark)
        arguments: list[tuple[str | None, str]] = []
        for part in parts[1:]:
            key, equals, value = part.partition("=")
            value = (value if equals else key).strip(_STRIPPED).replace(EQUALS, "=")
            arguments.append((key.strip(_STRIPPED) if equals else None, value))
        text = self._render_template(name.replace(EQUALS, "="), arguments, self.site, self.page)
        if text is None:
            del self.dropped[mark:]  # what stands in it was not dropped on its own account
            self.dropped.append(dropped_name(name, self.site))
            return REMOVED
        if text.startswith(IN_ITEM):  # whether it shows is not known yet (`place_templates`)
            return IN_ITEM + dropped_name(name, self.site) + text
        # `[` before a text in brackets of its own makes no link of the two.
        return (EMPTY + text if text.startswith("[") else text) or REMOVED

    def argument(self, parts: list[str]) -> str:
        """Render ``{{{name|default}}}``: the default, as no argument is given on a page."""
        return "|".join(parts[1:]) or REMOVED

    def is_file(self, target: str) -> bool:
        """Tell whether a link's target, or what is there of it, is a file."""
        prefix, colon, _ = target[:_MAX_PREFIX_CHARS].strip(_STRIPPED).partition(":")
        return bool(colon) and fold(prefix) in self.site.file_names

    def link(self, parts: list[str], mark: int) -> str:
        """Render ``[[target|label]]``."""
        target = parts[0].strip(_STRIPPED)
        prefix, colon, _ = target.partition(":")
        if colon and fold(prefix) in self._unlinked:
            return self._removed(mark)
        if len(parts) == 1:
            return self._shown(target) or REMOVED
        label = "|".join(parts[1:])
        return label if label.strip(_STRIPPED) else _pipe_trick(target) or REMOVED

    def _shown(self, target: str) -> str:
        """Return what a link without a label shows."""
        if "://" in target:  # an external link, in brackets of its own
            label = target.partition(" ")[2].strip()
            return f"[{label}]" if label else ""
        prefix, colon, rest = target.partition(":")
        if colon and not prefix.strip():  # `[[:Category:X]]`
            target = rest.strip()
            prefix, colon, rest = target.partition(":")
            if colon and fold(prefix) in self.site.language_codes:
                return rest.strip()
        return rest.strip() if colon and fold(prefix) in self.site.interwiki else target

    def table(self, mark: int) -> str:
        """Render a table: tables are removed."""
        return self._removed(mark)

    def _removed(self, mark: int) -> str:
        del self.dropped[mark:]
        return REMOVED


def _pipe_trick(target: str) -> str:
    """Return the label that MediaWiki makes of `[[target|]]`.

    >>> _pipe_trick("Help:Mercury (planet)"), _pipe_trick("Paris, Texas")
    ('Mercury', 'Paris')
    """
    label = target.lstrip(":").rpartition(":")[2].strip()
    if label.endswith(")") and " (" in label:
        return label[: label.rindex(" (")].strip()
    return label.partition(",")[0].strip() or label
