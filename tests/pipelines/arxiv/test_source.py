"""The source on made tar files: what is kept, what is not, and the same bytes everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.arxiv.config import ArxivConfig
from pipelines.arxiv.source import ARXIV
from pipelines.engine.documents import read_rows
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from tests.pipelines.arxiv.archives import (
    PAPER,
    packed,
    single,
    write_bucket,
    write_manifest,
    write_tar,
)
from tests.pipelines.commoncrawl.crawl import write_models

LOCAL_BEAM = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
)
QUIET = Launch(workers=1, progress=False)


def run(folder: Path, inputs: list[Path], launch: Launch = QUIET, **settings: Any) -> Ledger:
    """Curate tar files."""
    config = ArxivConfig(tuple(map(str, inputs)), **settings)
    return run_source(ARXIV, config, str(folder), launch)


def rows(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the documents or the rejects, by id."""
    found = {}
    for path in sorted((folder / name).glob("*.parquet")):
        with path.open("rb") as stream:
            found |= {row["id"]: row for row in read_rows(stream)}
    return found


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of a run whose bytes must not change."""
    names = ("documents/*", "rejects/*", "manifest.json", "stats.json", "COMPLETED")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in names
        for path in sorted(folder.glob(name))
    }


def test_kept_and_rejected_partition_the_input(tmp_path: Path) -> None:
    """Each submission is a document, a reject by a named reason, or a bad record."""
    ledger = run(tmp_path / "run", write_bucket(tmp_path / "in"))
    kept, rejected = rows(tmp_path / "run", "documents"), rows(tmp_path / "run", "rejects")
    assert sorted(kept) == [
        "arxiv:2001.00001",
        "arxiv:2001.00002",
        "arxiv:hep-th/0002001",
        "arxiv:math/0101001",
    ]
    reasons = {name: row["reason"] for name, row in rejected.items() if name.startswith("arxiv:2")}
    assert reasons.pop("arxiv:2001.00002") == "older_version"
    assert reasons == {
        "arxiv:2001.00003": "pdf_only",
        "arxiv:2001.00004": "postscript",
        "arxiv:2001.00005": "html",
        "arxiv:2001.00006": "withdrawn",
        "arxiv:2001.00007": "empty",
        "arxiv:2001.00008": "damaged_gzip",
        "arxiv:2001.00009": "too_short",
        "arxiv:2001.00010": "no_main_file",
        "arxiv:2001.00011": "pdf_only",
    }
    assert ledger.bad_records == {"no_identifier": 1}
    assert ledger.stages["arxiv.version"].rejected == {"older_version": 1}
    assert (ledger.records_read, ledger.documents, ledger.imbalance()) == (15, 4, 0)


def test_a_document(tmp_path: Path) -> None:
    """Its columns and its meta (docs/rules/sources.md 4.9)."""
    run(tmp_path / "run", write_bucket(tmp_path / "in"))
    document = rows(tmp_path / "run", "documents")["arxiv:2001.00001"]
    assert document["text"].startswith("\\section{Tides}\nThe \\textbf{sea of waves}. The tide")
    assert document["text"].endswith("More of it.")
    assert document["url"] == "https://arxiv.org/abs/2001.00001"
    assert document["created"] == "2020-01"
    assert json.loads(document["meta"]) == {
        "arxiv_id": "2001.00001",
        "encoding": "utf-8",
        "main_file": "main.tex",
        "missing_inputs": 0,
        "n_expansions": 1,
        "n_files": 2,
        "n_inputs": 1,
        "n_macros": 1,
        "tar": "arXiv_src_2001_001.tar",
        "yymm": "2001",
    }
    old = rows(tmp_path / "run", "documents")["arxiv:math/0101001"]
    assert json.loads(old["meta"])["encoding"] == "latin-1"
    assert "Marées" in old["text"]


def test_the_notes_count_and_the_table_names_what_is_left(tmp_path: Path) -> None:
    """Definitions, expansions, inputs, guards; macros that stay, with the reason."""
    paper = PAPER.replace("\\begin{document}", "\\def\\x{a\\x}\\begin{document}\\x{\\sea}")
    tar = write_tar(tmp_path, "2001", 1, {"2001.00001.gz": single(paper)})
    ledger = run(tmp_path / "run", [tar])
    assert ledger.notes["definitions"] == 2
    assert ledger.notes["expansions"] == 2
    assert ledger.notes["missing_inputs"] == 1
    assert ledger.notes["guard_recursion"] == 1
    assert ledger.tables["macros_left"] == {"recursive \\x": 1, "arguments \\sea": 1}


def test_the_newest_submission_wins(tmp_path: Path) -> None:
    """By the time in the manifest, else by the name of the tar (4.1)."""
    inputs = write_bucket(tmp_path / "in")
    run(tmp_path / "run", inputs)
    text = rows(tmp_path / "run", "documents")["arxiv:2001.00002"]["text"]
    assert text.startswith("\\section{Newer tides}")
    times = ["2020-03-01 10:00:00", "2020-02-01 10:00:00", "2000-02-01 10:00:00"]
    write_manifest(tmp_path / "in", dict(zip(inputs, times, strict=True)))
    run(tmp_path / "again", [tmp_path / "in"])
    text = rows(tmp_path / "again", "documents")["arxiv:2001.00002"]["text"]
    assert text.startswith("\\section{Tides}")


def test_a_tar_with_another_md5_is_a_failed_file(tmp_path: Path) -> None:
    """It claims nothing and gives nothing, so that an older version of its papers stays."""
    inputs = write_bucket(tmp_path / "in")
    write_manifest(tmp_path / "in", dict.fromkeys(inputs, "2020-01-01 00:00:00"))
    inputs[1].write_bytes(inputs[1].read_bytes()[:-1] + b"\1")
    run(tmp_path / "run", inputs)
    failed = Run(str(tmp_path / "run")).stats()["failed_files"]
    assert list(failed) == [str(inputs[1])]
    assert "the manifest says" in failed[str(inputs[1])]
    text = rows(tmp_path / "run", "documents")["arxiv:2001.00002"]["text"]
    assert text.startswith("\\section{Tides}")


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    """In one line that says what to do."""
    inputs = write_bucket(tmp_path / "in")
    (tmp_path / "in" / "arXiv_src_manifest.xml").write_text("<file>")
    with pytest.raises(RunError, match="no manifest of arXiv's sources"):
        run(tmp_path / "run", inputs)


@pytest.mark.parametrize(
    "launch",
    [
        Launch(workers=2, progress=False),
        Launch(workers=4, progress=False),
        Launch(beam_flags=LOCAL_BEAM, progress=False),
    ],
)
def test_the_bytes_do_not_depend_on_who_works(tmp_path: Path, launch: Launch) -> None:
    """Nor on the order in which inputs are named."""
    inputs = write_bucket(tmp_path / "in")
    run(tmp_path / "one", inputs)
    run(tmp_path / "other", inputs[::-1], launch)
    assert content(tmp_path / "other") == content(tmp_path / "one")


def test_switches(tmp_path: Path) -> None:
    """The abstract, the appendix, papers without a section, supplements (4.3, 4.7)."""
    words = "Water comes and goes along the coast, twice a day. " * 8
    paper = (
        "\\documentclass{a}\\begin{document}\\begin{abstract}Abs\\end{abstract}"
        f"\\section{{A}}{words}\\appendix\\section{{B}}b\\end{{document}}"
    )
    other = f"\\documentclass{{a}}\\begin{{document}}\\maketitle {words}\\end{{document}}"
    tar = write_tar(
        tmp_path,
        "2001",
        1,
        {
            "2001.00001.gz": packed({"main.tex": paper, "supp.tex": paper.replace("{A}", "{S}")}),
            "2001.00002.gz": single(other),
        },
    )
    run(tmp_path / "default", [tar])
    texts = rows(tmp_path / "default", "documents")
    assert texts["arxiv:2001.00001"]["text"].startswith("\\section{A}Water")
    assert texts["arxiv:2001.00001"]["text"].endswith("\\appendix\\section{B}b")
    assert texts["arxiv:2001.00002"]["text"].startswith("Water")
    run(
        tmp_path / "other",
        [tar],
        keep_abstract=True,
        appendix="drop",
        no_section="drop",
        include_supplements=True,
    )
    texts = rows(tmp_path / "other", "documents")
    assert list(texts) == ["arxiv:2001.00001"]
    text = texts["arxiv:2001.00001"]["text"]
    assert text.startswith("\\begin{abstract}Abs\\end{abstract}\n\n\\section{A}")
    assert "\\section{S}" in text
    assert rows(tmp_path / "other", "rejects")["arxiv:2001.00002"]["reason"] == "no_section"


def test_the_language_is_named_where_a_model_is_given(tmp_path: Path) -> None:
    """In a column, with its score (4.9)."""
    write_models(tmp_path)
    tar = write_tar(tmp_path, "2001", 1, {"2001.00001.gz": single(PAPER)})
    run(tmp_path / "run", [tar], langid=str(tmp_path / "lid.bin"))
    document = rows(tmp_path / "run", "documents")["arxiv:2001.00001"]
    assert document["lang"] == "en"
    assert document["lang_score"] > 0
    with pytest.raises(RunError, match="no supervised fastText model"):
        run(tmp_path / "other", [tar], langid=str(tmp_path / "none.bin"))


def test_redpajama_does_as_redpajama_does(tmp_path: Path) -> None:
    """No input is followed, macros with arguments stay, Latin-1 drops the paper."""
    run(tmp_path / "run", write_bucket(tmp_path / "in"), profile="redpajama")
    kept, rejected = rows(tmp_path / "run", "documents"), rows(tmp_path / "run", "rejects")
    assert "The \\sea{waves}." in kept["arxiv:2001.00001"]["text"]
    assert rejected["arxiv:math/0101001"]["reason"] == "not_utf8"
    assert rejected["arxiv:2001.00010"]["reason"] == "no_section"
