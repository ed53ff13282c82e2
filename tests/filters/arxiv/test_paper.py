r"""Whole papers: plain TeX, two documents, encodings (docs/rules/sources.md 4.10)."""

from filters.arxiv import cuts
from filters.arxiv.paper import decode_files, expand, prepare
from tests.filters.latex.papers import read


def test_plain_tex_ends_at_bye_and_starts_at_its_first_head() -> None:
    r"""Without ``\\begin{document}`` all of it is body."""
    text = "\\def\\x#1{<#1>}\n\\beginsection One\\par\nA \\x{b}.\n\\bye\njunk"
    body, shown = read({"main.tex": text})
    assert not body.document
    assert shown == "\\beginsection One\\par\nA <b>.\n"
    assert cuts.cut_start(shown, document=False).text == shown


def test_plain_tex_ends_at_end() -> None:
    r"""A bare ``\\end`` is its end."""
    assert read({"main.tex": "a\\end\nb"})[1] == "a"


def test_of_two_documents_the_better_is_the_paper() -> None:
    """The other is not read."""
    document = "\\documentclass{a}\\begin{document}%s\\end{document}"
    files = {"supplement.tex": document % "S", "paper.tex": document % "P"}
    assert read(files)[1] == "P"


def test_a_file_of_no_bytes_is_a_file() -> None:
    """It is included, and holds nothing."""
    main = "\\documentclass{a}\\begin{document}a\\input{e}b\\end{document}"
    body, shown = read({"main.tex": main, "e.tex": ""})
    assert (shown, body.counts.missing_inputs) == ("ab", 0)


def test_encodings_are_told_by_file() -> None:
    """Each file in its own; those that are not UTF-8 are named."""
    main = (
        "\\documentclass{a}\\usepackage[latin2]{inputenc}\\begin{document}\\input{b}\\end{document}"
    )
    found = decode_files({"main.tex": main.encode(), "b.tex": "ł".encode("iso8859-2")})
    assert found.encodings == {"b.tex": "iso8859-2"}
    paper = prepare(found)
    assert expand(paper, "main.tex").text == "ł"


def test_files_that_are_to_be_ignored_are() -> None:
    """By their first line."""
    found = decode_files({"a.tex": b"%auto-ignore\nx", "b.tex": b"y"})
    assert list(found.texts) == ["b.tex"]


def test_what_stands_after_the_end_is_not_read() -> None:
    """Nor what stands before the beginning."""
    text = "x\\documentclass{a} y \\begin{document}a\\end{document}b\\section{C}"
    assert read({"main.tex": text})[1] == "a"


def test_a_paper_whose_document_never_begins_is_all_body() -> None:
    r"""``\\begin{document}`` is missing; AmS-TeX has commands for it."""
    text = "\\documentclass{a}\\def\\x{A}\n\\section{S}\\x\n"
    body, shown = read({"main.tex": text})
    assert not body.document
    assert cuts.cut_start(shown, document=False).text == "\\section{S}A\n"
    text = "\\documentstyle{amsppt}\\def\\x{A}\\document\\head One\\endhead \\x\\enddocument x"
    shown = read({"main.tex": text})[1]
    assert cuts.cut_start(shown, document=False).text == "\\head One\\endhead A"


def test_options_of_an_old_style_are_styles() -> None:
    """LaTeX 2.09."""
    text = "\\documentstyle[12pt,mine]{article}\\begin{document}\\x\\end{document}"
    assert read({"main.tex": text, "mine.sty": "\\def\\x{A}"})[1] == "A"
