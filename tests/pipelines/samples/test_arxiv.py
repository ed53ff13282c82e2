"""The sample submissions of arXiv: papers of our own and of modules, through the real source."""

from pathlib import Path

from pipelines.arxiv.config import ArxivConfig
from pipelines.arxiv.source import ARXIV
from pipelines.engine.documents import read_rows
from pipelines.engine.launch import Launch, run_source
from pipelines.samples.arxiv import ARXIV_SHARE, module_paper, write_arxiv_bucket
from tokenizer.shards import HELDOUT_FRACTION_MAX, heldout_threshold, placement


def test_the_papers_become_documents(tmp_path: Path) -> None:
    """Three papers, one older version, one PDF; no macro of theirs is left."""
    write_arxiv_bucket(tmp_path / "in")
    config = ArxivConfig((str(tmp_path / "in"),))
    ledger = run_source(ARXIV, config, str(tmp_path / "run"), Launch(progress=False))
    assert (ledger.documents, ledger.rejected) == (3, 2)
    texts = {}
    for path in (tmp_path / "run" / "documents").glob("*.parquet"):
        with path.open("rb") as stream:
            texts |= {row["id"]: row["text"] for row in read_rows(stream)}
    tides = texts["arxiv:2208.90001"]
    assert tides.startswith("\\section{Introduction}")
    assert "\\begin{equation}\n  h(t) = h_{0} + " in tides
    assert "could say why.\n\n\\section{The level}" in tides
    assert "\\begin{quote}\\itshape" in tides
    assert "$T_{\\mathrm{solar}}=24\\,\\mathrm{h}$" in tides
    assert "and a \\emph{spring tide} follows" in " ".join(tides.split())
    assert "With twelve books" in texts["arxiv:2208.90002"]
    orchard = texts["arxiv:2208.90004"]
    assert "$\\langle \\mathrm{T}_{i} \\mid \\mathrm{T}_{i+1} \\rangle$" in orchard
    assert "at the Gärtner farm" in orchard
    for name in ("draft", "\\level", "\\tree", "bibitem", "thebibliography", "TODO", "References"):
        assert not any(name in text for text in texts.values()), name


def test_the_same_call_gives_the_same_bytes(tmp_path: Path) -> None:
    """Over files of a first one as well."""
    first = [path.read_bytes() for path in write_arxiv_bucket(tmp_path)]
    assert [path.read_bytes() for path in write_arxiv_bucket(tmp_path)] == first


def test_modules_become_papers_of_which_some_are_held_out(tmp_path: Path) -> None:
    """At the size of the demonstration; the trainer refuses a source without held-out documents."""
    write_arxiv_bucket(tmp_path / "in", megabytes=16 * ARXIV_SHARE)
    config = ArxivConfig((str(tmp_path / "in"),))
    run_source(ARXIV, config, str(tmp_path / "run"), Launch(progress=False))
    ids, texts = [], []
    for path in (tmp_path / "run" / "documents").glob("*.parquet"):
        with path.open("rb") as stream:
            for row in read_rows(stream):
                ids.append(row["id"])
                texts.append(row["text"])
    assert len(texts) >= 100
    assert not any("\\code{" in text for text in texts)
    threshold = heldout_threshold(HELDOUT_FRACTION_MAX)
    held_out = sum(placement(0, name, 1).heldout_rank < threshold for name in ids)
    assert 0 < held_out < len(ids) / 2


def test_a_module_becomes_a_paper() -> None:
    """Signs of TeX are escaped, what is indented stands as it is, private names stay out."""
    source = '''"""Adds 5 % & more.

    >>> add(1)
"""
def add(a_number):
    """Return the number_and 5 % of it."""
def _private():
    """Return what nobody reads of it."""
'''
    paper = module_paper("m_n", source)
    assert "\\section{What \\code{m\\_n} is for}\nAdds 5 \\% \\& more." in paper
    assert "\\begin{verbatim}\n>>> add(1)\n\\end{verbatim}" in paper
    assert "\\section{\\code{add}}\nReturn the number\\_and 5 \\% of it." in paper
    assert "nobody" not in paper
    assert module_paper("m", "x = 1") == ""
