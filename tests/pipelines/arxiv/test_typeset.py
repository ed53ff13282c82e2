r"""Proof by TeX: the expansion of a paper's macros changes no word on its pages (marker ``tex``).

Run with ``pytest --typeset tests/pipelines/arxiv/test_typeset.py -s``. How the two documents are
made that are compared is told in ``typesetting``.
"""

import os
import tarfile
from pathlib import Path

import pytest

from pipelines.arxiv.records import Submission, read_submissions, unpack
from pipelines.engine.units import Part, Unit
from tests.pipelines.arxiv.typesetting import compare

pytestmark = [pytest.mark.tex, pytest.mark.usefixtures("tex")]

_WORDS_PER_FAULT = 2_000
_PREAMBLE = r"\documentclass{article}\usepackage{amsmath,amssymb,xspace,etoolbox}" "\n"


_CASES = {
    "blanks after control words": (
        r"\newcommand{\R}{\mathbb{R}}\newcommand{\eps}{\varepsilon}",
        r"$\R x\eps a\eps_1$ b",
    ),
    "comments in bodies": (
        "\\newcommand{\\x}{one% a\n two}\\newcommand{\\y}{\\alpha% b\nbeta}",
        r"\x{} $\y$ \x three",
    ),
    "comments at line ends": (
        "",
        "a\\hfill% comment\nby \\iffalse no\\fi yes\\par% comment\n  next",
    ),
    "what follows xspace": (
        r"\newcommand{\x}{word\xspace}",
        r"\x a \x, \x (b) \x \emph{c} \x~d \x$y$ \{$\x$\} \x\footnote{e} \x 5 {\x} \x{} g",
    ),
    "optional and delimited arguments": (
        r"\newcommand{\f}[2][x]{(#1:#2)}\def\g(#1,#2){[#1;#2]}\def\h#1.{<#1>}",
        r"\f{1} \f[y]{2} \f 34 \g(1,2) \h abc. d",
    ),
    "arguments after the end of a body": (
        r"\newcommand{\first}{\second}\newcommand{\second}[1]{(#1)}",
        r"\first{x} \first y",
    ),
    "looks ahead": (
        (
            r"\makeatletter\def\p{\@ifnextchar[{\q}{\q[d]}}\def\q[#1]{(#1)}"
            r"\newcommand{\s}{\@ifstar{S}{N}}\makeatother"
        ),
        r"\p[a] \p b \s* \s c",
    ),
    "definitions and settings in the body": (
        "",
        (
            r"\def\x{one}\x{} \def\x{two}\x{} \renewcommand{\thefigure}{A.\arabic{figure}}"
            r"\begin{figure}x\caption{c}\end{figure}"
        ),
    ),
    "another meaning of a name of LaTeX": (
        r"\let\oldphi\phi\renewcommand{\phi}{\varphi}",
        r"$\phi \oldphi$",
    ),
    "another meaning within a call": (
        r"\newcommand{\keys}[1]{{\def\and{\unskip\ -- }Keys: #1}}",
        r"\keys{a \and b}",
    ),
    "internals": (
        (
            r"\makeatletter\def\@store{}\newcommand{\store}[1]{\gdef\@store{#1}}"
            r"\newcommand{\show}{(\@store)}\newcommand{\hide}[1]{\@gobble{#1}}\makeatother"
        ),
        r"\store{kept}\show{} a\hide{b}c",
    ),
    "programs on tokens": (
        r"\newcommand{\name}[1]{\csname say#1\endcsname}\newcommand{\sayhello}{Hello}",
        r"\name{hello}",
    ),
    "environments and operators": (
        (
            r"\newenvironment{claim}[1]{\begin{quote}\textbf{#1}: }{\end{quote}}"
            r"\newcommand{\be}{\begin{equation}}\newcommand{\ee}{\end{equation}}"
            r"\DeclareMathOperator*{\argmax}{arg\,max}"
        ),
        "\\begin{claim}{One}text\\end{claim}\n\\be\n\\argmax_x f(x)\n\\ee\nafter",
    ),
    "conditionals": (
        (
            r"\newif\iflong\longtrue\newtoggle{t}\togglefalse{t}"
            r"\newcommand{\w}{\iflong long\else short\fi}"
        ),
        r"\w{} \iflong yes\else no\fi{} \iftoggle{t}{on}{off}",
    ),
    "document commands": (
        r"\NewDocumentCommand{\x}{s O{d} m}{\IfBooleanTF{#1}{S}{N}#2#3}",
        r"\x{a} \x*[b]{c}",
    ),
    "verbatim text and keys": (
        r"\newcommand{\x}{B}\newcommand{\eq}[1]{(\ref{eq:#1})}",
        (
            "\\verb|\\x % y| \\x\n\\begin{verbatim}\n\\x % z\n\\end{verbatim}\n"
            "\\begin{equation}\\label{eq:a}1\\end{equation}\\eq{a}"
        ),
    ),
}


