r"""Sample submissions of arXiv, in the bucket's format: three small papers of our own, and more.

The three have what papers have: macros with arguments, a file that is included, conditionals,
comments, a bibliography, a style file, a file in Latin-1. One of them comes in two versions. The
others are for a model to train on: each module of the standard library that describes itself
becomes a paper, with a section on each of its functions and classes. It is read from its source
and not imported. The same Python gives the same bytes.
"""

import ast
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipelines.samples.library import described, paragraphs, parse, sources, standard_modules
from tokenizer.files import write_atomically

ARXIV_SHARE: Final = 0.05  # of a sample of all sources, at most
_SIGNS: Final = {sign: f"\\{sign}" for sign in "{}$&#%_"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}

_TIDES = r"""\documentclass[11pt]{article}
\usepackage{amsmath}
\usepackage{tides}
\newcommand{\level}[1]{h_{#1}}
\newcommand{\period}[2][12]{T_{\mathrm{#2}}=#1\,\mathrm{h}}
\newif\ifdraft
\draftfalse
\title{A short account of tides on a straight coast}
\author{A. Keeper}
\begin{document}
\maketitle
\begin{abstract}
We describe the level of the sea at a harbour as a sum of a few oscillations.
\end{abstract}
% TODO: thank the harbour master
\section{Introduction}\label{sec:intro}
The sea rises and falls twice a day, because the Moon and the Sun pull at it and the Earth turns
below. A harbour that keeps a record of its level for a month can predict the next year, and
most harbours did so long before anyone could say why.%
\ifdraft\ A picture belongs here.\fi

\section{The level}
\input{sections/model}

\ifdraft
\section{Notes to ourselves}
Ask for the record of 1953.
\fi

\section{Conclusion}
Two oscillations, $\period{lunar}$ and $\period[24]{solar}$, explain nine tenths of what a tide
gauge shows on an open coast. The rest is weather, which no harmonic predicts~\cite{keeper}.

\begin{thebibliography}{1}
\bibitem{keeper} A. Keeper, \emph{Forty years at the gauge}, 1961.
\end{thebibliography}
\end{document}
"""
_MODEL = r"""Let $\level{0}$ be the mean level and $\level{k}$ the amplitude of the oscillation
$k$. Then
\beq
  h(t) = \level{0} + \sum_{k=1}^{\infty} \level{k} \cos(\omega_k t + \varphi_k).
\eeq
The sum has as many terms as one likes, but the first two carry most of it: on a straight coast
\begin{claim}
the lunar oscillation is about twice the solar one,
\end{claim}
so that $\level{1} \approx 2\,\level{2}$. At new moon and at full moon both add up, and a \spring
follows a day or two later; at the quarters they subtract.
"""
_STYLE = r"""\NeedsTeXFormat{LaTeX2e}
\ProvidesPackage{tides}
\newcommand{\beq}{\begin{equation}}
\newcommand{\eeq}{\end{equation}}
\newcommand{\spring}{\emph{spring tide}\xspace}
\newenvironment{claim}{\begin{quote}\itshape}{\end{quote}}
"""
_ORCHARD = r"""\documentclass{article}
\usepackage[latin1]{inputenc}
\def\tree#1#2{\mathrm{#1}_{#2}}
\def\pair(#1,#2){\langle #1 \mid #2 \rangle}
\DeclareMathOperator{\yield}{yield}
\title{How many apples does a row of trees bear?}
\author{J. Gärtner}
\begin{document}
\maketitle
\section{The rows}
An orchard has rows of trees, and a tree bears less where its neighbours stand close. We write
$\tree{T}{i}$ for the tree at place $i$ and $\yield(\tree{T}{i})$ for the apples that it bears in
a year, counted at the Gärtner farm by three people who did not talk to each other.

\section{Neighbours}
Neighbouring trees compete for light. For a pair $\pair(\tree{T}{i},\tree{T}{i+1})$ the loss is
proportional to the overlap of their crowns, which we measured with a rope and a plumb line at
noon. Doubling the distance between trees raised the yield of each by a third and lowered the
yield of the row by as much again, since it then had half as many trees.

\subsection*{What we did not measure}
Bees, frost, and the year in which nobody came to prune.

\section*{References}
\begin{thebibliography}{9}
\bibitem{a} J. Gärtner, \emph{Ropes and plumb lines}, 1984.
\end{thebibliography}

\appendix
\section{Counts}
The counts of the first row were 212, 187, 240, 199 and 225; those of the second row, where trees
stand twice as far apart, were 281, 304 and 266.
\end{document}
"""
_SORTING = r"""\documentclass{article}
\newcommand{\Oh}[1]{\mathcal{O}(#1)}
\newcommand{\algo}[1]{\textsc{#1}}
\let\eps\varepsilon
\begin{document}
\section{Sorting a shelf of books}
A shelf of $n$ books is sorted by moving one book at a time. \algo{Insertion} takes $\Oh{n^2}$
moves of a hand, and yet it is what every librarian does, for a shelf that is nearly sorted needs
only $\Oh{n}$ of them. % everyone knows this
We compare it with \algo{Merging}, for which two people hold a pile each.

\section{What a hand can hold}
Suppose that a hand holds at most $m$ books. Then a pile of $n$ books takes $\lceil n/m \rceil$
walks to the table, and \algo{Merging} costs $\Oh{n \log n}$ comparisons but only
$\Oh{(n/m)\log n}$ walks. For a probability of error $\eps$ per comparison the shelf ends with about
$\eps n$ books out of place. Walking is slower than reading, so that the constant decides:
\begin{verbatim}
walks = ceil(n / m) * ceil(log2(n))   % two hands
\end{verbatim}
With twelve books to a hand, merging wins from two hundred books on.
\end{document}
"""


