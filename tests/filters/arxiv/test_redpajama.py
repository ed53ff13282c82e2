"""The profile that does as RedPajama v1 does (docs/rules/sources.md 4.2)."""

import pytest

from filters.arxiv.redpajama import clean_papers


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.tex": "x\\section{T} y"}, "\\section{T} y"),
        ({"a.tex": "\\section{A}\\input{b}", "b.tex": "\\section{B}b"},
         "\\section{A}\\input{b}\n\\section{B}b"),
        ({"a.tex": "\\section{A}", "b.tex": "an abstract"}, "\\section{A}"),
        ({"a.tex": "x\\paragraph{T} y"}, ""),
        ({"a.tex": "\\section{T}a\\appendixname b"}, "\\section{T}a"),
        ({"a.tex": "\\section{T}a\\bibliography{x} b"}, "\\section{T}a"),
        ({"a.tex": "\\section{T}\n% c\nab% d\nc %"}, "\\section{T}\na\nc %"),
        ({"a.tex": "\\newcommand{\\x}{B}\n\\section{T}\\x{} \\xy"}, "\\section{T}B{} \\xy"),
        ({"a.tex": "\\newcommand{\\x}[1]{B#1}\n\\section{T}\\x{a}"}, "\\section{T}\\x{a}"),
        ({"a.tex": "\\def\\x{B}\n\\section{T}\\x."}, "\\section{T}B."),
        ({"a.sty": "\\section{T}"}, ""),
    ],
)  # fmt: skip
def test_faults_and_all(files: dict[str, str], expected: str) -> None:
    """Each file for itself, in the order of the archive."""
    members = {name: text.encode() for name, text in files.items()}
    assert clean_papers(members) == expected


def test_a_file_that_is_not_utf8_drops_the_paper() -> None:
    """Whatever the others hold."""
    assert clean_papers({"a.tex": b"\\section{T}", "b.tex": b"\xe9"}) is None
