r"""Files within files (docs/rules/sources.md 4.5, 4.10)."""

import pytest

from filters.latex.expansion import GROWTH, SPARE_INCLUDED
from tests.filters.latex.papers import MAIN, body_of, read


@pytest.mark.parametrize(
    ("command", "files", "expected"),
    [
        ("\\input{f}", {"f.tex": "F"}, "F"),
        ("\\input{f.tex}", {"f.tex": "F"}, "F"),
        ("\\input f x", {"f.tex": "F"}, "Fx"),
        ("\\input{F}", {"f.tex": "F"}, "F"),
        ("\\input{./s/f}", {"s/f.tex": "F"}, "F"),
        ("\\input{s\\f}", {"s/f.tex": "F"}, "F"),
        ("\\input{s/f}", {"s\\f.tex": "F"}, "F"),
        ("a\\include{f}b", {"f.tex": "F"}, "a\n\nF\n\nb"),
        ("\\subfile{s/f}", {"s/f.tex": "\\documentclass[../main]{subfiles}"
         "\\begin{document}F\\input{g}\\end{document}", "s/g.tex": "G"}, "FG"),
        ("\\import{s/}{f}", {"s/f.tex": "F\\input{g}", "s/g.tex": "G"}, "FG"),
        ("\\input{s/f}", {"s/f.tex": "\\subimport{t/}{g}", "s/t/g.tex": "G"}, "\\subimport{t/}{g}"),
        ("\\InputIfFileExists{f}{yes}{no}", {"f.tex": "F"}, "yesF"),
        ("\\InputIfFileExists{f}{yes}{no}", {}, "no"),
        ("\\makeatletter\\@input{f}", {"f.tex": "F"}, "F"),
        ("\\newcommand{\\d}{s}\\input{\\d/f}", {"s/f.tex": "F"}, "F"),
        ("a\\input{f}b", {"f.tex": "F\\endinput G"}, "aFb"),
        ("\\input{f}\\input{f}", {"f.tex": "F"}, "FF"),
        ("a\\input{none}b", {}, "ab"),
        ("a\n\\input{f}\nb", {"f.tex": "F\n"}, "a\nF\nb"),
        ("a\n\\input{f}\nb", {"f.tex": "F\n\n"}, "a\nF\n\nb"),
        ("a\n\\input{f}\nb", {"f.tex": "\nF"}, "a\n\nF\nb"),
        ("\\newcommand{\\x}[1]{\\input{f}}a\n\\x{}\nb\n\\x{}", {"f.tex": "\nF"},
         "a\n\nF\nb\n\nF"),
        ("a\n\\input{none}\nb", {}, "a\nb"),
        ("\\input{macros}", {"macros": "M"}, "M"),
        ("\\input{table.dat}", {"table.dat": "1 & 2"}, "1 & 2"),
        ("a\\input{main.bbl}b", {"main.bbl": "X"}, "ab"),
        ("\\newcommand{\\sec}[1]{\\input{s/#1}}\\sec{f}", {"s/f.tex": "F"}, "F"),
        ("\\input{f}\\x", {"f.tex": "\\newcommand{\\x}{B}"}, "B"),
        ("\\input{f}", {"f.tex": "F% comment\n"}, "F"),
    ],
)  # fmt: skip
def test_commands(command: str, files: dict[str, str], expected: str) -> None:
    """One command that includes, one paper."""
    if expected == "\\subimport{t/}{g}":
        expected = ""  # the folder of an \\input is that of the main file: TeX has no other
    assert body_of(command, files=files).rstrip("\n") == expected


def test_subimport_is_relative_to_the_file_that_was_imported() -> None:
    """The folder goes along (4.5)."""
    files = {"s/f.tex": "\\subimport{t/}{g}", "s/t/g.tex": "G\\input{h}", "s/t/h.tex": "H"}
    assert body_of("\\import{s/}{f}", files=files) == "GH"


def test_a_loop_is_cut() -> None:
    """By a look at the files that are being read."""
    files = {MAIN: "\\documentclass{a}\\begin{document}\\input{f}\\end{document}",
             "f.tex": "F\\input{g}", "g.tex": "G\\input{f}\\input{main}"}  # fmt: skip
    body, text = read(files)
    assert text == "FG"
    assert body.counts.guards["input_loop"] == 2


def test_what_is_included_again_and_again_is_bounded_by_the_size_of_the_paper() -> None:
    """As the output is: n inputs of a file of n commands are not n * n of them."""
    loop = "\\input{main}"
    files = {
        MAIN: "\\documentclass{a}\\begin{document}" + "\\input{f}" * 1000 + "\\end{document}",
        "f.tex": loop * 1000,
    }
    guards = read(files)[0].counts.guards
    limit = GROWTH * sum(map(len, files.values())) + SPARE_INCLUDED
    assert guards["input_size"]
    assert limit / 2 < guards["input_loop"] * len(loop) <= limit


def test_includeonly_leaves_the_others_out() -> None:
    """It holds for include alone."""
    files = {"f.tex": "F", "g.tex": "G"}
    body = "\\include{f}\\include{g}\\input{g}"
    assert body_of(body, "\\includeonly{f}", files) == "\n\nF\n\nG"


def test_definitions_of_a_file_that_inputs_the_main_file_hold() -> None:
    """TeX is started on it; nothing of it is text."""
    main = "\\documentclass{a}\\begin{document}\\x\\end{document}"
    assert read({MAIN: main, "a4.tex": "\\input{size}\\input{main}\n", "size.tex": "%"})[1] == "\\x"
    files = {MAIN: main, "a4.tex": "\\input{o}\\input{main}\n", "o.tex": "\\newcommand{\\x}{A}"}
    assert read(files)[1] == "A"


def test_missing_inputs_are_counted() -> None:
    """And those that are there as well."""
    files = {MAIN: "\\documentclass{a}\\begin{document}\\input{f}\\input{n}\\end{document}",
             "f.tex": "F"}  # fmt: skip
    counts = read(files)[0].counts
    assert (counts.inputs, counts.missing_inputs) == (1, 1)


def test_styles_of_the_paper_define_and_those_of_tex_live_do_not() -> None:
    """A copy of a conference's style is not read (rule 8)."""
    style = "\\newcommand{\\x}{A}\\def\\my@y{B}\\newcommand{\\z}{\\my@y}"
    assert body_of("\\x\\z", "\\usepackage{mine}", {"mine.sty": style}) == "AB"
    assert body_of("\\x", "\\usepackage[a]{b,mine}", {"mine.sty": style}) == "A"
    assert body_of("\\x", "\\usepackage{natbib}", {"natbib.sty": style}) == "\\x"
    assert body_of("\\x", "\\usepackage{icml2019}", {"icml2019.sty": style}) == "\\x"
    assert body_of("\\x", files={"mine.sty": style}) == "\\x"


def test_filecontents_can_be_included() -> None:
    """What it holds is a file of the paper."""
    preamble = "\\begin{filecontents}{f.tex}\nF\n\\end{filecontents}"
    assert body_of("\\input{f}", preamble).strip() == "F"
