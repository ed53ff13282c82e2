"""Write small sample inputs of every source."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
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
from tokenizer.errors import UserError

# Megabytes of text that the bundled recipe ``demo`` needs: its classifier wants 100 cited pages.
DEMO_MEGABYTES = 16.0

Writer = Callable[[], list[Path]]  # writes the inputs of a source, and returns their files


def samples(
    *,
    out: Annotated[str, Parameter(help="directory to write them to")],
    megabytes: Annotated[
        float, Parameter(help="size of the text, in all", validator=Number(gt=0))
    ] = DEMO_MEGABYTES,
    workers: Annotated[
        int, Parameter(help="worker processes of this machine", validator=Number(gte=1))
    ] = 1,
) -> int:
    """Write sample inputs, made from what is installed here, in the formats of the real ones."""
    if Path(out).is_file():
        raise UserError(f"--out {out}: it is a file; name a directory")
    written = write(_writers(Path(out), megabytes), workers)
    print(f"wrote {len(written)} files to {out}")
    return 0


def _writers(out: Path, megabytes: float) -> list[Writer]:
    """Return what writes the inputs of each source; what takes longest comes first."""
    return [
        partial(write_web_crawl, out / "commoncrawl", megabytes=megabytes * WEB_SHARE),
        partial(
            write_stackexchange_dumps,
            out / "stackexchange",
            megabytes=megabytes * STACKEXCHANGE_SHARE,
        ),
        partial(write_wikipedia_dumps, out / "wikipedia", megabytes=megabytes * WIKIPEDIA_SHARE),
        partial(write_arxiv_bucket, out / "arxiv", megabytes=megabytes * ARXIV_SHARE),
        partial(write_books, out / "gutenberg", megabytes=megabytes * BOOKS_SHARE),
        partial(write_github_export, out / "github", megabytes=megabytes),
        partial(write_c4, out / "c4", out / "badwords"),
    ]


def write(writers: Sequence[Writer], workers: int) -> list[Path]:
    """Run writers side by side, as many at a time as there are workers; return all files.

    Raises:
        OSError: a directory cannot be written.
    """
    if workers == 1:
        return [path for writer in writers for path in writer()]
    context = multiprocessing.get_context("fork")  # all is imported
    with ProcessPoolExecutor(min(workers, len(writers)), mp_context=context) as pool:
        running = [pool.submit(writer) for writer in writers]
        return [path for each in running for path in each.result()]
