r"""The rules of expansion and their guards (docs/rules/sources.md 4.6)."""

from itertools import pairwise

import pytest

from filters.latex.expansion import GROWTH, MAX_EXPANSIONS, SPARE
from tests.filters.latex.papers import body_of, counts_of


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        # rule 1: names, and the blanks after them
        ("\\newcommand{\\R}{\\mathbb{R}}", "\\Real \\R x", "\\Real \\mathbb{R}x"),
        ("\\newcommand{\\eps}{\\varepsilon}", "\\eps a", "\\varepsilon a"),
        ("\\newcommand{\\eps}{\\varepsilon}", "\\eps_1", "\\varepsilon_1"),
        ("\\newcommand{\\x}{A}", "\\x\n\nb", "A\n\nb"),
        ("\\newcommand{\\x}{A}", "\\x\nb", "Ab"),
        ("\\newcommand{\\,}{A}", "\\, b", "A b"),
        ("\\makeatletter\\def\\x@y{B}\\def\\z{\\x@y}\\makeatother", "\\z \\x@y", "B\\x@y"),
        ("\\newcommand{\\e}{}", "\\alpha\\e b", "\\alpha b"),
        ("\\newcommand{\\x}[1]{\\alpha#1}", "\\x{b}\\x{1}", "\\alpha b\\alpha1"),
        # rule 2: arguments
        ("\\newcommand{\\x}[1]{(#1)}", "\\x12", "(1)2"),
        ("\\newcommand{\\x}[1]{(#1)}", "\\x {a}", "(a)"),
        ("\\newcommand{\\x}[1]{(#1)}", "\\x\\alpha b", "(\\alpha) b"),
        ("\\newcommand{\\x}[1]{(#1)}", "{\\x}", "{\\x}"),
        ("\\newcommand{\\x}[1]{(#1)}", "\\x\n\na", "\\x\n\na"),
        ("\\newcommand{\\x}[1]{(#1)}", "\\x", "\\x"),
        ("\\newcommand{\\x}[2]{<#1>#2}", "\\x{a}\n\\end{b}", "<a>\n\\end{b}"),
        ("\\newcommand{\\x}[2]{<#1>#2}", "\\x{a}\n\nb", "<a>\n\nb"),
        ("\\newcommand{\\x}[2]{<#1>}", "\\x{a}\n\nb", "<a>\n\nb"),
        ("\\newcommand{\\x}[2]{<#1>}", "\\x{a}\\par b", "<a>\\par b"),
        ("\\newcommand{\\x}[2]{<#1>#2}", "{\\x{a}}", "{\\x{a}}"),
        ("\\newcommand{\\x}[2]{<#1>#2.}", "\\x{a}\n\\end{b}", "\\x{a}\n\\end{b}"),
        ("\\newcommand{\\x}[2]{#2<#1>#2}", "\\x{a}\n\nb", "\\x{a}\n\nb"),
        ("\\newcommand{\\x}[2]{<#1>#2}", "\\x\n\nb", "\\x\n\nb"),
        ("\\newcommand{\\x}[1]{(#1)}", "\\x{a{b}\\}c}", "(a{b}\\}c)"),
        ("\\newcommand{\\a}{\\b}\\newcommand{\\b}[1]{(#1)}", "\\a{x}", "(x)"),
        ("\\newcommand{\\b}[1]{(#1)}\\newcommand{\\a}{\\b}", "\\a\n{x}", "(x)"),
        ("\\newcommand{\\todo}[1]{}", "a\n\\todo{x}\nb \\todo{y}\nc", "a\nb \nc"),
        # rule 4: what reaches itself
        ("\\def\\x{a\\x}", "\\x", "a\\x"),
        ("\\def\\a{\\b}\\def\\b{\\a}", "\\a", "\\a"),
        ("\\newcommand{\\red}[1]{{\\color{red} #1}}", "\\red{a \\red{b}}",
         "{\\color{red} a {\\color{red} b}}"),
        # rule 5: where nothing is expanded
        ("\\newcommand{\\x}{B}", "\\verb|\\x| \\x", "\\verb|\\x| B"),
        ("\\newcommand{\\x}{B}", "\\ref{a\\x} \\cite[\\x]{b\\x} \\x",
         "\\ref{a\\x} \\cite[B]{b\\x} B"),
        ("\\newcommand{\\x}{B}", "\\label{\\x} \\eqref{\\x}", "\\label{B} \\eqref{B}"),
        ("\\newcommand{\\x}{B}", "\\url{a/\\x}\\includegraphics[width=\\x]{f\\x}",
         "\\url{a/\\x}\\includegraphics[width=B]{f\\x}"),
        ("\\newcommand{\\eq}[1]{(\\ref{eq:#1})}", "\\eq{a}", "(\\ref{eq:a})"),
        ("\\newcommand{\\x}{B}", "\\begin{verbatim}\n\\x\n\\end{verbatim}",
         "\\begin{verbatim}\n\\x\n\\end{verbatim}"),
        # rule 7: layout, and xspace
        ("\\newcommand{\\x}{\\vspace{1pt}}", "\\x", "\\vspace{1pt}"),
        ("\\newcommand{\\x}{A\\xspace}", "\\x b \\x. \\x{} \\x", "A b A. A{} A"),
        ("\\newcommand{\\x}{A\\xspace}", "\\x \\cite{b} \\x(c) \\x5 \\x~d \\x-e {\\x}",
         "A \\cite{b} A (c) A 5 A~d A-e {A}"),
        ("\\newcommand{\\x}{A\\xspace}", "\\x $b$ $\\x$ $\\x(c)$ \\{$\\x$\\} \\x\\footnote{d}",
         "A $b$ $A$ $A(c)$ \\{$A$\\} A\\footnote{d}"),
        ("\\newcommand{\\x}{A\\xspace}\\newcommand{\\y}{, b}", "\\x\\y", "A, b"),
        ("", "{\\sc a}\\xspace b \\xspace.", "{\\sc a} b ."),
        # rule 12: line ends that meet are no blank line
        ("\\newcommand{\\x}[1]{\n\\begin{a}#1\\end{a}\n}", "b\n\\x{c}\nd\n\\x{c}\nd",
         "b\n\\begin{a}c\\end{a}\nd\n\\begin{a}c\\end{a}\nd"),
        ("\\newcommand{\\x}[1]{\n#1\n}", "b \\x{\n c\n }\n\\end{e}",
         "b \n c\n \\end{e}"),
        ("\\newcommand{\\x}[2]{(#1)#2}", "b\n\\x{a}{\n c\n }\n\\end{e}",
         "b\n(a)\n c\n \\end{e}"),
        ("\\newcommand{\\x}[1]{\\y{#1}}\\newcommand{\\y}[1]{\n#1\n}", "b\n\\x{c}\n",
         "b\nc\n"),
        ("\\newcommand{\\x}[1]{}", "b\n\\x{c} \\x{d}\ne", "b\n e"),
        ("\\newcommand{\\x}[1]{\n#1\n}", "b\n\n\\x{c}\n\nd", "b\n\nc\n\nd"),
        ("\\newcommand{\\x}[1]{\n\n#1\n\n}", "b\n\\x{c}\nd", "b\n\nc\n\nd"),
        ("\\newcommand{\\x}[1]{#1}", "b\n\\x{\n\nc\n\n}\nd", "b\n\nc\n\nd"),
        ("\\newcommand{\\x}[1]{}", "b\n\\x{c}\n\nd", "b\n\nd"),
        ("\\newcommand{\\x}{\n\\def\\y{z}\n\nc}", "b\n\\x", "b\n\nc"),
        ("\\newenvironment{e}{\n<}{>\n}", "b\n\\begin{e}c\\end{e}\nd", "b\n<c>\nd"),
        # rule 13: an argument without braces
        ("\\newcommand{\\x}{\\bf{i}}", "\\ar^\\x[d] \\ar@{->}_-\\x[r] \\x^\\x",
         "\\ar^{\\bf{i}}[d] \\ar@{->}_-{\\bf{i}}[r] \\bf{i}^{\\bf{i}}"),
        ("\\newcommand{\\x}[1][]{i_{#1}}", "\\ar_\\x[d] & \\x[d]_\\x[e]",
         "\\ar_{i_{}}[d] & i_{d}_i_{e}"),
        ("\\newcommand{\\x}{ab}", "\\frac\\x2 \\frac{1}\\x \\mathbf\\x \\mathbf{\\x} \\ar[r]^{\\x}",
         "\\frac{ab}2 \\frac{1}{ab}\\mathbf{ab}\\mathbf{ab} \\ar[r]^{ab}"),
        ("\\newcommand{\\x}{\\y}\\newcommand{\\y}{\\mathsf{a}\\xspace}",
         "\\inferrule*[right=b] \\x {c} a_\\x b\\_\\x \\beta\\x",
         "\\inferrule*[right=b] {\\mathsf{a}}{c} a_{\\mathsf{a}}b\\_\\mathsf{a} \\beta\\mathsf{a}"),
        ("\\newcommand{\\x}{1/2}", "a^\\x \\bar\\x", "a^1/2\\bar1/2"),
        ("\\newcommand{\\x}{\\alpha}", "a^\\x \\frac\\x\\x", "a^\\alpha\\frac\\alpha\\alpha"),
        ("\\newcommand{\\x}{{ab}}", "a^\\x \\frac\\x\\x", "a^{ab}\\frac{ab}{ab}"),
        # looking ahead, and whether an argument is empty
        ("\\makeatletter\\def\\p{\\@ifnextchar[{\\q}{\\q[d]}}\\def\\q[#1]{<#1>}\\makeatother",
         "\\p[a]\\p b", "<a><d>b"),
        ("\\makeatletter\\def\\p#1{\\@ifnextchar\\q{(#1)\\r}{#1}}\\def\\r\\q{Q}\\makeatother",
         "\\p a\\q\\p b c\\p d\\e", "(a)Qbcd\\e"),
        ("\\makeatletter\\def\\p{\\@ifstar{S}{N}}\\makeatother", "\\p*\\p a", "SNa"),
        ("\\def\\x#1{\\if\\relax\\detokenize{#1}\\relax e\\else(#1)\\fi}", "\\x{}\\x{a}", "e(a)"),
        ("\\def\\x#1{\\ifx\\relax#1\\relax e\\else(#1)\\fi}", "\\x{}\\x{a}", "e(a)"),
    ],
)  # fmt: skip
def test_rules(preamble: str, body: str, expected: str) -> None:
    """One rule, one paper."""
    assert body_of(body, preamble) == expected