@pytest.mark.parametrize("name", _CASES)
def test_a_made_paper_says_the_same(name: str, tmp_path: Path) -> None:
    """One kind of macro, one paper."""
    preamble, body = _CASES[name]
    text = f"{_PREAMBLE}{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    found = compare({"main.tex": text.encode()}, tmp_path)
    assert found.before.words
    assert found.after.words == found.before.words
    assert not found.undefined


def test_files_of_a_paper_are_read_in_their_order(tmp_path: Path) -> None:
    """Inputs, a style of the paper's own, and a file that is included."""
    main = (
        "\\documentclass{article}\\usepackage{mine}\\pagestyle{empty}\\input{macros}"
        "\\begin{document}\n"
        "\\input{a}\n\\include{b}\n\\x\\y\n\\end{document}\n"
    )
    members = {
        "main.tex": main,
        "mine.sty": "\\newcommand{\\x}{style}\n",
        "macros.tex": "\\newcommand{\\y}[1][none]{#1}\n",
        "a.tex": "first \\x\\ and \\y[this]\n",
        "b.tex": "\\section{Second}\nsecond \\y\n",
    }
    found = compare({name: text.encode() for name, text in members.items()}, tmp_path)
    assert found.before.words
    assert found.after.words == found.before.words
    assert not found.undefined


_REAL = Path(os.environ.get("CORPUSMILL_DATA") or Path(__file__).parents[4] / "shared" / "data")


def _submissions() -> list[object]:
    """Return the real submissions that may be TeX: the archive and the name of each."""
    found: list[object] = []
    for path in sorted((_REAL / "arxiv").glob("*.tar")):
        with tarfile.open(path) as archive:
            names = [name for name in archive.getnames() if name.endswith(".gz")]
        found += [pytest.param(path, name, id=name.rpartition("/")[2][:-3]) for name in names]
    return found


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("path", "name"), _submissions())
def test_a_real_paper_says_the_same(
    path: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words may move to another page, but none is lost and none is new.

    Of two thousand words one may differ: where pdftotext sees a space in a formula depends on how
    its line is stretched, and a definition in a group is taken to hold after it. A paper whose
    styles or fonts are not installed is skipped; ``-k`` picks papers by their identifier.
    """
    part = Part(str(path), path.stat().st_size)
    (data,) = (
        record.data
        for record in read_submissions(Unit("u", "tar", (part,)), part)
        if isinstance(record, Submission) and record.name == name
    )
    kind, members = unpack(name, data)
    if kind != "tex":
        pytest.skip(f"no TeX: {kind}")
    found = compare(members, tmp_path)
    if found.before.words is None:
        pytest.skip(f"does not typeset as it came: {found.before.why}")
    words, lost, new = len(found.before.words), found.lost.total(), found.gained.total()
    with capsys.disabled():
        print(
            f"\n{name}: {words} words, {len(found.differences)} runs moved, "
            f"{lost} words lost, {new} new, {len(found.before.absent)} files absent",
            end="",
        )
    assert found.after.words is not None, found.after.why
    assert max(lost, new) <= words // _WORDS_PER_FAULT, (found.lost, found.gained)
    assert not found.undefined
