"""Small papers, and what becomes of them."""

from collections.abc import Mapping

from filters.arxiv.paper import Body, decode_files, expand, prepare

MAIN = "main.tex"


def read(files: Mapping[str, str]) -> tuple[Body, str]:
    """Return the body of a paper, and its text with verbatim parts in place."""
    members = {name: text.encode() for name, text in files.items()}
    paper = prepare(decode_files(members))
    body = expand(paper, paper.mains[0])
    return body, paper.sealed.open(body.text)


def body_of(body: str, preamble: str = "", files: Mapping[str, str] | None = None) -> str:
    """Return what becomes of the body of a paper with a preamble and other files."""
    main = f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}{body}\\end{{document}}\n"
    return read({MAIN: main, **(files or {})})[1]


def counts_of(body: str, preamble: str = "") -> Body:
    """Return the body of a paper with what was counted."""
    main = f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}{body}\\end{{document}}\n"
    return read({MAIN: main})[0]