@pytest.mark.parametrize(
    ("preamble", "body", "why"),
    [
        # what a call becomes would be other commands, since "@" is no letter in a body
        ("\\makeatletter\\def\\x#1{\\g@addto@macro\\y{#1}}\\makeatother", "\\x{a}", "internal"),
        ("\\makeatletter\\def\\x{\\in@side}\\def\\in@side{\\@out}\\makeatother", "\\x", "internal"),
        # what it stores only internals of a class would fetch
        ("\\makeatletter\\def\\x#1{\\gdef\\@keys{#1}}\\makeatother", "\\x{a}", "internal"),
        # it works on tokens before they are expanded
        ("\\newcommand{\\x}[1]{\\csname a#1\\endcsname}", "\\x{b}", "internal"),
        ("\\newcommand{\\x}[1]{\\expandafter\\y#1}", "\\x{b}", "internal"),
        # within it a name of LaTeX means something else
        ("\\newcommand{\\x}[1]{{\\def\\and{, }#1}}", "\\x{a\\and b}", "redefines"),
    ],
)
def test_calls_that_would_become_something_else_stay(preamble: str, body: str, why: str) -> None:
    """And what stands around them is expanded."""
    found = counts_of(f"{body} \\known", f"{preamble}\\newcommand{{\\known}}{{A}}")
    assert found.text == f"{body} A"
    assert found.counts.left[body.partition("{")[0], why] == 1


