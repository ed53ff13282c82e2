"""The report: its numbers are those of the runs, and its documents are shown as they are.

The browser looks at the same page in ``test_browser.py``.
"""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.report import sample
from pipelines.report.training import Training, mixture_rows, read_shards
from tests.pipelines.github.github_export import curate, write_tables
from tests.pipelines.report.made_run import (
    HOSTILE,
    page,
    pages,
    reject,
    write_run,
    write_shards,
    write_training,
)


class Figures(HTMLParser):
    """Collects the numbers that have a name, and the tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: dict[str, set[str]] = {}
        self.tags: list[str] = []
        self.targets: set[str] = set()
        self.links: list[str] = []
        self._name: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and the name of the number that follows."""
        found = dict(attrs)
        self.tags.append(tag)
        self._name = found.get("data-figure")
        if identifier := found.get("id"):
            assert identifier not in self.targets
            self.targets.add(identifier)
        if link := found.get("href") or found.get("xlink:href"):
            self.links.append(link)

    def handle_data(self, data: str) -> None:
        """Note the number."""
        if self._name:
            self.numbers.setdefault(self._name, set()).add(data)
            self._name = None


def figures_of(stats: dict[str, Any], key: str) -> dict[str, int]:
    """Return the numbers of ``stats.json`` by the names that the page gives them."""
    names = ("records_read", "documents", "rejected", "characters")
    found = {f"{key}:{name}": stats[name] for name in names}
    found |= {f"{key}:{name}": stats[name] for name in ("bad_records", "joined") if stats[name]}
    for stage in stats["stages"]:
        at = f"{key}:{stage['stage']}:"
        for name in ("documents_in", "documents_out", "characters_in", "characters_out"):
            found[at + name] = stage[name]
        found |= {f"{at}rejected:{reason}": n for reason, n in stage["rejected"].items()}
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs, shards, a training, and their report."""
    folder = tmp_path_factory.mktemp("report")
    kept, rejected = pages(400)
    kept.append(page(9001, f"A page with markup\n{HOSTILE}", url=f"https://x.example/{HOSTILE}"))
    rejected.append(reject(9002, HOSTILE, "bucket bucket_all", HOSTILE))
    write_run(folder / "runs" / "commoncrawl", kept, rejected)
    assert curate(folder / "runs" / "github", write_tables(folder / "in")) == 0
    write_shards(folder / "tokens", "commoncrawl", train=10_001, heldout=500)
    write_shards(folder / "tokens", "github", train=2_001, heldout=100)
    write_training(folder / "trained", "commoncrawl", read=15_000)
    assert main(arguments(folder, "report.html")) == 0
    return folder


def arguments(folder: Path, out: str) -> list[str]:
    """Return the command that writes the report."""
    tokens, trained = ("--tokens", str(folder / "tokens")), ("--trained", str(folder / "trained"))
    return ["report", str(folder / "runs"), *tokens, *trained, "-o", str(folder / out)]


def test_every_number_is_that_of_the_run(made: Path) -> None:
    """Those of stats.json and of the shards' manifests, each of them, and no other."""
    expected: dict[str, int] = {}
    for key, train, heldout in (("commoncrawl", 10_001, 500), ("github", 2_001, 100)):
        stats = json.loads((made / "runs" / key / "stats.json").read_text("utf-8"))
        expected |= figures_of(stats, key)
        manifest = json.loads((made / "runs" / key / "manifest.json").read_text("utf-8"))
        assert stats["documents"] == manifest["documents"]
        assert stats["characters"] == manifest["characters"]
        expected |= {
            f"{key}:tokens": train + heldout,
            f"{key}:train_tokens": train,
            f"{key}:heldout_tokens": heldout,
            f"mixture:{key}:tokens": train,
        }
    expected["mixture:commoncrawl:read"] = 15_000
    found = Figures((made / "report.html").read_text("utf-8"))
    assert found.numbers == {name: {f"{n:,}"} for name, n in expected.items()}


def test_the_page_stands_alone_and_escapes_what_documents_hold(made: Path) -> None:
    """No script, no picture, no address but places in the page."""
    html = (made / "report.html").read_text("utf-8")
    found = Figures(html)
    assert {"script", "img", "iframe", "object"}.isdisjoint(found.tags)
    links = [link for link in found.links if link != "data:,"]
    assert {link[1:] for link in links} <= found.targets
    assert all(link.startswith("#") for link in links)
    assert "url(http" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_same_runs_give_the_same_page(made: Path) -> None:
    """Also in another process, whose hashes of strings differ."""
    command = [sys.executable, "-m", "pipelines", *arguments(made, "again.html")]
    subprocess.run(command, check=True, capture_output=True)
    assert (made / "again.html").read_bytes() == (made / "report.html").read_bytes()


