"""Shelves of made books in the layouts of Project Gutenberg, PG-19 and Books3."""

import gzip
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path

from tests.pipelines.joins.made_books import edited, random_words

HEADER = """The Project Gutenberg eBook of {title}, by A. Writer

Title: {title}

Author: A. Writer

Release Date: May 1, 2020 [eBook #{number}]

Language: {language}

*** START OF THE PROJECT GUTENBERG EBOOK {title} ***

Produced by A. Reader

"""
FOOTER = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK {title} ***\n\nThe licence.\n"


def paragraphs(words: list[str]) -> str:
    """Return words as paragraphs of ten lines of ten words."""
    lines = [" ".join(words[at : at + 10]) for at in range(0, len(words), 10)]
    return "\n\n".join("\n".join(lines[at : at + 10]) for at in range(0, len(lines), 10))


def ebook(number: int, words: list[str], *, language: str = "English") -> str:
    """Return the text of an ebook with its envelope."""
    told = {"title": f"Book {number}", "number": number, "language": language}
    return HEADER.format(**told) + paragraphs(words) + FOOTER.format(**told)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def write_gutenberg(root: Path) -> dict[str, list[str]]:
    """Write a mirror tree; return the words of its books by number."""
    chance = random.Random(3)
    words = {str(number): random_words(chance, 1500) for number in (8, 101, 102, 103, 104, 105)}
    words["106"] = edited(chance, words["101"], 0.97)  # an edition
    words["107"] = [*words["102"], *random_words(chance, 2000)]  # a collection
    words["108"] = edited(chance, words["103"], 0.8)  # another book, by and large
    words["109"] = [*words["104"]]  # the same text
    write(root / "0/8/8.txt", ebook(8, words["8"]))
    write(root / "1/0/101/101-0.txt", "\ufeff" + ebook(101, words["101"]).replace("\n", "\r\n"))
    write(root / "1/0/101/101-8.txt", ebook(101, ["caf\xe9", *words["101"]]).encode("latin-1"))
    write(root / "1/0/101/101.txt", ebook(101, words["101"]))
    write(root / "1/0/101/old/101-0.txt", ebook(101, words["101"]))
    write(root / "1/0/101/101-h/101-h.htm", "<html>")
    write(root / "1/0/101/101-h.zip", b"PK")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("102-8.txt"), ebook(102, ["caf\xe9", *words["102"]]).encode("latin-1")
        )
        archive.writestr(zipfile.ZipInfo("picture.png"), b"x")
    write(root / "1/0/102/102-8.zip", zipped.getvalue())
    write(root / "cache/epub/103/pg103.txt", ebook(103, words["103"]))
    write(root / "cache/epub/103/pg103.rdf", rdf("en", "Public domain in the USA."))
    write(root / "1/0/104/104.txt.gz", ebook(104, words["104"]))
    write(root / "1/0/105/105-0.txt", ebook(105, words["105"], language="French"))
    for number in (106, 107, 108, 109):
        write(root / f"1/0/{number}/{number}-0.txt", ebook(number, words[str(number)]))
    write(root / "1/1/110/110-0.txt", ebook(110, random_words(chance, 300)))  # short
    write(root / "cache/epub/111/pg111.txt", ebook(111, random_words(chance, 1500)))
    write(root / "cache/epub/111/pg111.rdf", rdf("en", "Copyrighted. Read the notice inside."))
    write(root / "cache/epub/112/pg112.txt", ebook(112, random_words(chance, 1500)))
    write(root / "cache/epub/112/pg112.rdf", rdf("en", "Public domain in the USA.", "Sound"))
    return words


def rdf(language: str, rights: str, kind: str = "Text") -> str:
    """Return the catalogue's file about an ebook."""
    value = "<rdf:Description><rdf:value>{}</rdf:value></rdf:Description>"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:pgterms="http://www.gutenberg.org/2009/pgterms/">
<pgterms:ebook rdf:about="ebooks/1">
<dcterms:title>A Title
of Two Lines</dcterms:title>
<dcterms:creator><pgterms:agent><pgterms:name>Writer, A.</pgterms:name></pgterms:agent>
</dcterms:creator>
<dcterms:language>{value.format(language)}</dcterms:language>
<dcterms:rights>{rights}</dcterms:rights>
<dcterms:type>{value.format(kind)}</dcterms:type>
<dcterms:issued>1999-01-01</dcterms:issued>
<pgterms:bookshelf>{value.format("Sea stories")}</pgterms:bookshelf>
</pgterms:ebook></rdf:RDF>
"""


def write_books3(root: Path, words: dict[str, list[str]]) -> None:
    """Write a tree, a tar and JSON lines of other books, some of which Gutenberg has."""
    chance = random.Random(9)
    write(root / "A/A Tale - A. Writer.epub.txt", paragraphs(words["105"]))  # gutenberg:105
    write(root / "B/Other.epub.txt", paragraphs(random_words(chance, 1200)))
    rows = [
        json.dumps({"title": "Row", "text": paragraphs(random_words(chance, 1200))}),
        "{not json",
        json.dumps({"title": "No text"}),
        json.dumps({"title": "An edition", "text": paragraphs(edited(chance, words["8"], 0.98))}),
    ]
    write(root / "rows.jsonl.gz", "\n".join(rows) + "\n\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in (
            ("books3/the-eye.eu/public/Books/Bibliotik/C/C.epub.txt", random_words(chance, 1200)),
            ("books3/README.md", ["x"]),
        ):
            data = paragraphs(text).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    write(root / "more.tar", packed.getvalue())
