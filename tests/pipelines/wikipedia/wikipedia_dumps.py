"""Tiny dumps of three languages, made by hand: every decision of the source occurs once."""

import bz2
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.__main__ import main
from pipelines.samples.dumps import NAMESPACES, WikiPage, multistream, whole_xml

ENGLISH = [
    WikiPage(1, "Heron", "The '''heron''' is a [[bird]].{{Cite web|url=http://a.org}}"),
    WikiPage(2, "Talk:Heron", "I like herons.", ns=1),
    WikiPage(3, "Grey heron", "#REDIRECT [[Heron]]", redirect="Heron"),
    WikiPage(4, "Blue heron", " #redirect [[Heron]]"),  # the dump does not say so
    WikiPage(5, "Heron.json", "{}", model="json"),
    WikiPage(6, "Lost", None),
    WikiPage(7, "Empty", "\n"),
    WikiPage(8, "Crane", "'''Crane''' may mean:\n* [[Crane (bird)]]\n{{disambiguation}}"),
    WikiPage(9, "Only boxes", "{{Infobox bird}}\n[[Category:Birds]]"),
    WikiPage(10, "Tide", "High water comes twice a day.\n\n== See also ==\n* [[Moon]]"),
]
GERMAN = [
    WikiPage(1, "Reiher", "Der '''Reiher''' ist ein Vogel.[[Datei:Reiher.jpg|mini|Ein Reiher]]"),
    WikiPage(2, "Graureiher", "#WEITERLEITUNG [[Reiher]]"),
]
GERMAN_NAMES = {**NAMESPACES, 6: "Datei", 14: "Kategorie"}

REJECTED = {
    "wikipedia:en:2": ("wikipedia.namespace", "namespace"),
    "wikipedia:en:3": ("wikipedia.redirect", "redirect"),
    "wikipedia:en:4": ("wikipedia.redirect", "redirect"),
    "wikipedia:en:5": ("wikipedia.model", "model"),
    "wikipedia:en:6": ("wikipedia.wikitext", "no_text"),
    "wikipedia:en:7": ("wikipedia.wikitext", "no_text"),
    "wikipedia:en:9": ("wikipedia.length", "too_short"),
    "wikipedia:de:2": ("wikipedia.redirect", "redirect"),
}
TEXTS = {
    "wikipedia:en:1": "Heron\n\nThe heron is a bird.",
    "wikipedia:en:8": "Crane\n\nCrane may mean:\nCrane (bird)",
    "wikipedia:en:10": "Tide\n\nHigh water comes twice a day.\n\nSee also\n\nMoon",
    "wikipedia:de:1": "Reiher\n\nDer Reiher ist ein Vogel.",
}
FORMS = ("multistream.xml.bz2", "xml.bz2", "xml.gz", "xml")


def write_dump(
    folder: Path,
    wiki: str,
    pages: Sequence[WikiPage],
    *,
    form: str = "multistream.xml.bz2",
    date: str = "20220801",
    namespaces: Mapping[int, str] = NAMESPACES,
    pages_per_stream: int = 2,
) -> str:
    """Write a dump as Wikimedia names it; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    separator = "-" if form.startswith("multistream") else "."
    path = folder / f"{wiki}-{date}-pages-articles{separator}{form}"
    whole = whole_xml(wiki, pages, namespaces)
    if form == "multistream.xml.bz2":
        dump, index = multistream(wiki, pages, namespaces, pages_per_stream)
        path.write_bytes(dump)
        path.with_name(path.name.replace(".xml", "-index.txt")).write_bytes(index)
    elif form == "xml.bz2":
        path.write_bytes(bz2.compress(whole))
    else:
        path.write_bytes(gzip.compress(whole, mtime=0) if form == "xml.gz" else whole)
    return str(path)


def write_dumps(
    folder: Path, form: str = "multistream.xml.bz2", date: str = "20220801"
) -> list[str]:
    """Write the English and the German dump; return their paths."""
    return [
        write_dump(folder, "enwiki", ENGLISH, form=form, date=date),
        write_dump(folder, "dewiki", GERMAN, form=form, date=date, namespaces=GERMAN_NAMES),
    ]


def curate(run: Path, inputs: Sequence[str], *flags: str) -> int:
    """Give the command in this process; return its exit code."""
    return main(["wikipedia", "--input", *inputs, "--run", str(run), "--quiet", *flags])
