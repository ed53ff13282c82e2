r"""Every form of definition of docs/rules/sources.md 4.6, and the cases of 4.10."""

import pytest

from tests.filters.latex.papers import body_of, counts_of


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        # \newcommand and its relatives
        ("\\newcommand{\\x}{B}", "a \\x{} c", "a B{} c"),
        ("\\newcommand\\x{B}", "\\x.", "B."),
        ("\\newcommand*{\\x}[1]{(#1)}", "\\x{a}\\x b", "(a)(b)"),
        ("\\newcommand{\\f}[2][x]{#1-#2}", "\\f{1} \\f[y]{2}", "x-1 y-2"),
        ("\\newcommand{\\f}[2][x]{#1-#2}", "\\f[{]}]{2}", "{]}-2"),
        ("\\newcommand{\\f}[1][x]{<#1>}", "\\f.", "<x>."),
        ("\\newcommand\\x[9]{#9#1}", "\\x123456789", "91"),
        ("\\newcommand{\\x}{A}\\renewcommand{\\x}{B}", "\\x", "B"),
        ("\\newcommand{\\x}{A}\\providecommand{\\x}{B}", "\\x", "A"),
        ("\\providecommand{\\x}{B}", "\\x", "B"),
        ("\\DeclareRobustCommand{\\x}[1]{#1#1}", "\\x{a}", "aa"),
        ("\\newrobustcmd*{\\x}[1]{(#1)}\\providerobustcmd{\\x}{B}", "\\x{a}", "(a)"),
        ("\\algnewcommand{\\x}[1]{(#1)}\\algrenewcommand\\y{B}", "\\x{a}\\y", "(a)B"),
        ("\\newcommand { \\x } [1] {(#1)}", "\\x{a}", "(a)"),
        ("\\newcommand\n{\\x}\n{B}", "\\x", "B"),
        # \def and its relatives
        ("\\def\\x{B}", "\\x", "B"),
        ("\\def\\x#1#2{#2#1}", "\\x{a}{b}\\x cd", "badc"),
        ("\\gdef\\x{B}", "\\x", "B"),
        ("\\xdef\\x{B}", "\\x", "B"),
        ("\\def\\a{A}\\edef\\x{\\a}\\def\\a{C}", "\\x", "A"),
        ("\\long\\def\\x#1{(#1)}", "\\x{a\n\nb}", "(a\n\nb)"),
        ("\\global\\long\\def\\x{B}", "\\x", "B"),
        ("\\protected\\outer\\def\\x{B}", "\\x", "B"),
        ("\\def\\x(#1,#2){<#1|#2>}", "\\x(1,2) \\x(a{,}b,c)", "<1|2> <a{,}b|c>"),
        ("\\def\\x#1.{<#1>}", "\\x abc. d", "<abc> d"),
        ("\\def\\x(#1,#2){<#1|#2>}", "\\x[1,2]", "\\x[1,2]"),
        ("\\def\\x#1\\end#2{<#1|#2>}", "\\x ab\\end c \\endx", "<ab|c> \\endx"),
        # \let
        ("\\def\\y{B}\\let\\x=\\y\\def\\y{C}", "\\x\\y", "BC"),
        ("\\def\\y{B}\\let\\x\\y", "\\x", "B"),
        ("\\let\\x\\alpha", "\\x b", "\\alpha b"),
        ("\\let\\x=\\alpha", "\\x_1", "\\alpha_1"),
        ("\\let\\eps\\epsilon\\renewcommand{\\epsilon}{\\varepsilon}", "\\eps\\epsilon",
         "\\epsilon\\varepsilon"),
        ("\\let\\nc\\newcommand\\nc{\\x}{B}", "\\x", "B"),
        # operators
        ("\\DeclareMathOperator{\\x}{tr}", "\\x A", "\\operatorname{tr}A"),
        ("\\DeclareMathOperator*{\\x}{arg\\,max}", "\\x_a", "\\operatorname*{arg\\,max}_a"),
        # environments
        ("\\newenvironment{e}{\\begin{equation}}{\\end{equation}}", "\\begin{e}x\\end{e}",
         "\\begin{equation}x\\end{equation}"),
        ("\\newenvironment{e}{a}{b}\\renewenvironment{e}{<}{>}", "\\begin{e}x\\end{e}", "<x>"),
        ("\\newenvironment{e}[1]{\\textbf{#1}: }{ end}", "\\begin{e}{a}x\\end{e}",
         "\\textbf{a}: x end"),
        ("\\newenvironment{e}[2][d]{#1#2 }{}", "\\begin{e}{a}x\\end{e}", "da x"),
        ("\\newenvironment{e}{\\begin{list}{}{}}{\\end{list}}", "\\begin{e}x\\end{e}",
         "\\begin{e}x\\end{e}"),
        ("\\newenvironment{e}{\\[\\begin{array}{c}}{\\end{array}\\]}", "\\begin{e}x\\end{e}",
         "\\[\\begin{array}{c}x\\end{array}\\]"),
        ("\\specialcomment{e}{<}{>}", "\\begin{e}x\\end{e}", "<x>"),
        ("", "a\n\\specialcomment{e}{\n\\vskip 1pt\n}{\n}\nb\\begin{e}x\\end{e}",
         "a\nb\\begin{e}x\\end{e}"),
        ("\\includecomment{e}", "a\n\\begin{e}\nx\n\\end{e}\nb", "a\nx\nb"),
        ("", "a\n\\excludecomment{e}\n\\begin{e}\nx\n\\end{e}\nb", "a\nb"),
        ("\\newenvironment{e}{\\vskip 1pt}{}", "\\begin{e}x\\end{e}", "\\begin{e}x\\end{e}"),
        ("\\newcommand{\\be}{\\begin{equation}}\\newcommand{\\ee}{\\end{equation}}",
         "\\be\nx\n\\ee\ny", "\\begin{equation}\nx\n\\end{equation}\ny"),
        ("\\newenvironment{e}[1]{[#1]}{|}", "\\begin{e}{a}\\begin{e}{b}c\\end{e}\\end{e}\\end{e}",
         "[a][b]c||\\end{e}"),
        # xparse
        ("\\NewDocumentCommand{\\x}{m o}{#1\\IfNoValueTF{#2}{-}{#2}}", "\\x{a}\\x{b}[c]", "a-bc"),
        ("\\NewDocumentCommand\\x{O{d} m}{#1#2}", "\\x{a}\\x[b]{c}", "dabc"),
        ("\\NewDocumentCommand{\\x}{s m}{\\IfBooleanTF{#1}{S}{N}#2}", "\\x{a}\\x*{b}", "NaSb"),
        ("\\RenewDocumentCommand{\\x}{m}{(#1)}", "\\x{a}", "(a)"),
        ("\\DeclareDocumentCommand{\\x}{m}{(#1)}", "\\x{a}", "(a)"),
        ("\\newcommand\\x{A}\\ProvideDocumentCommand{\\x}{m}{(#1)}", "\\x{a}", "A{a}"),
        ("\\NewDocumentCommand{\\x}{r() m}{(#1)}", "\\x(a){b}", "\\x(a){b}"),
        # theorems, counters, columns: no macros
        ("\\newtheorem{thm}{Theorem}", "\\begin{thm}x\\end{thm}", "\\begin{thm}x\\end{thm}"),
        ("\\newcounter{c}\\newlength{\\l}\\newcolumntype{L}{l}", "\\thec", "\\thec"),
        # paired delimiters
        ("\\DeclarePairedDelimiter{\\abs}{\\lvert}{\\rvert}", "\\abs{x}", "\\lvert x\\rvert"),
        ("\\DeclarePairedDelimiter\\abs\\lvert\\rvert", "\\abs", "\\abs"),
        ("\\DeclarePairedDelimiter{\\abs}{\\lvert}{\\rvert}", "\\abs*{x}",
         "\\left\\lvert x\\right\\rvert"),
        # chains
        ("\\def\\a{\\b}\\def\\b{B}", "\\a", "B"),
        ("\\newcommand{\\sect}{\\section}", "\\sect{T}", "\\section{T}"),
    ],
)  # fmt: skip
def test_forms(preamble: str, body: str, expected: str) -> None:
    """What a form defines, and what a call of it becomes."""
    assert body_of(body, preamble) == expected