def test_the_ends_of_delimited_arguments_are_no_internals() -> None:
    """They are matched and never called."""
    preamble = "\\makeatletter\\def\\x#1{\\@x#1:\\@end}\\def\\@x#1:#2\\@end{<#1|#2>}\\makeatother"
    assert body_of("\\x{a}", preamble) == "<a|>"


def test_what_a_protected_command_stores_is_not_known() -> None:
    r"""``\\author`` is not followed, so what the class took for its name is not written either."""
    preamble = (
        "\\makeatletter\\def\\c@author{nobody}\\def\\author#1{\\gdef\\c@author{#1}}"
        "\\def\\page{by \\c@author}\\def\\@title{none}\\def\\head{\\@title}\\makeatother"
    )
    assert body_of("\\page \\head", preamble) == "\\page \\head"


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        # what a call becomes is remembered, but not where something else decides it as well
        ("\\def\\x{\\y}\\def\\y{A}", "\\x\\x\\def\\y{B}\\x\\x", "AABB"),
        ("\\def\\y#1{(#1)}\\def\\x{\\y}", "\\x{a}\\x{b}\\x{a}", "(a)(b)(a)"),
        ("\\makeatletter\\def\\x{\\@ifstar{S}{N}}\\makeatother", "\\x a\\x*b\\x a", "NaSbNa"),
        (
            "\\newif\\ifz\\ztrue\\def\\x{\\ifz A\\else B\\fi}",
            "\\x\\x\\zfalse{}\\x\\x",
            "AA\\zfalse{}BB",
        ),
        (
            "\\newtoggle{t}\\toggletrue{t}\\def\\x{\\iftoggle{t}{A}{B}}",
            "\\x\\x\\togglefalse{t}\\x\\x",
            "AA\\togglefalse{t}BB",
        ),
        (
            "\\newcommand{\\x}[1]{\\y{#1}}\\newcommand{\\y}[1]{\\alpha#1}",
            "\\x{b}\\x{b}\\x1\\x{1}",
            "\\alpha b\\alpha b\\alpha1\\alpha1",
        ),
        (
            "\\newcommand{\\x}{b}\\newcommand{\\y}{\\alpha}",
            "\\y\\x\\x \\y\\x",
            "\\alpha bb\\alpha b",
        ),
        ("\\newcommand{\\x}{{A}\\xspace}", "\\x a \\x, \\x a \\x,", "{A} a {A}, {A} a {A},"),
        ("\\newcommand{\\x}{\\input{f}}", "\\x\\x", "FF"),
        (
            "\\newenvironment{e}{<}{>}\\newcommand{\\x}{\\begin{e}}\\newcommand{\\y}{\\end{e}}",
            "\\x a\\y\\x b\\y",
            "<a><b>",
        ),
        ("\\def\\x{\\y}\\def\\y{\\x}\\def\\z{\\y}", "\\x\\x\\z\\z\\y\\x", "\\x\\x\\y\\y\\y\\x"),
    ],
)
def test_the_second_call_becomes_what_the_first_would(
    preamble: str, body: str, expected: str
) -> None:
    """As if every call were the first."""
    found = body_of(body, preamble, {"f.tex": "F"})
    assert found == expected


