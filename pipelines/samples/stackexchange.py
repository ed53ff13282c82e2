"""Sample dumps of Stack Exchange: a site of our own, and one of the standard library's own words.

The demonstration needs some text to train on. Each module of the standard library that describes
itself becomes a question; its description and those of its functions and classes are the answers.
It is read from its source and not imported. The same Python gives the same posts
(docs/rules/sources.md 5.1).
"""

import ast
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import py7zr
from py7zr.helpers import ArchiveTimestamp

from pipelines.samples.library import (
    described,
    paragraphs,
    parse,
    signature,
    sources,
    standard_modules,
)
from pipelines.samples.threads import KETTLES, SamplePost, answer, question
from tokenizer.files import write_atomically

SITE, MODULES_SITE = "kettles.example.com", "modules.example.com"
STACKEXCHANGE_SHARE = 0.1  # of a sample of all sources, at most
_WRITTEN = ArchiveTimestamp.from_datetime(1_659_312_000)  # 1 August 2022, in seconds since 1970
_REFERENCES = {"\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;", '"': "&quot;"}


def write_stackexchange_dumps(
    directory: str | os.PathLike[str], *, megabytes: float = 0.0
) -> list[Path]:
    """Write the archives of the sites; return the files written.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of posts about modules, at most; without any their site is left out.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    sites = {SITE: KETTLES, MODULES_SITE: tuple(_modules(int(megabytes * 1e6)))}
    written = []
    for site, posts in sites.items():
        if posts:
            written.append(folder / f"{site}.7z")
            members = {"Posts.xml": posts_xml(posts), "Tags.xml": b"<tags />\n"}
            write_atomically(written[-1], archive(members))
    return written


def _modules(max_bytes: int) -> Iterator[SamplePost]:
    """Yield threads about modules, in the order of their names."""
    number = 0
    for name, source in sources(standard_modules()):
        if max_bytes <= 0:
            return
        try:
            thread = module_thread(name, source, number + 1)
        except (SyntaxError, ValueError):
            continue
        number += len(thread)
        max_bytes -= sum(len(post.body or "") for post in thread)
        yield from thread


def module_thread(name: str, source: str, number: int) -> list[SamplePost]:
    """Return a question on a module and its answers, by what its source says; [] if nothing.

    Args:
        name: of the module.
        source: its text.
        number: id of the question; the answers follow.

    Raises:
        SyntaxError, ValueError: it is no Python.
    """
    tree = parse(source)
    about = ast.get_docstring(tree)
    if not about:
        return []
    posts = [
        question(
            number,
            f"What is the module {name} for?",
            f"<p>I found <code>import {name}</code> in a program. What does it do, and what is in "
            "it?</p>\n",
            tags="<python><standard-library>",
        ),
        answer(number + 1, number, _html(about), source.count("\n")),
    ]
    for node, description in described(tree):
        told = f"<pre><code>{escape(signature(node))}\n</code></pre>\n\n{_html(description)}"
        posts.append(answer(number + len(posts), number, told, len(told) % 100 - 5))
    return posts


def _html(text: str) -> str:
    """Return a description as HTML: paragraphs, and what is indented as it stands."""
    found = [
        f"<pre><code>{escape(plain)}\n</code></pre>" if is_code else f"<p>{escape(plain)}</p>"
        for plain, is_code in paragraphs(text)
    ]
    return "\n\n".join(found) + "\n"


def archive(members: dict[str, bytes]) -> bytes:
    """Return a 7z archive of some files."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as packed:
        for name, content in members.items():
            packed.writef(io.BytesIO(content), name)
        for file in packed.header.files_info.files:  # or it is the time of this call
            file["lastwritetime"] = _WRITTEN
    return out.getvalue()


def posts_xml(posts: Iterable[SamplePost]) -> bytes:
    """Return the posts as a ``Posts.xml``."""
    rows = "".join(f"  {row_xml(post)}\r\n" for post in posts)
    head = '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
    return f"{head}{rows}</posts>".encode()


def row_xml(post: SamplePost) -> str:
    """Return the row of a post."""
    values = {
        "Id": post.id,
        "PostTypeId": post.post_type,
        "AcceptedAnswerId": post.accepted,
        "ParentId": post.parent,
        "CreationDate": post.created,
        "Score": post.score,
        "ViewCount": 100 * post.id if post.title else None,
        "Body": post.body,
        "OwnerUserId": post.owner,
        "Title": post.title,
        "Tags": post.tags,
        "ContentLicense": post.license,
    }
    attributes = (
        f'{name}="{escape(str(value), _REFERENCES)}"'
        for name, value in values.items()
        if value is not None
    )
    return f"<row {' '.join(attributes)} />"
