r"""The rules of expansion and their guards (docs/rules/sources.md 4.6)."""

import time
from itertools import pairwise

import pytest

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
        # looking ahead, and whether an argument is empty
        ("\\makeatletter\\def\\p{\\@ifnextchar[{\\q}{\\q[d]}}\\def\\q[#1]{<#1>}\\makeatother",
         "\\p[a]\\p b", "<a><d>b"),
        ("\\makeatletter\\def\\p{\\@ifstar{S}{N}}\\makeatother", "\\p*\\p a", "SNa"),
        ("\\def\\x#1{\\if\\relax\\detokenize{#1}\\relax e\\else(#1)\\fi}", "\\x{}\\x{a}", "e(a)"),
        ("\\def\\x#1{\\ifx\\relax#1\\relax e\\else(#1)\\fi}", "\\x{}\\x{a}", "e(a)"),
    ],
)  # fmt: skip
def test_rules(preamble: str, body: str, expected: str) -> None:
    """One rule, one paper."""
    assert body_of(body, preamble) == expected


def test_what_is_left_alone_comes_out_as_it_was_written() -> None:
    """Character for character."""
    body = "a  {b}\t\\foo  [x]\\\\ \\, $x_1^{2}$ \\emph {c}\n  d ~e\\%\n\n\\bar\\{\\}"
    assert body_of(body, "\\newcommand{\\x}{A}") == body


def test_calls_that_stay_are_told_with_the_reason() -> None:
    """For the table of the ledger."""
    counts = counts_of("{\\x}\\y(a)", "\\newcommand\\x[1]{#1}\\def\\y[#1]{#1}").counts
    assert counts.left == {("\\x", "arguments"): 1, ("\\y", "arguments"): 1}


def test_macros_that_double_end_at_the_guard() -> None:
    r"""``\def\a{\b\b}\def\b{\c\c}...`` in under a second, the call as it was (rule 4)."""
    names = [f"\\q{a}{b}" for a in "abcdef" for b in "abcdefgh"]
    preamble = "".join(f"\\def{x}{{{y}{y}}}" for x, y in pairwise(names))
    start = time.process_time()
    body = counts_of("x \\qaa y \\qfg z", preamble)
    assert time.process_time() - start < 1.5
    assert body.text.startswith("x \\qaa y ")
    assert sum(body.counts.guards.values()) >= 1


def test_arguments_that_double_end_at_the_guard() -> None:
    """Neither output nor work grows without bounds."""
    start = time.process_time()
    body = counts_of("\\d{" * 40 + "xyz" + "}" * 40, "\\newcommand{\\d}[1]{#1#1}")
    assert time.process_time() - start < 3
    assert len(body.text) < 2_000_000


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
