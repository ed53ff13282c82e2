"""The web pages that Wikipedia cites, from its dumps (``spec/web.md`` 8.3)."""

from collections.abc import Iterable, Iterator

from filters.wiki_references import reference_urls
from filters.wikipedia_pages import ARTICLES
from pipelines import storage
from pipelines.readers.rows import BadRow
from pipelines.readers.wikipedia import read_pages
from pipelines.wikipedia_dumps import is_dump


def read_reference_urls(paths: Iterable[str]) -> Iterator[str]:
    """Yield the addresses that articles give as references, as they stand in them.

    An address comes once a page, and may come again with another. Pages that cannot be read are
    passed over: the run of the source counts them.

    Args:
        paths: dumps, local or not; what lies beside them (indexes, checksums) is passed over.

    Raises:
        UnreadableFile: a dump is not compressed XML at all.
    """
    for path in paths:
        name = storage.basename(path)
        if not is_dump(name):
            continue
        with storage.open_input(path) as stream:
            for page in read_pages(stream, name):
                if not isinstance(page, BadRow) and page.namespace == ARTICLES and page.text:
                    yield from reference_urls(page.text)
