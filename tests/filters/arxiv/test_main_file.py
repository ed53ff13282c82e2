"""Which file is the main one (docs/rules/sources.md 4.3, 4.10)."""

import pytest

from filters.arxiv.main_file import (
    Instructions,
    begins_document,
    is_candidate,
    main_files,
    read_instructions,
    wrapper_of,
)
from filters.latex.inputs import Files

DOCUMENT = "\\documentclass{article}\\begin{document}x\\end{document}"
TITLED = "\\documentclass{article}\\begin{document}\\maketitle x\\end{document}"


@pytest.mark.parametrize(
    ("texts", "main"),
    [
        ({"a.tex": "x", "b.tex": DOCUMENT}, "b.tex"),
        ({"a.tex": DOCUMENT, "b.tex": "\\documentclass{a}\\begin{document}\\input{a}"}, "b.tex"),
        ({"a.tex": "\\documentclass{a}\\input{b}", "b.tex": "\\begin{document}"}, "a.tex"),
        ({"a.tex": DOCUMENT, "b.tex": TITLED}, "b.tex"),
        ({"a.tex": DOCUMENT, "main.tex": DOCUMENT}, "main.tex"),
        ({"a.tex": DOCUMENT, "1234.56789.tex": DOCUMENT}, "1234.56789.tex"),
        ({"a/a.tex": DOCUMENT, "b.tex": DOCUMENT}, "b.tex"),
        ({"a.tex": DOCUMENT, "b.tex": DOCUMENT + " " * 9}, "b.tex"),
        ({"a.tex": DOCUMENT, "b.tex": DOCUMENT}, "a.tex"),
        ({"supplement.tex": TITLED + " " * 99, "paper.tex": TITLED}, "paper.tex"),
        ({"template.tex": TITLED + " " * 99, "x.tex": DOCUMENT}, "x.tex"),
        ({"a.tex": "\\documentclass{standalone}\\begin{document}", "b.tex": DOCUMENT}, "b.tex"),
        ({"a.tex": "\\documentclass[m]{subfiles}\\begin{document}", "b.tex": DOCUMENT}, "b.tex"),
        ({"a.tex": "no class"}, "a.tex"),
        ({"a.tex": "macros", "b.tex": "text \\bye"}, "b.tex"),
        ({"a.tex": "\\begin{x}\\end{x}", "b.tex": "text\n\\end\n"}, "b.tex"),
        ({"a.tex": "macros", "b.tex": "more macros"}, None),
        ({"w.tex": "\\input{main}", "main.tex": TITLED, "z.tex": DOCUMENT}, "main.tex"),
        ({}, None),
    ],
)
def test_the_best_comes_first(texts: dict[str, str], main: str | None) -> None:
    """Each rule of the score."""
    found = main_files(texts, paper="1234.56789")
    assert (found[0] if found else None) == main


def test_tex_is_started_on_the_file_that_a_main_file_is_wrapped_in() -> None:
    """It makes definitions and inputs the main file; of several the shortest name is taken."""
    main = {"main.tex": DOCUMENT}
    wrapper = "\\def\\screen{}\\input{main}"
    files = {**main, "x.tex": "\\input{y}", "y.tex": wrapper}
    for texts, expected in (
        (main, ""),
        ({**main, "screen.tex": wrapper, "a4.tex": wrapper, "letter.tex": wrapper}, "a4.tex"),
        ({**main, "screen.tex": wrapper + "\\documentclass{a}"}, ""),
        ({**main, "screen.tex": wrapper + "x" * 10_000}, ""),
        (files, ""),
    ):
        assert wrapper_of("main.tex", texts, Files(texts)) == expected
    assert begins_document("y.tex", Files(files))
    assert not begins_document("x.tex", Files(files))


def test_instructions_decide_first() -> None:
    """A file 00README names the top level, and what is ignored."""
    texts = {"a.tex": DOCUMENT, "main.tex": TITLED}
    assert main_files(texts, Instructions(("a.tex",)))[0] == "a.tex"
    assert main_files(texts, Instructions((), frozenset({"main.tex"}))) == ["a.tex"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("00README.XXX", "a.tex toplevelfile\nb.tex ignore\nnohypertex\n"),
        (
            "00README.json",
            """{"sources": [{"filename": "a.tex", "usage": "toplevel"},
            {"filename": "b.tex", "usage": "ignore"}]}""",
        ),
        (
            "00README.yaml",
            "sources:\n- filename: a.tex\n  usage: toplevel\n- filename: b.tex\n  usage: ignore\n",
        ),
    ],
)
def test_instructions_come_in_three_forms(name: str, text: str) -> None:
    """Lines, JSON, YAML."""
    assert read_instructions(name, text) == Instructions(("a.tex",), frozenset({"b.tex"}))


def test_a_broken_file_of_instructions_says_nothing() -> None:
    """Bad data never raises."""
    assert read_instructions("00README.json", '{"sources": 3}') == Instructions()
    assert read_instructions("00README.json", "[") == Instructions()


def test_candidates() -> None:
    """A text file counts if it is a document."""
    assert is_candidate("a.tex", "")
    assert is_candidate("A.TEX", "")
    assert is_candidate("a.txt", DOCUMENT)
    assert not is_candidate("a.txt", "x")
    assert not is_candidate("a.bbl", DOCUMENT)
