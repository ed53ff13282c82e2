"""The text of a language model: introductions of Wikipedia's articles (docs/rules/web.md 6.1).

Inputs are complete runs of our Wikipedia source, or search dumps as cc_net uses them
(``enwiki-20190225-cirrussearch-content.json.gz``), where a line that names a page is followed by a
line with its content.
"""

import bz2
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from filters.wikipedia.introduction import introduction
from pipelines.engine.documents import read_rows, valid_utf8
from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run, open_completed
from pipelines.storage import files as storage

Part = Literal["opening", "whole"]
_DUMP_FIELD: dict[Part, str] = {"opening": "opening_text", "whole": "text"}


@dataclass
class LmText:
    """The texts of some inputs, which each iteration reads again in the same order.

    Attributes:
        runs: complete runs.
        dumps: search dumps.
        lang: language of the documents to take from runs; a dump has only one.
        part: whether to take the introduction of an article or all of it.
        bad_records: how many lines of dumps the last iteration could not read.
    """

    runs: tuple[Run, ...]
    dumps: tuple[storage.InputFile, ...]
    lang: str
    part: Part
    bad_records: int = 0

    def identity(self) -> list[str]:
        """Return what identifies these inputs: the manifests of runs and the sizes of dumps."""
        runs = [storage.read_bytes(run.at("COMPLETED")).decode().strip() for run in self.runs]
        dumps = [f"{storage.basename(dump.path)} ({dump.size} bytes)" for dump in self.dumps]
        return [*runs, *dumps]

    def __iter__(self) -> Iterator[str]:
        """Yield the texts that are not empty.

        Raises:
            RunError: a dump cannot be read to its end.
        """
        self.bad_records = 0
        for run in self.runs:
            for file in run.documents():
                yield from _of_documents(run.at(file.path), self.lang, self.part)
        for dump in self.dumps:
            yield from self._of_dump(dump.path)

    def _of_dump(self, path: str) -> Iterator[str]:
        field = _DUMP_FIELD[self.part]
        try:
            with storage.open_input(path) as raw, _decompressed(raw, path) as lines:
                for line in lines:
                    # Skip the lines that name pages: they have no text, and parsing takes time.
                    if line.startswith(b'{"index"'):
                        continue
                    try:
                        text = json.loads(line).get(field)
                    except (ValueError, AttributeError):  # not JSON, or not an object
                        self.bad_records += 1
                        continue
                    if isinstance(text, str) and text:
                        yield valid_utf8(text)
        except (OSError, EOFError, zlib.error) as error:
            raise RunError(
                f"{path}: cannot be read to its end ({error}). Fetch it again."
            ) from error


def find_lm_text(inputs: Sequence[str], lang: str, part: Part) -> LmText:
    """Find runs and dumps.

    Raises:
        RunError: an input is neither a run of Wikipedia nor a dump, or a run is not complete.
        StorageError: an input does not exist.
    """
    runs = [open_completed(path) for path in sorted(inputs) if is_run(path)]
    others = [path for path in inputs if not is_run(path)]
    dumps = storage.find_inputs(others) if others else []
    for dump in dumps:
        if not dump.path.endswith((".json.gz", ".json.bz2", ".json")):
            raise RunError(
                f"{dump.path}: neither a run of Wikipedia nor a search dump (.json.gz). Curate a "
                f"pages-articles dump first: `python -m pipelines wikipedia --input {dump.path} "
                "--run RUN`, then give that run."
            )
    for run in runs:
        if run.source != "wikipedia":
            raise RunError(
                f"{run.path} is a run of {run.source}, but the language model is trained on "
                "Wikipedia. Name a run of wikipedia."
            )
    return LmText(tuple(runs), tuple(dumps), lang, part)


def _decompressed(raw: BinaryIO, path: str) -> BinaryIO | gzip.GzipFile | bz2.BZ2File:
    if path.endswith(".gz"):
        return gzip.open(raw)
    return bz2.open(raw) if path.endswith(".bz2") else raw


def is_run(path: str) -> bool:
    """Return whether a path is a run directory, complete or not."""
    return storage.exists(storage.join(path, "config.json"))


def _of_documents(path: str, lang: str, part: Part) -> Iterator[str]:
    with storage.open_input(path) as stream:
        for row in read_rows(stream, ["lang", "text", "meta"]):
            if row["lang"] != lang:
                continue
            text: str = row["text"]
            if part == "opening":
                text = introduction(text, str(json.loads(row["meta"]).get("title", "")))
            if text:
                yield text
