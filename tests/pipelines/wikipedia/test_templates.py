"""The command `templates`: a made dump with definitions of many shapes, and what they become."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters.wikipedia.site_data import LANGUAGES
from filters.wikipedia.sites import load_site
from pipelines.__main__ import main
from pipelines.engine.errors import RunError
from pipelines.samples.dumps import NAMESPACES, WikiPage
from pipelines.wikipedia.templates import TemplatesConfig, make_rules
from tests.pipelines.wikipedia.wikipedia_dumps import write_dump

GERMAN = {**NAMESPACES, 4: "Wikipedia", 6: "Datei", 10: "Vorlage", 12: "Hilfe", 14: "Kategorie"}
# Name, source, a use in an article, and what that reads as: "" where the template is left alone.
SHAPES = [
    ("Elle", "{{{1}}} Ellen<noinclude>{{Dokumentation}}</noinclude>", "{{Elle|5}}", "5 Ellen"),
    ("Wahl", "{{#switch:{{{1}}}|a|b=Antwort|#standard={{{1}}}}}", "{{wahl|a}}", "Antwort"),
    ("Falls", "{{#if:{{{2|}}}|{{{1}}} ({{{2}}})|{{{1}}}}}", "{{Falls|x|y}}", "x (y)"),
    ("Gleich", "{{#ifeq:{{{1}}}|1|einer|viele}}", "{{Gleich|2}}", "viele"),
    ("Tief", "{{{text|{{{1|{{{2|leer}}}}}}}}}", "{{Tief|2=z}}", "z"),
    ("Ruft", "<small>{{Elle|{{{1}}}}}</small> lang", "{{Ruft|7}}", "7 Ellen lang"),
    ("Glied", "<span style='color:red'>[[{{{1}}}|{{{2}}}]]</span>", "{{Glied|A|b}}", "b"),
    ("Reihe", "* {{{1}}}\n* {{{2}}}<onlyinclude>* {{{1}}}</onlyinclude>", "{{Reihe|q}}", "q"),
    ("Zeichen", "&nbsp;⁂ <includeonly></includeonly>", "x{{Zeichen}}y", "x ⁂ y"),
    ("Fläche", "{{convert|{{{1}}}|km2}}[[Kategorie:Orte]]", "{{Fläche|9}}", "9 km²"),
    ("Luas", "{{#invoke:Luas|main}}", "{{Luas|1}}", ""),
    ("Kasten", "<div class='infobox'>{{{1}}}</div>", "{{Kasten|1}}", ""),
    ("Hinweis", "''Siehe [[Hilfe:Listen|hier]]''", "{{Hinweis}}", ""),
    ("Kreis", "{{Kreis 2}}", "{{Kreis}}", ""),
    ("Kreis 2", "{{Kreis}}", "", ""),
]


def pages() -> list[WikiPage]:
    """The article first, as in dumps, whose pages are in the order of their ids."""
    uses = "\n".join(f"{number}: {use}" for number, (_, _, use, _) in enumerate(SHAPES))
    aliases = "{{Alte Elle|3}} {{Umgerechnet|4|km}} {{Nie da}} {{#if:a|b}}"
    article = f"{uses}\nAlias: {aliases}"
    made = [WikiPage(1, "Artikel", article), WikiPage(2, "Rest", "{{Elle|1}} {{ elle |2}}")]
    made += [
        WikiPage(10 + number, f"Vorlage:{name}", source, ns=10)
        for number, (name, source, _, _) in enumerate(SHAPES)
    ]
    return [
        *made,
        WikiPage(90, "Vorlage:Alte Elle", "#WEITERLEITUNG [[Vorlage:Elle]]", ns=10),
        WikiPage(91, "Vorlage:Umgerechnet", "#REDIRECT [[Vorlage:Convert]]", 10, "Vorlage:Convert"),
        WikiPage(92, "Vorlage:Convert", "{{#invoke:Convert|convert}}", ns=10),
        WikiPage(93, "Vorlage:Ungenutzt", "{{{1}}}", ns=10),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The folder with the dump, the rules that the command wrote, and what it said."""
    folder = tmp_path_factory.mktemp("templates")
    dump = write_dump(folder, "dewiki", pages(), namespaces=GERMAN)
    said: list[str] = []
    make_rules(TemplatesConfig((dump,)), str(folder / "rules.json"), said.append)
    rules = json.loads((folder / "rules.json").read_text("utf-8"))
    return folder, rules, "\n".join(said)


def test_rules_are_in_the_form_of_the_data(made: tuple[Path, dict[str, Any], str]) -> None:
    """The most used first; an alias has the rule of what it stands for; names unused have none."""
    rules = made[1]["definitions"]["de"]
    assert next(iter(rules)) == "{1} Ellen"
    assert rules["{1} Ellen"] == ["Elle", "Alte Elle"]
    assert rules["@same Convert"] == ["Umgerechnet"]
    names = {name for listed in rules.values() for name in listed}
    expected = {name for name, _, _, text in SHAPES if text}
    assert names == expected | {"Alte Elle", "Umgerechnet"}
    assert load_site("de", extra=made[1]).rule("Tief") is not None
    assert load_site("fr", extra=made[1]).rule("Tief") is None


