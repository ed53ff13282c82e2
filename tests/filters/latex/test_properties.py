"""No input raises, none takes time that grows with its square (docs/rules/sources.md 0.2)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.arxiv import cuts
from filters.latex.memory import Memory
from tests.filters.latex.papers import MAIN, read

_PIECES = st.sampled_from(
    [
        *(
            "\\newcommand",
            "\\def",
            "\\let",
            "\\x",
            "\\y",
            "\\z",
            "{",
            "}",
            "[",
            "]",
            "#1",
            "##",
            "#",
        ),
        *("%", "\\%", "\n", "\n\n", " ", "\\begin{e}", "\\end{e}", "\\newenvironment{e}", "{\\x}"),
        *(
            "\\iffalse",
            "\\iftrue",
            "\\else",
            "\\fi",
            "\\newif\\ifz",
            "\\ifz",
            "\\ztrue",
            "\\input{f}",
        ),
        *("\\verb|", "|", "\\begin{verbatim}", "\\end{verbatim}", "\\section{A}", "a", "b", "1"),
        *("\\edef", "\\gdef\\x#1{\\y#1}", "\\def\\y#1.{\\x{#1}}", ".", "\\ref{\\x}", "\\xspace"),
        *("\\NewDocumentCommand\\x{s o m}{#1#2#3}", "\\makeatletter", "\\@ifnextchar", "\\url{"),
        *("\\begin{document}", "\\end{document}", "\\begin{thebibliography}", "\\endinput", "\\"),
        *("^", "_", "\\frac", "\\ar^", "{\n", "\n}", "{\n\nF}", "\\includecomment{e}"),
        *("\x00", "\ufffd", "\\if\\relax\\detokenize{", "\\relax", "\\DeclareMathOperator"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=60), st.lists(_PIECES, max_size=20))
def test_nothing_raises(pieces: list[str], more: list[str]) -> None:
    """And no mark of ours is left in a text."""
    main = "\\documentclass{a}\\begin{document}" + "".join(pieces)
    _, text = read({MAIN: main, "f.tex": "".join(more)})
    text = cuts.tidy(cuts.cut_bibliography(cuts.cut_start(text).text or "")[0])
    assert not set(text) & set("\x00\x01\x02\x03")


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=40), st.lists(_PIECES, max_size=60))
def test_what_is_remembered_changes_nothing(preamble: list[str], body: list[str]) -> None:
    """The text is what it would be if every call were expanded anew."""
    main = "\\documentclass{a}" + "".join(preamble) + "\\begin{document}" + "".join(body * 2)
    files = {MAIN: main, "f.tex": "F"}
    remembered, text = read(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "find", lambda *_: None)
        anew, expected = read(files)
    assert text == expected
    assert remembered.counts.left == anew.counts.left


@pytest.mark.parametrize(
    "piece",
    [
        *("{", "[", "}", "\\x{", "\\x[", "\\y(", "\\y(a", "%", "\\verb|", "\\begin{verbatim}"),
        *(
            "\\iffalse ",
            "\\ifz ",
            "\\begin{comment}",
            "\\def\\x",
            "\\newcommand{\\x}[1]{",
            "\\url{",
        ),
        *("\\begin{thebibliography}", "\\section{", "\\section[", "\\nocite{", "\\begin{e}"),
        *("\\x{\\x{a}}", "\\ref{", "\\ref[", " \n", "\\par ", "\\input{f}", "\\verb"),
    ],
)
def test_time_grows_with_the_input(piece: str) -> None:
    """Twice the input takes about twice the time, not four times."""
    preamble = (
        "\\documentclass{a}\\newcommand{\\x}[2][d]{#1#2}\\def\\y(#1){#1}\\newif\\ifz\\ztrue"
        "\\newenvironment{e}[1]{#1}{}\\begin{document}"
    )

    def seconds(characters: int) -> float:
        main = preamble + piece * (characters // len(piece))
        start = time.process_time()
        _, text = read({MAIN: main, "f.tex": "F"})
        cuts.tidy(cuts.cut_bibliography(cuts.cut_start(text).text or "")[0])
        return time.process_time() - start

    seconds(2_000)
    # The smallest of several, since a busy machine makes any one of them longer.
    small, large = (min(seconds(size) for _ in range(3)) for size in (10_000, 80_000))
    assert large < 8 * 3 * small + 0.4
