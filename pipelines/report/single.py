"""Write the plain text of one document as the smallest input of a source.

So a text goes through the source's own reader. What a record has besides its text (an address, a
path, a licence) is made up here, and is told to the user.
"""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from pipelines.samples.dumps import WikiPage, head_xml, page_xml
from pipelines.samples.stackexchange import posts_xml
from pipelines.samples.threads import question

_URL = "https://explain.example/"
_TITLE = "Title"


def _wet(text: str) -> bytes:
    body = text.encode("utf-8", "replace")
    head = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {_URL}\r\n"
        "WARC-Date: 2022-08-01T00:00:00Z\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def _joined_row(text: str, path: str) -> bytes:
    row = {"id": None, "size": len(text), "content": text, "binary": False, "copies": 1}
    row |= {"repo_name": "owner/repository", "path": path, "license": "mit"}
    row |= {"ref": "refs/heads/main", "mode": 33188}
    return f"{json.dumps(row)}\n".encode()


def _dump(text: str) -> bytes:
    page = page_xml(WikiPage(1, _TITLE, text))
    return f"{head_xml('enwiki', {0: '', 1: 'Talk'})}{page}</mediawiki>\n".encode()


def _tar(text: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w:gz", format=tarfile.GNU_FORMAT) as submission:
            _add(submission, "main.tex", text.encode("utf-8", "replace"))
        _add(archive, "2208/2208.00001.gz", inner.getvalue())
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


# By source: the file's name, its content, and what is made up, for the user.
_FORMS: dict[str, tuple[str, Callable[[str, str], bytes], str]] = {
    "commoncrawl": (
        "text.warc.wet.gz",
        lambda text, _: _wet(f"{_TITLE}\n{text}"),
        f"a page at {_URL}",
    ),
    "c4": ("text.warc.wet.gz", lambda text, _: _wet(text), f"a page at {_URL}"),
    "github": ("joined-000000000000.json", _joined_row, "{name} in an MIT-licensed repository"),
    "wikipedia": (
        "enwiki-20220801-pages-articles.xml",
        lambda text, _: _dump(text),
        "wikitext of an English article",
    ),
    "books": (
        "90000.txt",
        lambda text, _: text.encode("utf-8", "replace"),
        "a text of Project Gutenberg",
    ),
    "arxiv": ("arXiv_src_2208_001.tar", lambda text, _: _tar(text), "main.tex of a submission"),
    "stackexchange": (
        "explain.example.com/Posts.xml",
        lambda text, _: posts_xml([question(1, _TITLE, text)]),
        "the HTML of a question's body",
    ),
}


def write_text(source: str, text: str, name: str, folder: Path) -> tuple[str, str]:
    """Write a text as an input file of a source.

    Args:
        source: name of the source.
        text: the document.
        name: name of the file that held the text, which is the path of a source file.
        folder: where to write.

    Returns:
        the path of the input file, and what the text was taken for.
    """
    file_name, render, taken_for = _FORMS[source]
    path = folder / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(text, name))
    return str(path), taken_for.format(name=name)