def test_a_call_that_is_remembered_counts_like_the_first() -> None:
    """Its expansions, and the calls in it that stay."""
    preamble = "\\newcommand{\\x}{\\y\\y{\\z}}\\newcommand{\\y}{A}\\newcommand{\\z}[1]{#1}"
    counts = counts_of("\\x\\x\\x", preamble).counts
    assert counts.expansions == 9
    assert counts.left == {("\\z", "arguments"): 3}


def test_a_call_that_does_not_fit_has_the_meaning_before() -> None:
    """The group in which the last definition holds has ended."""
    preamble = "\\newcommand{\\x}{A}"
    assert body_of("{\\def\\x(#1){<#1>}\\x(a)} \\x b", preamble) == "{<a>} Ab"


def test_what_is_left_alone_comes_out_as_it_was_written() -> None:
    """Character for character."""
    body = "a  {b}\t\\foo  [x]\\\\ \\, $x_1^{2}$ \\emph {c}\n  d ~e\\%\n\n\\bar\\{\\}"
    assert body_of(body, "\\newcommand{\\x}{A}") == body


def test_calls_in_keys_are_told_with_the_reason() -> None:
    """They stay by rule 5."""
    counts = counts_of("\\url{a/\\x} \\ref{\\x}", "\\newcommand\\x{b}").counts
    assert counts.left == {("\\x", "key"): 1}


def test_calls_that_stay_are_told_with_the_reason() -> None:
    """For the table of the ledger."""
    counts = counts_of("{\\x}\\y(a)", "\\newcommand\\x[1]{#1}\\def\\y[#1]{#1}").counts
    assert counts.left == {("\\x", "arguments"): 1, ("\\y", "arguments"): 1}


def test_macros_that_double_end_at_the_guard() -> None:
    r"""``\def\a{\b\b}\def\b{\c\c}...``: the calls of the paper stay as they were (rule 4).

    How long this takes is measured in ``tests/benchmarks/test_arxiv_papers.py``.
    """
    names = [f"\\q{a}{b}" for a in "abcdef" for b in "abcdefgh"]
    preamble = "".join(f"\\def{x}{{{y}{y}}}" for x, y in pairwise(names))
    body = counts_of("x \\qaa y \\qfg z", preamble)
    assert body.text.startswith("x \\qaa y ")
    assert body.text.endswith(f"{names[-1] * 2} z")
    assert body.counts.guards == {"expansions": 1}
    assert body.counts.expansions <= MAX_EXPANSIONS


def test_arguments_that_double_end_at_the_guard() -> None:
    """Neither output nor work grows without bounds."""
    calls = 40
    body = counts_of("\\d{" * calls + "xyz" + "}" * calls, "\\newcommand{\\d}[1]{#1#1}")
    assert len(body.text) < SPARE + GROWTH * 1_000
    assert body.counts.expansions <= MAX_EXPANSIONS
    assert sum(body.counts.guards.values()) >= 1


def test_a_deep_chain_is_left_from_the_fiftieth_on() -> None:
    """The guard of depth (rule 4)."""
    names = [f"\\q{a}{b}" for a in "abcdef" for b in "abcdefghijkl"][:60]
    preamble = "".join(f"\\def{x}{{{y}}}" for x, y in pairwise(names))
    body = counts_of("\\qaa.", preamble)
    assert body.text == f"{names[50]}."
    assert body.counts.guards == {"depth": 1}


def test_a_large_verbatim_part_is_not_multiplied() -> None:
    """A sealed part counts with its own size."""
    preamble = "\\newcommand{\\d}[1]{#1#1#1#1#1#1#1#1#1#1}"
    body = counts_of("\\d{\\d{\\d{\\d{\\verb|" + "x" * 1500 + "|}}}}", preamble)
    assert body.counts.guards["output"] == 1