def test_a_definition_in_the_body_holds_from_there_on_and_is_deleted() -> None:
    """A later one replaces it (4.6)."""
    body = "\\def\\x{A}\\x{}\n\\def\\x{B}\n\\x"
    assert body_of(body) == "A{}\nB"


def test_a_definition_within_a_body_has_its_own_parameters() -> None:
    """Two hashes are one (rule 3)."""
    assert body_of("\\m{x}\\inner{y}", "\\newcommand\\m[1]{\\def\\inner##1{#1-##1}}") == "x-y"


@pytest.mark.parametrize("body", ["\\1", "\\g<0>", "a\\\\b", "$1 \\n \\x41"])
def test_bodies_are_no_patterns(body: str) -> None:
    """Nothing in them is special but parameters (rule 3)."""
    assert body_of("\\q{}", f"\\newcommand{{\\q}}{{{body}.}}") == f"{body}.{{}}"


@pytest.mark.parametrize(
    "definition",
    [
        "\\renewcommand{\\section}[1]{X}",
        "\\def\\textbf#1{X}",
        "\\renewcommand\\begin[1]{X}",
        "\\def\\item{X}",
        "\\renewcommand{\\cite}[1]{X}",
        "\\def\\label#1{X}",
        "\\renewcommand{\\frac}[2]{X}",
        "\\def\\'#1{X}",
        "\\let\\bf\\relax",
    ],
)
def test_names_of_latex_are_not_redefined(definition: str) -> None:
    """Or the text turns into layout code (rule 6)."""
    body = (
        "\\section{A}\\textbf{b}\\begin{itemize}\\item\\end{itemize}\\cite{k}\\frac12\\'e{\\bf c}"
    )
    assert body_of(body, definition) == body
    assert sum(counts_of(body, definition).counts.left.values()) >= 1


def test_nothing_leaks_from_one_paper_to_the_next() -> None:
    """Each has its own macros (4.10)."""
    assert body_of("\\x", "\\newcommand{\\x}{A}") == "A"
    assert body_of("\\x") == "\\x"