def _tar(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _submission(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def write_arxiv_bucket(directory: str | os.PathLike[str], *, megabytes: float = 0.0) -> list[Path]:
    """Write tar files of submissions and their manifest.

    Args:
        directory: made if absent; files of an earlier call are replaced.
        megabytes: of papers about modules, at most; without any their tar file is left out.

    Returns:
        the files written, by name.

    Raises:
        OSError: the directory cannot be written.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    tides = {
        "tides.tex": _TIDES.encode(),
        "sections/model.tex": _MODEL.encode(),
        "tides.sty": _STYLE.encode(),
    }
    first_version = _SORTING.replace("twelve", "ten")
    tars = {
        "arXiv_src_2208_001.tar": {
            "2208/2208.90001.gz": _submission(_tar(tides)),
            "2208/2208.90002.gz": _submission(first_version.encode()),
            "2208/2208.90003.pdf": b"%PDF-1.4\n",
        },
        "arXiv_src_2208_002.tar": {
            "2208/2208.90002.gz": _submission(_SORTING.encode()),
            "2208/2208.90004.gz": _submission(_ORCHARD.encode("latin-1")),
        },
    }
    if papers := _modules(int(megabytes * 1e6)):
        tars["arXiv_src_2208_003.tar"] = papers
    written = []
    entries = []
    for number, (name, members) in enumerate(tars.items(), 1):
        content = _tar(members)
        write_atomically(folder / name, content)
        written.append(folder / name)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        entries.append(
            f"  <file>\n    <filename>src/{name}</filename>\n    <md5sum>{md5}</md5sum>\n"
            f"    <num_items>{len(members)}</num_items>\n    <seq_num>{number}</seq_num>\n"
            f"    <size>{len(content)}</size>\n"
            f"    <timestamp>2022-08-0{number} 00:00:00</timestamp>\n    <yymm>2208</yymm>\n"
            "  </file>\n"
        )
    manifest = folder / "arXiv_src_manifest.xml"
    text = f"<?xml version='1.0' standalone='yes'?>\n<arXivSRC>\n{''.join(entries)}</arXivSRC>\n"
    write_atomically(manifest, text.encode())
    return [*written, manifest]


def _modules(max_bytes: int) -> dict[str, bytes]:
    """Return submissions about modules, in the order of the modules' names."""
    members: dict[str, bytes] = {}
    for name, source in sources(standard_modules()):
        if max_bytes <= 0:
            break
        try:
            paper = module_paper(name, source).encode()
        except (SyntaxError, ValueError):
            continue
        if paper:
            members[f"2208/2208.{len(members) + 1:05d}.gz"] = _submission(paper)
            max_bytes -= len(paper)
    return members


def module_paper(name: str, source: str) -> str:
    """Return a paper on a module, by what its source says of itself; "" where that is nothing.

    Args:
        name: of the module.
        source: its text.

    Raises:
        SyntaxError, ValueError: it is no Python.
    """
    tree = parse(source)
    about = ast.get_docstring(tree)
    if not about:
        return ""
    parts = [
        "\\documentclass{article}\n\\newcommand{\\code}[1]{\\texttt{#1}}",
        f"\\title{{The module {_latex(name)}}}\n\\begin{{document}}\n\\maketitle",
        f"\\section{{What \\code{{{_latex(name)}}} is for}}\n{_latex(about)}",
    ]
    for node, description in described(tree):
        title = f"\\code{{{_latex(node.name)}}}"
        parts.append(f"\\section{{{title}}}\n{_latex(description)}")
    return "\n\n".join([*parts, "\\end{document}\n"])


def _latex(text: str) -> str:
    """Return a description as LaTeX: paragraphs, and what is indented as it stands."""
    found = []
    for plain, is_code in paragraphs(text):
        if is_code and "\\end{verbatim}" not in plain:
            found.append(f"\\begin{{verbatim}}\n{plain}\n\\end{{verbatim}}")
        else:
            found.append("".join(_SIGNS.get(sign, sign) for sign in plain))
    return "\n\n".join(found)