def test_what_is_left_alone_is_listed(made: tuple[Path, dict[str, Any], str]) -> None:
    """With its language, its uses and the reason, the most used first."""
    lines = (made[0] / "rules.tsv").read_text("utf-8").splitlines()
    table = {line.split("\t")[1]: line.split("\t") for line in lines[1:]}
    assert lines[0] == "language\ttemplate\tuses\toutcome"
    assert table["Elle"] == ["de", "Elle", "4", "rule"]
    assert table["Convert"] == ["de", "Convert", "1", "has a rule already"]
    outcomes = {name: table[name][3] for name in ("Luas", "Kasten", "Hinweis", "Kreis", "Nie da")}
    assert outcomes == {
        "Luas": "Lua",
        "Kasten": "box",
        "Hinweis": "notice",
        "Kreis": "calls itself",
        "Nie da": "not in the dump",
    }
    assert "#if" not in "".join(table)
    uses = [int(line.split("\t")[2]) for line in lines[1:]]
    assert uses == sorted(uses, reverse=True)
    assert "2 articles; 17 definitions" in made[2]


def test_the_source_takes_them(made: tuple[Path, dict[str, Any], str]) -> None:
    """Each shape reads as on the wiki, and what is left alone is dropped as before."""
    folder = made[0]
    dump = str(next(folder.glob("*.bz2")))
    run = folder / "run"
    flags = ["--templates", str(folder / "rules.json"), "--quiet"]
    assert main(["wikipedia", "--input", dump, "--run", str(run), *flags]) == 0
    table = pq.read_table(run / "documents").to_pylist()
    text = next(row["text"] for row in table if row["id"] == "wikipedia:de:1")
    lines = text.split("\n")
    for number, (_, _, _, expected) in enumerate(SHAPES):
        if expected and expected != "q":
            assert f"{number}: {expected}" in lines
    assert "7:\nq" in text
    assert "Alias: 3 Ellen 4 km" in text


def test_rules_of_the_package_win(tmp_path: Path) -> None:
    """Written by hand, they know what a definition does not say."""
    page = [
        WikiPage(1, "A", "{{Zitat|x}} {{Lang-fr|y}} {{Neu|z}}"),
        WikiPage(2, "Vorlage:Zitat", "falsch", ns=10),
        WikiPage(3, "Vorlage:Lang-fr", "falsch", ns=10),
        WikiPage(4, "Vorlage:Neu", "richtig {{{1}}}", ns=10),
    ]
    out = tmp_path / "rules.json"
    make_rules(
        TemplatesConfig((write_dump(tmp_path, "dewiki", page, namespaces=GERMAN),)), str(out), print
    )
    assert json.loads(out.read_text("utf-8")) == {"definitions": {"de": {"richtig {1}": ["Neu"]}}}
    by_hand = {"definitions": {"de": {"falsch": ["Zitat", "Lang-fr"]}}}
    assert load_site("de", extra=by_hand).rule("Zitat") == load_site("de").rule("Zitat")
    assert load_site("de", extra=by_hand).rule("Lang-fr") == load_site("de").rule("Lang-fr")


def test_few_uses_and_the_templates_that_others_call(tmp_path: Path) -> None:
    """A template below the limit has no rule, unless another one needs it."""
    page = [
        WikiPage(1, "A", "{{Oft|1}} {{Oft|2}} {{Selten|3}}"),
        WikiPage(2, "Vorlage:Oft", "{{Hilft|{{{1}}}}}", ns=10),
        WikiPage(3, "Vorlage:Hilft", "({{{1}}})", ns=10),
        WikiPage(4, "Vorlage:Selten", "{{{1}}}", ns=10),
    ]
    dump = write_dump(tmp_path, "dewiki", page, namespaces=GERMAN)
    make_rules(TemplatesConfig((dump,), min_uses=2), str(tmp_path / "r.json"), print)
    rules = json.loads((tmp_path / "r.json").read_text("utf-8"))["definitions"]["de"]
    assert rules == {"@wikitext {{Hilft|{{{1}}}}}": ["Oft"], "({1})": ["Hilft"]}
    assert "fewer than 2 uses" in (tmp_path / "r.tsv").read_text("utf-8")


def test_the_same_rules_from_every_form_of_a_dump(tmp_path: Path) -> None:
    """Whatever the compression; two wikis at once."""
    written = []
    for form in ("multistream.xml.bz2", "xml.gz"):
        folder = tmp_path / form
        dumps = (
            write_dump(folder, "dewiki", pages(), form=form, namespaces=GERMAN),
            write_dump(folder, "enwiki", [WikiPage(1, "Template:A", "x", ns=10)], form=form),
        )
        make_rules(TemplatesConfig(dumps), str(folder / "rules.json"), print)
        written.append((folder / "rules.json").read_bytes())
    assert written[0] == written[1]
    assert list(json.loads(written[0])["definitions"]) == ["de", "en"]


def test_errors_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    dump = write_dump(tmp_path, "dewiki", pages(), namespaces=GERMAN)
    with pytest.raises(RunError, match=r"give a name that ends in \.json"):
        make_rules(TemplatesConfig((dump,)), str(tmp_path / "rules"), print)
    rules = tmp_path / "r.json"
    assert main(["templates", "--input", dump, "--out", str(rules), "--min-uses", "0"]) == 1
    assert "--min-uses 0: give a number from 1 on" in capsys.readouterr().err
    assert not rules.exists()


@pytest.mark.data
def test_the_sample_dumps(data: Path, tmp_path: Path) -> None:
    """They hold articles alone: every template is counted, and the command says what is missing."""
    said: list[str] = []
    make_rules(TemplatesConfig((str(data / "wikipedia"),)), str(tmp_path / "r.json"), said.append)
    assert len(said) == len(LANGUAGES)
    assert all("the dump holds no templates" in line for line in said)
    table = (tmp_path / "r.tsv").read_text("utf-8").splitlines()
    assert sum(int(line.split("\t")[2]) for line in table[1:]) > 10_000
