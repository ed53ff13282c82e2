"""Sample pages of the web: WET and WARC files made of what installed packages say of themselves.

Every module of the standard library that describes itself becomes a page of a site of its own,
which the sample's Wikipedia cites; modules of other packages become pages that nobody cites. The
pages have what pages of a crawl have: menus and footers that repeat, short ones, mirrors, other
languages. The same environment gives the same bytes.
"""

import ast
import base64
import gzip
import hashlib
import inspect
import os
import sysconfig
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path

from pipelines.samples.library import MIN_WORDS, module_files, parse, sources, standard_modules
from tokenizer.files import write_atomically

WEB_SHARE = 0.5  # of a sample of all sources, at most
WET_FILES = 2
DATE = "2022-08-01T00:00:00Z"
SITE = "https://{name}.example/"  # a name that nobody can register (RFC 2606)
OTHERS_EACH = 8  # pages of other packages per page of the standard library
MIRROR_EVERY = 12  # one page in 12 has a second address
_MENU = ("Home | Modules | Index", "Search the documentation", "Previous topic | Next topic")
_FOOTER = ("Was this page helpful?", "Report a mistake in this page.", "Back to the top")
# Pages that a crawl has and English text does not want, in our own words.
_GERMAN = """\
Zweimal am Tag steigt das Wasser an der Küste und fällt wieder, weil der Mond und die Sonne an den
Meeren ziehen. Stehen beide in einer Linie mit der Erde, so ist der Hub am größten, und man spricht
von einer Springflut. Eine Woche später ist er am kleinsten. An manchen Küsten beträgt der
Unterschied nur wenige Zentimeter, an anderen mehr als zehn Meter, je nachdem, wie die Bucht geformt
ist und wie lange eine Welle in ihr braucht."""
_FRENCH = """\
Deux fois par jour, la mer monte et redescend le long des côtes, parce que la Lune et le Soleil
attirent les océans. Quand les deux astres sont alignés avec la Terre, la différence est la plus
grande, et l'on parle de vives eaux. Une semaine plus tard, elle est la plus petite. Sur certaines
côtes, elle ne dépasse pas quelques centimètres ; dans d'autres baies, elle atteint plus de dix
mètres, selon la forme du rivage."""
_OTHERS = (
    ("https://gezeiten.example/", "Ebbe und Flut", _GERMAN),
    ("https://marees.example/", "Les marées", _FRENCH),
    ("https://short.example/", "Moved", "This page has moved. Please follow the link."),
)

Module = tuple[str, tuple[str, ...]]  # its name, and what it says of itself


@dataclass(frozen=True, slots=True)
class WebPage:
    """A crawled page."""

    url: str
    title: str
    paragraphs: tuple[str, ...]


def module_url(name: str) -> str:
    """Return the address of the page about a module of the standard library."""
    return SITE.format(name=name.replace("_", "-").replace(".", "-").lower())


def write_web_crawl(directory: str | os.PathLike[str], *, megabytes: float = 1.0) -> list[Path]:
    """Write WET files, and a WARC file with some of their pages as HTML.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of text, at most, beside the pages that are always there.

    Returns:
        the files written, by name.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    pages = list(_pages(int(megabytes * 1e6)))
    written = []
    for number in range(WET_FILES):
        records = [_info(), *map(_wet, pages[number::WET_FILES])]
        written.append(_write(folder / f"sample-{number:05d}.warc.wet.gz", records))
    records = [_info(), *map(_response, pages[:20])]
    (folder / "html").mkdir(exist_ok=True)
    written.append(_write(folder / "html" / "sample-00000.warc.gz", records))
    return written


def _write(path: Path, records: list[bytes]) -> Path:
    write_atomically(path, b"".join(gzip.compress(record, mtime=0) for record in records))
    return path


def _pages(max_bytes: int) -> Iterator[WebPage]:
    """Yield cited and other pages in turn, so that a small sample has both."""
    for url, title, text in _OTHERS:
        yield WebPage(url, title, (text,))
    folders = sysconfig.get_paths()
    own = _modules(standard_modules())
    others = _modules(module_files(Path(folders["purelib"]), "*/**/*.py"))
    number = 0
    for module, other in zip(own, _batches(others), strict=False):
        name, about = module
        for page in (
            WebPage(module_url(name), f"{name} — a module of the standard library", about),
            *(
                WebPage(f"https://{owner}.example/api/{name}.html", f"{owner}: {name}", about)
                for owner, name, about in other
            ),
        ):
            max_bytes -= sum(map(len, page.paragraphs))
            if max_bytes < 0:
                return
            yield page
            number += 1
            if number % MIRROR_EVERY == 0:
                yield WebPage(f"https://mirror.example/{number}", page.title, page.paragraphs)


def _batches(modules: Iterator[Module]) -> Iterator[list[tuple[str, str, tuple[str, ...]]]]:
    """Yield a few pages of other packages at a time, each with the name of its package."""
    while batch := list(islice(modules, OTHERS_EACH)):
        yield [
            (name.partition(".")[0].replace("_", "-").lower(), name, about) for name, about in batch
        ]


def _modules(files: Iterator[tuple[str, Path]]) -> Iterator[Module]:
    """Yield modules with their docstrings; they are read and never imported."""
    for name, source in sources(files):
        try:
            tree = parse(source)
        except (SyntaxError, ValueError):
            continue
        if about := ast.get_docstring(tree):
            yield name, (about, *_descriptions(tree))


def _descriptions(parent: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            about = ast.get_docstring(node) or ""
            if len(about.split()) >= MIN_WORDS:
                yield f"{node.name}: {inspect.cleandoc(about)}"
            if isinstance(node, ast.ClassDef):
                yield from _descriptions(node)


def _lines(page: WebPage) -> list[str]:
    """Return the text of a page with menu and footer, one line per element."""
    body = [" ".join(part.split()) for text in page.paragraphs for part in text.split("\n\n")]
    return [*_MENU, page.title, *body, *_FOOTER]


def _record(kind: str, url: str, content_type: str, block: bytes) -> bytes:
    sha1 = hashlib.sha1(block, usedforsecurity=False).digest()
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\n"
        + (f"WARC-Target-URI: {url}\r\n" if url else "")
        + f"WARC-Date: {DATE}\r\n"
        f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{kind} {url}')}>\r\n"
        f"WARC-Block-Digest: sha1:{base64.b32encode(sha1).decode()}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def _info() -> bytes:
    block = b"software: corpusmill\r\nformat: WARC File Format 1.0\r\n"
    return _record("warcinfo", "", "application/warc-fields", block)


def _wet(page: WebPage) -> bytes:
    text = "\n".join([page.title, *_lines(page)]) + "\n"
    return _record("conversion", page.url, "text/plain", text.encode())


def _response(page: WebPage) -> bytes:
    menu, footer = (" ".join(map(escape, lines)) for lines in (_MENU, _FOOTER))
    body = "\n".join(
        f"<p>{escape(line)}</p>" for line in _lines(page)[len(_MENU) + 1 : -len(_FOOTER)]
    )
    html = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(page.title)}'
        f"</title></head>\n<body><nav>{menu}</nav>\n<h1>{escape(page.title)}</h1>\n{body}\n"
        f"<footer>{footer}</footer></body></html>\n"
    ).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(html)}\r\n\r\n"
    ).encode()
    return _record("response", page.url, "application/http; msgtype=response", head + html)