def test_documents_of_every_rule_unfold(made: Path) -> None:
    """Each rule that rejected something has rejected and kept documents below it."""
    html = (made / "report.html").read_text("utf-8")
    stats = json.loads((made / "runs" / "commoncrawl" / "stats.json").read_text("utf-8"))
    for stage in stats["stages"]:
        for reason, count in stage["rejected"].items():
            start = html.index(f'id="commoncrawl:{stage["stage"]}:{reason}"')
            rule = html[start : html.find('<details class="rule"', start)]
            rejected, kept = rule.split("<h4>Kept</h4>")
            assert rejected.count('<details class="document">') == min(3, count)
            assert kept.count('<details class="document">') >= 2


def test_the_mixture_stands_beside_table_1(made: Path) -> None:
    """15,000 tokens are 1,500 windows of 10: of 1,000, half are read twice."""
    text = " ".join(re.sub("<[^>]*>", " ", (made / "report.html").read_text("utf-8")).split())
    assert "500 windows once, 500 windows twice" in text
    assert "commoncrawl 10,001 83.3 % 15,000 100.0 % 1.50" in text
    assert "67.0 % 1.10 853B" in text


def test_sources_of_ones_own_follow_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Which does not depend on the hashes of strings in this process."""
    own = ["zebra", "wren", "toad", "seal", "rook", "quail", "puma", "owl"]
    for name in ("c4", *own, "commoncrawl"):
        write_shards(tmp_path, name, train=100, heldout=10)
    rows = mixture_rows(read_shards(str(tmp_path)), Training())
    assert [row.name for row in rows] == ["commoncrawl", "c4", *sorted(own)]


def test_the_training_is_told_on_the_page_and_the_terminal(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss from first to last step, and the last evaluation beside the unigram entropy."""
    assert main(arguments(made, "told.html")) == 0
    told = capsys.readouterr().out
    assert "loss: 6.000 at step 1, 3.500 at step 10" in told
    assert "held-out loss: 4.125 at step 10; token frequencies alone: 6.250\n" in told
    cells = " ".join(re.sub("<[^>]*>", " ", (made / "told.html").read_text("utf-8")).split())
    rows = ["commoncrawl 4.250 6.500 1.750", "weighted as in training 4.125 6.250"]
    assert [row for row in rows if row not in cells] == []


def test_a_figure_outside_of_a_dumps_range_is_a_warning(made: Path) -> None:
    """With the range and its origin."""
    html = (made / "report.html").read_text("utf-8")
    assert "pages in the languages kept: 83 %, 35 to 50 % is usual" in html
    assert "docs/rules/web.md 12" in html


def test_a_sample_says_that_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts of the table stay those of all documents."""
    monkeypatch.setattr(sample, "COLUMN_ROWS", 100)
    monkeypatch.setattr(sample, "TEXT_ROWS", 10)
    kept, rejected = pages(200)
    run = write_run(tmp_path / "run", kept, rejected, copies=5, rejects="sample:0.5")
    assert main(["report", run.path, "-o", str(tmp_path / "page.html")]) == 0
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "of a sample of 275 of the 1,000 documents" in html
    assert "of a sample of 200 of 1,000 texts" in html
    assert "keeps rejects as --rejects=sample:0.5" in html
    stats = json.loads(Path(run.at("stats.json")).read_text("utf-8"))
    expected = {name: {f"{n:,}"} for name, n in figures_of(stats, "commoncrawl").items()}
    assert Figures(html).numbers == expected


def test_only_the_report_imports_matplotlib() -> None:
    """Other commands start without it."""
    code = (
        "import sys; from pipelines.__main__ import main; main(['inspect', '--help']); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{made}/in"], "is not a run directory, and holds no complete run"),
        (["{made}/runs", "--tokens", "{made}/in"], "no token shards are there"),
        (["{made}/runs", "--trained", "{made}/in"], "no metrics.jsonl is there"),
        ([], "RUN is missing"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    made: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """And no page is written."""
    given = [word.format(made=made) for word in words]
    assert main(["report", *given, "-o", str(made / "none.html")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (made / "none.html").exists()
