"""Small runs whose inputs and run directories lie on a store, and what they asked it for."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.__main__ import main
from pipelines.samples.wikipedia import write_wikipedia_dumps
from pipelines.storage import files as storage
from tests.pipelines.commoncrawl.crawl import page, sentence, wet_record, write_crawl, write_models

_PREFIX = re.compile(r"prefix=([^&]*)")
PAGES = 10  # of a file


def crawl(folder: Path, files: int) -> tuple[list[str], list[Path]]:
    """Write a crawl of small files and tiny models; return words of a command, and the files.

    Paragraphs, pages and digests meet across files, and each file has another page's url.
    """
    models = folder / "models"
    models.mkdir(parents=True)
    write_models(models)
    made = {}
    for file in range(files):
        records = []
        for number in range(PAGES):
            own = file * PAGES + number
            lines = [sentence(own * 3 + 100), sentence(own * 3 + 101), sentence(own % 50)]
            url, digest = f"http://example.com/{file}/{number}", f"sha1:{own}"
            records.append(wet_record(url, "\n".join(lines), digest=digest))
        made[f"made-{file:02d}"] = [*records, page(file % 12, (file + 1) % 12)]
    words = ["commoncrawl", "--models", str(models), "--scope", "dump", "--keep", "first"]
    words += ["--langid", f"{models}/lid.bin", "--wikiref", f"{models}/wikiref.bin"]
    return [*words, "--allow-empty"], [Path(path) for path in write_crawl(folder / "in", made)]


def wikipedia(folder: Path) -> tuple[list[str], list[Path]]:
    """Write dumps of Wikipedia; return words of a command, and the files."""
    return ["wikipedia"], write_wikipedia_dumps(folder / "in", megabytes=0.1)


def upload(files: Iterable[Path], folder: str) -> None:
    """Copy local files to a folder of a store."""
    for file in files:
        storage.write_bytes(f"{folder}/{file.name}", file.read_bytes())


def run(words: Sequence[str], inputs: str, there: str, runner: Sequence[str] = ()) -> int:
    """Give a command; return its exit code."""
    flags = ["--input", inputs, "--run", there, "--quiet", "--workers", "2"]
    return main([*words, *flags, *(["--", *runner] if runner else [])])


def kinds(requests: Iterable[str]) -> Counter[str]:
    """Return requests to a bucket by method and folder, such as ``GET run/units``."""
    counts = Counter[str]()
    for request in requests:
        method, address = request.split(" ", 1)
        path, _, query = address.partition("?")
        folders = path.strip("/").split("/")[1:]  # without the bucket
        if found := _PREFIX.search(query):
            counts["LIST " + found[1].replace("%2F", "/").strip("/")] += 1
        elif "delete" in query:
            counts["DELETE"] += 1
        else:
            counts[f"{method} {'/'.join(folders[:-1])}"] += 1
    return counts
