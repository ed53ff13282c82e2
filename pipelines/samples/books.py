"""Sample books in the layout of Project Gutenberg: handbooks made of the standard library's words.

The modules of the standard library describe themselves; those of one letter make a volume, wrapped
and enveloped as an ebook is. One volume has a second edition under a number of its own and in
another encoding, two are inside a collection, one is there in two files, one is too short, and one
is no text by the catalogue. The same Python gives the same bytes.
"""

import ast
import inspect
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pipelines.samples.library import described, parse, sources, standard_modules
from tokenizer.files import write_atomically

BOOKS_SHARE = 0.1  # of a sample of all sources, at most
FIRST_NUMBER = 90001  # of an ebook
MIN_VOLUME_WORDS = 1500  # of the words of a letter's modules that make a volume
WIDTH = 72  # characters of a line
ALWAYS = 4  # volumes that are written whatever the size asked for
_BREAK = re.compile(r"\n[ \t]*\n")

HEADER = """The Project Gutenberg eBook of {title}, by The Modules

This sample stands where an ebook's licence stands.

Title: {title}

Author: The Modules

Release Date: August 1, 2022 [eBook #{number}]

Language: English

Produced by: the samples of Corpusmill

*** START OF THE PROJECT GUTENBERG EBOOK {upper} ***



"""
FOOTER = """



*** END OF THE PROJECT GUTENBERG EBOOK {upper} ***

This sample stands where the licence goes on.
"""
OLD_HEADER = """**The Project Gutenberg Etext of {title}, by The Modules**

August, 1995  [Etext #{number}]

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*


"""
OLD_FOOTER = "\n\n\nEnd of The Project Gutenberg Etext of {title}\n"
CATALOGUE_HEAD = "Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves"


def write_books(directory: str | os.PathLike[str], *, megabytes: float = 0.4) -> list[Path]:
    """Write a mirror tree of books and its catalogue.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of text, at most, beside the volumes that are always there.

    Returns:
        the files written, by name.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    volumes: list[tuple[str, str]] = []
    left = megabytes * 1e6
    for letter, text in _volumes():
        left -= len(text)
        if left < 0 and len(volumes) >= ALWAYS:
            break
        volumes.append((f"A Handbook of Modules, Volume {letter}", text))
    books = [
        _Book(FIRST_NUMBER + place, title, text) for place, (title, text) in enumerate(volumes)
    ]
    number = FIRST_NUMBER + len(books)
    first, second, third = books[:3]
    edition = first.text.replace("colour", "color").replace("Module ", "The module ")
    two = f"{second.text}\n\n\n{third.text}"
    books += [
        _Book(number, first.title, edition, old=True),
        _Book(number + 1, "Two Handbooks in One Volume", two),
        _Book(number + 2, "A Leaflet of Modules", "\n".join(first.text.split("\n")[:60])),
        _Book(number + 3, "The Handbook Read Aloud", "\n".join(second.text.split("\n")[:60])),
    ]
    written = {f"{book.path}{'-8' if book.old else '-0'}.txt": book.data for book in books}
    written[f"{first.path}.txt"] = first.data  # another file of the same ebook
    rows = [
        f'{book.number},{"Sound" if "Aloud" in book.title else "Text"},2022-08-01,"{book.title}"'
        ",en,The Modules,,,"
        for book in books
    ]
    written["pg_catalog.csv"] = "\n".join([CATALOGUE_HEAD, *rows, ""]).encode()
    for name, data in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    return [folder / name for name in sorted(written)]


class _Book:
    """An ebook of the sample."""

    def __init__(self, number: int, title: str, text: str, *, old: bool = False) -> None:
        self.number, self.title, self.text, self.old = number, title, text, old

    @property
    def path(self) -> str:
        """Where its files lie in a mirror, without what tells their encodings."""
        folders = "/".join(str(self.number)[:-1])
        return f"{folders}/{self.number}/{self.number}"

    @property
    def data(self) -> bytes:
        """The file."""
        told = {"title": self.title, "number": self.number, "upper": self.title.upper()}
        header, footer = (OLD_HEADER, OLD_FOOTER) if self.old else (HEADER, FOOTER)
        text = header.format(**told) + self.text + footer.format(**told)
        if self.old:
            return text.replace("\n", "\r\n").encode("latin-1", "replace")
        return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()


def _volumes() -> Iterator[tuple[str, str]]:
    """Yield the letters whose modules say enough, and what they say."""
    chapters: dict[str, list[str]] = {}
    for name, source in sources(standard_modules()):
        try:
            chapter = _chapter(name, source)
        except (SyntaxError, ValueError):
            continue
        if chapter:
            chapters.setdefault(name[0].upper(), []).append(chapter)
    for letter, parts in sorted(chapters.items()):
        text = "\n\n\n\n".join(parts)
        if len(text.split()) >= MIN_VOLUME_WORDS:
            yield letter, text


def _chapter(name: str, source: str) -> str:
    """Return a chapter on a module by what its source says of itself; "" where that is nothing.

    Raises:
        SyntaxError, ValueError: it is no Python.
    """
    tree = parse(source)
    about = ast.get_docstring(tree)
    if not about:
        return ""
    parts = [f"Module {name}", _wrapped(about)]
    for node, told in described(tree, min_words=1):
        parts += [f"Of {node.name}", _wrapped(told)]
    return "\n\n".join(parts)


def _wrapped(text: str) -> str:
    """Return a description with the lines of its paragraphs wrapped, and examples as they stand."""
    paragraphs = []
    for paragraph in _BREAK.split(inspect.cleandoc(text)):
        if re.search(r"^[ \t]|>>>", paragraph, re.MULTILINE):
            paragraphs.append(paragraph.rstrip())
        else:
            paragraphs.append(textwrap.fill(" ".join(paragraph.split()), WIDTH))
    return "\n\n".join(paragraphs)
