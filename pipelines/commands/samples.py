"""Write small sample inputs of every source."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from pipelines.samples.arxiv import ARXIV_SHARE, write_arxiv_bucket
from pipelines.samples.books import BOOKS_SHARE, write_books
from pipelines.samples.c4 import write_c4
from pipelines.samples.github import write_github_export
from pipelines.samples.stackexchange import STACKEXCHANGE_SHARE, write_stackexchange_dumps
from pipelines.samples.web import WEB_SHARE, write_web_crawl
from pipelines.samples.wikipedia import WIKIPEDIA_SHARE, write_wikipedia_dumps

# Megabytes of text that the bundled recipe ``demo`` needs: its classifier wants 100 cited pages.
DEMO_MEGABYTES = 16.0


def samples(
    *,
    out: Annotated[str, Parameter(help="directory to write them to")],
    megabytes: Annotated[
        float, Parameter(help="size of the text, in all", validator=Number(gt=0))
    ] = DEMO_MEGABYTES,
) -> int:
    """Write sample inputs, made from what is installed here, in the formats of the real ones."""
    written = write_github_export(f"{out}/github", megabytes=megabytes)
    written += write_wikipedia_dumps(f"{out}/wikipedia", megabytes=megabytes * WIKIPEDIA_SHARE)
    written += write_stackexchange_dumps(
        f"{out}/stackexchange", megabytes=megabytes * STACKEXCHANGE_SHARE
    )
    written += write_web_crawl(f"{out}/commoncrawl", megabytes=megabytes * WEB_SHARE)
    written += write_c4(f"{out}/c4", f"{out}/badwords")
    written += write_arxiv_bucket(f"{out}/arxiv", megabytes=megabytes * ARXIV_SHARE)
    written += write_books(f"{out}/gutenberg", megabytes=megabytes * BOOKS_SHARE)
    print(f"wrote {len(written)} files to {out}")
    return 0
