"""The arms of an ablation differ in their data alone, and the table says what came out."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mixtures import mixture
from tests.trainer import tiny
from tokenizer.corpus import CorpusError
from tokenizer.errors import UserError
from tokenizer.manifest import read_manifest
from tokenizer.run_texts import RunTexts, read_run_texts
from trainer import ablate, parallel
from trainer.__main__ import main
from trainer.config import flatten
from trainer.parallel import World
from trainer.train import Run

Row = tuple[str, str, str, str]  # id, text, language, stage of a reject


def write_run(directory: Path, kept: Sequence[Row], rejected: Sequence[Row]) -> None:
    """Write a run directory as the pipelines do, as far as it is read here."""
    files = []
    for folder, rows in (("documents", kept), ("rejects", rejected)):
        (directory / folder).mkdir(parents=True)
        path = directory / folder / "00000-all.parquet"
        columns = dict(zip(("id", "text", "lang", "stage"), zip(*rows, strict=True), strict=True))
        table = pa.table({**columns, "source": ["commoncrawl"] * len(rows)})
        pq.write_table(table if folder == "rejects" else table.drop_columns("stage"), path)
        size, sha256 = path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"path": f"{folder}/{path.name}", "bytes": size, "sha256": sha256})
    manifest = json.dumps({"files": files, "characters": 1_000}).encode()
    (directory / "manifest.json").write_bytes(manifest)
    (directory / "COMPLETED").write_text(hashlib.sha256(manifest).hexdigest() + "\n")


def code(number: int) -> str:
    """Make a text that is like the held-out ones."""
    return "".join(
        f"def method_{n}(self, value):\n    return self.{n}\n" for n in range(number % 7, 40)
    )


def noise(number: int) -> str:
    """Make a text that teaches nothing of them."""
    return " ".join(str((number * 7919 + n * 104_729) % 10_007) for n in range(300))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Write two runs and a specification of three arms, two seeds and one held-out text."""
    tiny.write_text_corpus(tmp_path)
    write_run(
        tmp_path / "web",
        [(f"kept-{n}", code(n), "en", "") for n in range(60)],
        [(f"noise-{n}", noise(n), "en", "web.quality") for n in range(40)]
        + [(f"french-{n}", noise(n), "fr", "web.language") for n in range(20)],
    )
    write_run(tmp_path / "wiki", [("one", code(3), "en", "")], [("no", "no", "en", "x")])
    path = tmp_path / "spec.toml"
    small = "model.dim=32 model.context=32 train.micro_batch=2 train.batch_tokens=256 optim.lr=0.01"
    small += " train.total_tokens=5120 optim.warmup_steps=1 metrics.every=100 model.layers=1"
    path.write_text(
        f'out = "{tmp_path / "out"}"\ntokenizer = "{tmp_path / "tokenizer.model"}"\n'
        f'config = "debug"\nseeds = [3, 4]\noverrides = {json.dumps(small.split())}\n'
        f'[arms]\nkept = {{runs = [{{run = "{tmp_path / "web"}"}}]}}\n'
        f'rejects = {{runs = [{{run = "{tmp_path / "web"}", part = "rejects", lang = "en"}}]}}\n'
        f'mix = {{mixture = "{tmp_path / "mixture.toml"}", shards = "{tmp_path / "tokens"}"}}\n'
        f'[heldout]\nwiki = [{{run = "{tmp_path / "wiki"}"}}]\n'
    )
    return path


