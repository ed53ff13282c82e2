"""The real submissions: what is left of each paper's own commands, and why (marker ``data``)."""

import re
from collections import Counter
from pathlib import Path

import pytest

from filters.arxiv import cuts
from filters.arxiv.paper import decode_files, expand, prepare
from pipelines.arxiv.records import Submission, read_submissions, unpack
from pipelines.engine.units import Part, Unit

pytestmark = pytest.mark.data

_CONTROL = re.compile(r"\\(?:[A-Za-z]+|[^A-Za-z])")
_NEVER = {
    "comment": re.compile(r"(?<!\\)(?:\\\\)*%"),
    "bibliography": re.compile(r"\\begin\{thebibliography\}|\\bibliography\{|\\bibitem"),
    "preamble": re.compile(r"\\documentclass|\\usepackage|\\(?:begin|end)\{document\}"),
    "definition": re.compile(r"\\(?:re|provide)?newcommand(?![A-Za-z])|\\newenvironment\b"),
    "input": re.compile(r"\\(?:input|include|subfile)\{"),
}
_WORD = re.compile(r"[^\W\d_]{3,}")
# Calls that stay, by the rules (4.6).
_EXCEPTIONS = {
    *("arguments", "argument_type", "parameter_text", "recursive", "depth", "limit"),
    *("internal", "redefines", "key"),
}


def _papers(data: Path) -> list[tuple[str, dict[str, bytes]]]:
    found = []
    for path in sorted((data / "arxiv").glob("*.tar")):
        part = Part(str(path), path.stat().st_size)
        for record in read_submissions(Unit("u", "tar", (part,)), part):
            assert isinstance(record, Submission)
            kind, members = unpack(record.name, record.data)
            if kind == "tex":
                found.append((record.name, members))
    return found


def test_what_is_left_of_each_paper(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No comment, bibliography, preamble; of the paper's commands the named exceptions alone."""
    papers = _papers(data)
    assert len(papers) >= 20
    unexplained: Counter[str] = Counter()
    lines = []
    for name, members in papers:
        paper = prepare(decode_files(members))
        body = expand(paper, paper.mains[0])
        cut = cuts.cut_start(body.text, document=body.document)
        text = cuts.tidy(cuts.cut_bibliography(cut.text or "")[0])  # verbatim parts sealed
        for what, pattern in _NEVER.items():
            if found := pattern.search(text):
                unexplained[f"{name} {what}: {text[found.start() :][:60]!r}"] += 1
        reasons = {command: why for command, why in body.counts.left if why in _EXCEPTIONS}
        left = Counter(command for command in _CONTROL.findall(text) if command in body.macros)
        for command, count in left.items():
            why = reasons.get(command, "defined later" if command in body.late else "")
            if why:
                lines.append(f"{name} {why} {command}: {count}")
            else:
                unexplained[f"{name} {command}"] += count
    with capsys.disabled():
        print("\nleft by the rules:", *lines, sep="\n  ")
    assert unexplained == {}


def test_no_word_is_new(data: Path) -> None:
    """Nothing is glued: each word of a text of three letters or more stands in a file as well."""
    for name, members in _papers(data):
        known: set[str] = set()
        for member in members.values():
            for encoding in ("utf-8", "latin-1"):
                known.update(_WORD.findall(member.decode(encoding, "ignore")))
        paper = prepare(decode_files(members))
        body = expand(paper, paper.mains[0])
        words = set(_WORD.findall(paper.sealed.open(body.text)))
        assert words, name
        assert words - known <= {"operatorname"}, name  # what an operator becomes
