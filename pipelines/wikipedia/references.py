"""Collect the addresses of web pages that Wikipedia's dumps cite (docs/rules/web.md 8.3)."""

from collections.abc import Iterable, Iterator

from filters.wikipedia.pages import ARTICLES
from filters.wikipedia.references import reference_urls
from pipelines.engine.errors import RunError
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage import files as storage
from pipelines.wikipedia.dumps import is_dump
from pipelines.wikipedia.records import read_pages


def read_reference_urls(paths: Iterable[str]) -> Iterator[str]:
    """Yield the addresses that articles cite as references, unchanged.

    An address comes once per page, and several pages may give the same one. Pages that cannot be
    read are skipped: the run of the source counts them.

    Args:
        paths: dumps, local or remote; other files beside them (indexes, checksums) are ignored.

    Raises:
        RunError: there is no dump among the paths, or one is not compressed XML at all.
    """
    dumps = [path for path in paths if is_dump(storage.basename(path))]
    if not dumps:
        raise RunError("no dump of Wikipedia: give WIKI-DATE-pages-articles-multistream.xml.bz2")
    for path in dumps:
        try:
            with storage.open_input(path) as stream:
                for page in read_pages(stream, storage.basename(path)):
                    if not isinstance(page, BadRow) and page.namespace == ARTICLES and page.text:
                        yield from reference_urls(page.text)
        except UnreadableFile as error:
            raise RunError(str(error)) from error
