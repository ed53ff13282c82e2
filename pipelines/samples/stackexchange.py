"""A sample dump of Stack Exchange: a site of our own (docs/rules/sources.md 5.1)."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import py7zr

from pipelines.samples.threads import KETTLES, SamplePost
from tokenizer.files import write_atomically

SITE = "kettles.example.com"
_REFERENCES = {"\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;", '"': "&quot;"}


def write_stackexchange_dumps(directory: str | os.PathLike[str]) -> list[Path]:
    """Write the archive of the site; return the files written.

    Args:
        directory: made if absent; files of an earlier call are replaced.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{SITE}.7z"
    write_atomically(path, archive({"Posts.xml": posts_xml(KETTLES), "Tags.xml": b"<tags />\n"}))
    return [path]


def archive(members: dict[str, bytes]) -> bytes:
    """Return a 7z archive of some files."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as packed:
        for name, content in members.items():
            packed.writef(io.BytesIO(content), name)
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
