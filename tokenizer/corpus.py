"""What a tokenizer is trained on: run directories, JSON lines and plain text, as documents.

A document's id decides whether it is sampled. Where an input has no ids, an id is made from the
content, so that the sample depends neither on the names of files nor on their order.
"""

import glob
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tokenizer.errors import UserError
from tokenizer.runs import FinishedRun, RunDirectoryError, open_run, read_batches

COLUMNS: Final = ("id", "source", "text")
BLOCK_BYTES: Final = 65_536  # plain text is sampled in blocks of whole lines of about this size
BAD_RECORDS_KEPT: Final = 100  # to be shown; all are counted


class CorpusError(UserError, ValueError):
    """An input that is not there, not finished or not readable."""


@dataclass(frozen=True, slots=True)
class Text:
    """One document of the corpus."""

    id: str
    source: str
    text: str
    lang: str = ""  # ISO 639-1; empty where the input does not say


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that is no document: where it is, and why."""

    where: str
    why: str


class Corpus:
    """The documents of some inputs; they are read anew each time it is iterated over.

    Attributes:
        files: all files, in the order of reading.
        bad_records: how many records the last reading passed over.
        bad: the first of them.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        """Find the files of ``inputs``.

        Args:
            inputs: each a run directory, a ``.jsonl``, ``.jsonl.gz`` or ``.json.gz`` file of
                objects with "text" and perhaps "id", "source" and "lang", any other file as UTF-8
                text, ``.gz`` or not, or a pattern of such names. All documents of a run have the
                source that it curates, as mixtures name it: those of Project Gutenberg are
                "books". The source of a file that names none is the file's name up to its first
                dot.

        Raises:
            CorpusError: a name or pattern without files, or a run that is not finished.
        """
        self.bad_records = 0
        self.bad: list[BadRecord] = []
        paths = [path for name in inputs for path in _expand(name)]
        self._sources: dict[Path, str] = {}  # of the files of runs
        self.files = [file for path in paths for file in self._files(path)]
        if not self.files:
            raise CorpusError("no input: give run directories, .jsonl or text files")

    def __iter__(self) -> Iterator[Text]:
        """Read all documents; raises CorpusError for a file that cannot be read."""
        self.bad_records, self.bad = 0, []
        for path in self.files:
            try:
                for record in self._records(path):
                    if isinstance(record, BadRecord):
                        self.bad_records += 1
                        if len(self.bad) < BAD_RECORDS_KEPT:
                            self.bad.append(record)
                    else:
                        yield record
            except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
                raise CorpusError(f"{path}: cannot be read ({error})") from None

    def _files(self, path: Path) -> list[Path]:
        if not path.is_dir():
            if path.suffix == ".parquet":
                raise CorpusError(f"{path}: give the run directory, not one of its files")
            return [path]
        run = _open_run(path)
        files = [file.path for file in run.files]
        self._sources |= dict.fromkeys(files, run.source)
        return files

    def _records(self, path: Path) -> Iterator[Text | BadRecord]:
        if path in self._sources:
            return _read_parquet(path, self._sources[path])
        if path.name.endswith((".jsonl", ".jsonl.gz", ".json.gz")):
            return _read_json_lines(path)
        return _read_plain_text(path)


def _expand(name: str) -> list[Path]:
    if name and Path(name).exists():
        return [Path(name)]
    found = sorted(glob.glob(name)) if glob.has_magic(name) else []  # noqa: PTH207 - absolute ones too
    if not found:
        raise CorpusError(f"{name or 'empty name'}: no such file or directory")
    return [Path(path) for path in found]


def files_of_run(path: Path, folder: str = "documents") -> list[Path]:
    """Return the files in a folder of a run.

    Raises:
        CorpusError: as `open_run` says.
    """
    return [file.path for file in _open_run(path, folder).files]


def _open_run(path: Path, folder: str = "documents") -> FinishedRun:
    try:
        return open_run(path, folder)
    except RunDirectoryError as error:
        raise CorpusError(str(error)) from None


def _read_parquet(path: Path, source: str) -> Iterator[Text | BadRecord]:
    there = pq.read_schema(path).names
    if missing := set(COLUMNS) - set(there):
        raise CorpusError(f"{path}: no column {', '.join(sorted(missing))}")
    row = 0
    for batch in read_batches(path, [name for name in (*COLUMNS, "lang") if name in there]):
        for record in batch.to_pylist():
            yield _text({**record, "source": source}, f"{path}: row {row}")
            row += 1


def _read_json_lines(path: Path) -> Iterator[Text | BadRecord]:
    source = _source(path)
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            where = f"{path}: line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                yield BadRecord(where, str(error))
                continue
            if not isinstance(record, dict) or not isinstance(record.get("text"), str):
                yield BadRecord(where, "no object with a text")
                continue
            record.setdefault("source", source)
            if "id" not in record:
                record["id"] = _content_id(record["text"].encode(errors="surrogatepass"))
            yield _text(record, where)


def _read_plain_text(path: Path) -> Iterator[Text | BadRecord]:
    source = _source(path)
    with _open(path) as file:
        number = 1
        while lines := file.readlines(BLOCK_BYTES):
            if number == 1:
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")  # byte order mark
            good = []
            for line in lines:
                try:
                    good.append(line.decode())
                except UnicodeDecodeError as error:
                    yield BadRecord(f"{path}: line {number}", f"not UTF-8 ({error.reason})")
                number += 1
            text = "".join(good)
            yield Text(_content_id(text.encode()), source, text)


def _text(record: dict[str, Any], where: str) -> Text | BadRecord:
    """A document of a record, whose id may be a number, or what is wrong with it."""
    document_id, source, text = (record[name] for name in COLUMNS)
    if not isinstance(source, str) or not isinstance(text, str) or document_id is None:
        return BadRecord(where, "id, source or text is missing")
    try:
        text.encode()
    except UnicodeEncodeError:
        return BadRecord(where, "a lone surrogate in the text")
    lang = record.get("lang")
    return Text(str(document_id), source, text, lang if isinstance(lang, str) else "")


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _source(path: Path) -> str:
    return path.name.split(".")[0]


def _content_id(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
