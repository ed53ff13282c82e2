r"""Feed made-up papers to the expander, guided by what they cover: ``python tests/fuzz/papers.py``.

It needs ``pip install atheris`` (Linux). Ten minutes of one core, with inputs that are kept:

    mkdir -p build/fuzz
    PYTHONPATH=. python tests/fuzz/papers.py -max_total_time=600 -max_len=6000 -len_control=0 \\
        build/fuzz

A byte of the input is a piece of TeX (a command, a brace, a letter), so that the fuzzer finds
definitions, calls and conditionals soon; a piece may be repeated many times, which finds what takes
more than linear time. It stops at the first input that raises, that leaves a mark of ours in a
text, that breaks a limit, or that takes longer than ``SECONDS_PER_MB`` allows, and writes that
input to a file ``crash-*``; give the file as an argument to run it again, with ``PRINT=1`` in the
environment to see the paper.
"""

import os
import sys
import time

import atheris

with atheris.instrument_imports(include=["filters.latex", "filters.arxiv"]):
    from filters.arxiv import cuts
    from filters.arxiv.paper import decode_files, expand, prepare
    from filters.latex.expansion import GROWTH, SPARE

SECONDS_PER_MB, SPARE_SECONDS = 20, 3  # instrumented code is some ten times slower
_TEXT = "abxyz019 \n.,;:=+-*/()[]{}<>#$&%^_~@|\\'\"`!?\t"
_WORDS = [
    *("\\a", "\\b", "\\c", "\\x", "\\y", "\\z", "\\x@y", "\\,", "\\\\", "\\%", "\\{", "\\}"),
    *("\\newcommand{\\x}", "\\newcommand\\y[1]", "\\newcommand{\\z}[2][d]", "\\renewcommand{\\x}"),
    *("\\def\\a", "\\def\\b#1{", "\\def\\c#1.#2{", "\\gdef\\x#1{", "\\edef\\y{", "\\long\\def\\z"),
    *("\\def\\a{\\b\\b}", "\\def\\b{\\c\\c}", "\\def\\c{\\a}", "\\let\\a\\b", "\\let\\x=\\alpha"),
    *("\\newcommand{\\d}[1]{#1#1}", "\\d{", "\\d", "#1", "##1", "##", "{#1}", "[#1]"),
    *(
        "\\DeclareMathOperator{\\x}{tr}",
        "\\DeclarePairedDelimiter{\\y}{(}{)}",
        "\\y*",
        "\\y[\\big]",
    ),
    *("\\NewDocumentCommand{\\x}{s o m}{\\IfBooleanTF{#1}{a}{b}#2#3}", "\\x*", "\\IfNoValueTF{#1}"),
    *("\\newenvironment{e}[1]{\\textbf{#1}}{.}", "\\begin{e}", "\\end{e}", "\\begin{e}{a}"),
    *("\\newenvironment{f}{\\begin{e}{q}}{\\end{e}}", "\\begin{f}", "\\end{f}"),
    *(
        "\\iffalse ",
        "\\iftrue ",
        "\\else ",
        "\\fi ",
        "\\newif\\ifq",
        "\\ifq ",
        "\\qtrue",
        "\\qfalse",
    ),
    *("\\ifx\\relax", "\\relax", "\\if\\relax\\detokenize{", "\\iftoggle{t}{", "\\toggletrue{t}"),
    *(
        "\\input{f}",
        "\\input f ",
        "\\include{f}",
        "\\input{main}",
        "\\endinput",
        "\\includeonly{f}",
    ),
    *("\\makeatletter", "\\makeatother", "\\@ifnextchar[", "\\@ifstar{a}{b}", "\\@gobble", "\\@x"),
    *("\\csname", "\\endcsname", "\\expandafter", "\\xspace", "\\ref{\\x}", "\\cite[", "\\label{"),
    *("\\verb|", "\\url{a%", "\\begin{verbatim}", "\\end{verbatim}", "\\begin{comment}"),
    *("\\end{comment}", "\\begin{filecontents}{g}\n", "\\end{filecontents}", "\\lstinline!"),
    *(
        "\\section{A}",
        "\\section[",
        "\\appendix",
        "\\begin{thebibliography}{9}",
        "\\bibliography{b}",
    ),
    *(
        "\\end{thebibliography}",
        "\\nocite{*}",
        "\\begin{document}",
        "\\end{document}",
        "\\maketitle",
    ),
    *("\\begin{abstract}", "\\end{abstract}", "\\bye", "\\end", "\n\n", "% c\n", "\u00e9", "\x00"),
]
_PIECES = [*_TEXT, *_WORDS]
_REPEATS = (1, 10, 100, 1000)


def paper_of(data: bytes) -> dict[str, bytes]:
    """Make the files of a paper of bytes: three texts of pieces, some repeated."""
    source = atheris.FuzzedDataProvider(data)
    preamble, body, file = (_text(source) for _ in range(3))
    main = f"\\documentclass{{article}}{preamble}\\begin{{document}}{body}\\end{{document}}"
    if source.ConsumeBool():
        main = preamble + body  # plain TeX
    return {"main.tex": main.encode(), "f.tex": file.encode()}


def _text(source: atheris.FuzzedDataProvider) -> str:
    out = []
    for _ in range(source.ConsumeIntInRange(0, 400)):
        if not source.remaining_bytes():
            break
        pieces = [_PIECES[source.ConsumeIntInRange(0, len(_PIECES) - 1)] for _ in range(2)]
        choice = source.ConsumeIntInRange(0, 255)
        if choice < len(_REPEATS):
            out.append("".join(pieces) * _REPEATS[choice])
        else:
            out += pieces
    return "".join(out)


def check(data: bytes) -> None:
    """Read a paper, and raise if anything is wrong with what comes out."""
    members = paper_of(data)
    size = sum(map(len, members.values()))
    if os.environ.get("PRINT"):
        print(members)
    start = time.process_time()
    paper = prepare(decode_files(members))
    for main in paper.mains[:1]:
        body = expand(paper, main)
        cut = cuts.cut_start(body.text, document=body.document)
        text = cuts.tidy(cuts.cut_bibliography(cut.text or "")[0])
        text = paper.sealed.open(text)
        assert not set(text) & set("\x00\x01\x02\x03"), "a mark of ours is left"
        assert cuts.tidy(text) == text, "tidy is not idempotent"
        limit = GROWTH * paper.files.size() + SPARE
        assert len(body.text) <= 2 * limit, "the limit of the output is broken"
    seconds = time.process_time() - start
    assert seconds < size / 1e6 * SECONDS_PER_MB + SPARE_SECONDS, f"{size} bytes: {seconds:.1f} s"


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