def test_arms_are_compared_on_the_same_text(
    spec: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is like the held-out text beats noise, at equal tokens; a second call trains nothing."""
    monkeypatch.setattr(parallel, "start", lambda _: world)
    monkeypatch.setattr(parallel, "stop", lambda: None)
    assert main(["ablate", str(spec)]) == 0
    shown = capsys.readouterr().out
    out = spec.parent / "out"
    record = json.loads((out / "ablation.json").read_text())
    assert list(record) == ["kept", "rejects", "mix"]
    assert {len(results) for results in record.values()} == {2}
    assert {result["trained_tokens"] for results in record.values() for result in results} == {5120}
    bits = {arm: [r["scores"]["wiki bits/byte"] for r in found] for arm, found in record.items()}
    assert max(bits["kept"]) < min(bits["rejects"])
    assert bits["kept"][0] != bits["kept"][1]  # a seed is another beginning, and another order
    table = (out / "table.md").read_text()
    assert table in shown
    row = next(line for line in table.splitlines() if line.startswith("| rejects"))
    gaps = [b - a for a, b in zip(bits["kept"], bits["rejects"], strict=True)]
    assert f"| +{sum(gaps) / 2:.4f} ± " in row
    assert "2 seeds, 5,120 tokens each." in table
    trained = list(out.glob("runs/*/metrics.jsonl"))
    assert len(trained) == 6
    before = {path: path.stat().st_mtime_ns for path in trained}
    assert main(["ablate", str(spec)]) == 0
    assert table in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in trained} == before
    # Scores of another model are not taken for these.
    assert main(["ablate", str(spec), "optim.lr=0.02"]) == 1
    assert "of another specification: give another out" in capsys.readouterr().err


def test_an_arm_trains_as_any_run(
    spec: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the kernels that run.deterministic asks for, in each of its 20 steps."""
    seen = []
    gradients = Run.gradients

    def spy(*arguments: Any) -> Any:
        seen.append(torch.are_deterministic_algorithms_enabled())
        return gradients(*arguments)

    monkeypatch.setattr(Run, "gradients", spy)
    read = ablate.read_spec(str(spec), ["run.deterministic=true"])
    ablate._write_data(read)
    assert ablate._train(read, "kept", 3, world)
    assert seen == [True] * 20


def test_tasks_are_run_once_per_model(
    spec: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last step; again only if the scores are wanted of a model that was trained before."""
    found = []

    class Evaluation:
        def __init__(self, *_: object) -> None: ...

        def run(self, _: object) -> tuple[dict[str, Any], str]:
            found.append({"tasks": {"piqa@0": {"acc": len(found), "acc_stderr": 1}}})
            return found[-1], "text"

    monkeypatch.setitem(sys.modules, "trainer.harness", SimpleNamespace(Evaluation=Evaluation))
    read = ablate.read_spec(str(spec), ["eval.tasks=piqa"])
    ablate._write_data(read)
    for expected in (0, 1):
        result = ablate._train(read, "kept", 3, world)
        assert result is not None
        assert result.scores["piqa@0 acc"] == expected
        assert "piqa@0 acc_stderr" not in result.scores
        assert len(found) == expected + 1
        (spec.parent / "out/runs/kept-3/scores.json").unlink()


def test_arms_differ_in_data_alone(spec: Path) -> None:
    """Also the seeds are the same ones; a mixture takes them over."""
    read = ablate.read_spec(str(spec))
    ablate._write_data(read)
    configs = {arm: flatten(ablate.configure(read, arm, 4)) for arm in read.arms}
    different = {
        key for key, value in configs["kept"].items() for c in configs.values() if c[key] != value
    }
    assert different == {"run.dir", "data.shards", "data.mixture"}
    for arm in read.arms:
        text = (spec.parent / f"out/mixtures/{arm}-4.toml").read_text()
        assert text.startswith("seed = 4\n")
        assert text.count("seed") == 1


def test_a_mixture_of_the_package_can_be_an_arm(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name or its path in the repository, from any folder, as everywhere else."""
    text = spec.read_text().replace(str(tmp_path / "mixture.toml"), "mixtures/llama1.toml")
    spec.write_text(text)
    monkeypatch.chdir(tmp_path)
    ablate._write_data(ablate.read_spec(str(spec)))
    assert mixture.load(tmp_path / "out/mixtures/mix-4.toml").name == "llama1"


def test_texts_of_a_run_are_what_is_asked_for(spec: Path) -> None:
    """Kept, rejected or both; by language, by stage, by share."""
    run = str(spec.parent / "web")

    def ids(**wanted: object) -> set[str]:
        texts = list(read_run_texts(RunTexts(run, **wanted)))  # type: ignore[arg-type]  # of a test
        assert len({text.id for text in texts}) == len(texts)
        return {text.id.split("-")[0] for text in texts}

    assert ids() == {"kept"}
    assert ids(part="rejects") == {"noise", "french"}
    assert ids(part="all") == {"kept", "noise", "french"}
    assert ids(part="all", lang="en") == {"kept", "noise"}
    assert ids(part="rejects", stages=("web.language",)) == {"french"}
    some = [text.id for text in read_run_texts(RunTexts(run, share=0.3))]
    assert 5 < len(some) < 30
    with pytest.raises(CorpusError, match="part = 'none': must be documents or rejects or all"):
        ids(part="none")


def test_rejects_without_texts_are_refused(tmp_path: Path) -> None:
    """A run with --rejects=ids cannot be an arm; it does not train on nothing in silence."""
    write_run(tmp_path / "run", [("a", "text", "en", "")], [("b", "", "en", "stage")])
    with pytest.raises(CorpusError, match=r"its rejects have no texts: run it with --rejects=all"):
        list(read_run_texts(RunTexts(str(tmp_path / "run"), "rejects")))
    (tmp_path / "run/COMPLETED").unlink()
    with pytest.raises(CorpusError, match="the run is not finished"):
        list(read_run_texts(RunTexts(str(tmp_path / "run"))))


def test_arms_train_on_all_but_one_of_their_texts(spec: Path) -> None:
    """A run wants something held out; the texts that arms are compared on are wholly so."""
    read = ablate.read_spec(str(spec))
    ablate._write_data(read)
    kept = read_manifest(spec.parent / "out/tokens/kept/texts").splits
    assert (kept["train"].documents, kept["heldout"].documents) == (59, 1)
    wiki = read_manifest(spec.parent / "out/heldout/wiki").splits
    assert (wiki["train"].documents, wiki["heldout"].documents) == (0, 1)
    assert wiki["heldout"].text_bytes == len(code(3).encode())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[heldout]", "[held]", "unknown key 'held'. Did you mean 'heldout'?"),
        ('part = "rejects"', 'parts = "rejects"', "unknown key 'parts'. Did you mean 'part'?"),
        ("seeds = [3, 4]", "seeds = []", "it takes two arms, a seed and a held-out text"),
        ("mixture = ", "mixtures = ", "unknown key 'mixtures'. Did you mean 'mixture'?"),
        (", shards = ", ", runs = [], shards_ = ", "unknown key 'shards_'"),
        ("[arms]", "arms", "spec.toml: "),
    ],
)
def test_a_wrong_specification_is_refused(spec: Path, old: str, new: str, message: str) -> None:
    """One line that names the key."""
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))
    with pytest.raises(UserError) as caught:
        ablate.read_spec(str(spec))
    assert message in str(caught.value)
