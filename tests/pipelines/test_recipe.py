"""A recipe from sample inputs to token shards, and what happens when it is given again."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.__main__ import main
from pipelines.engine.documents import read_rows
from pipelines.engine.errors import RunError
from pipelines.recipe import read
from pipelines.samples.github import write_github_export
from tokenizer.manifest import read_manifest
from tokenizer.model import Tokenizer
from tokenizer.properties import check_properties
from tokenizer.verify import verify

RECIPE = """
name = "tiny"
[sources.github]
input = ["{data}/github"]
[tokenizer]
vocab_size = 600
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a tiny recipe once."""
    folder = tmp_path_factory.mktemp("recipe")
    write_github_export(folder / "inputs" / "github", megabytes=2.0)
    (folder / "tiny.toml").write_text(RECIPE, "utf-8")
    assert main(arguments(folder)) == 0
    return folder


def arguments(folder: Path, out: str = "out") -> list[str]:
    """Return the command that builds the recipe."""
    flags = ["--data", str(folder / "inputs"), "--out", str(folder / out), "--quiet"]
    return ["build", str(folder / "tiny.toml"), *flags]


def documents(run: Path) -> dict[str, str]:
    """Return the texts of a run by id."""
    texts = {}
    for path in sorted((run / "documents").glob("*.parquet")):
        with path.open("rb") as stream:
            texts |= {row["id"]: row["text"] for row in read_rows(stream)}
    return texts


def test_every_document_lies_in_one_shard(built: Path) -> None:
    """Shards hold the documents of the run, each once, and nothing else."""
    shards = built / "out" / "tokens" / "github"
    ids = [i for p in shards.glob("*.docs.parquet") for i in pq.read_table(p)["id"].to_pylist()]
    assert sorted(ids) == sorted(documents(built / "out" / "github"))


def test_shards_decode_to_the_documents(built: Path) -> None:
    """The tokens between bos and eos are the text of the document that the index names."""
    texts = documents(built / "out" / "github")
    tokenizer = Tokenizer(built / "out" / "tokenizer" / "tokenizer.model")
    shards = built / "out" / "tokens" / "github"
    for name in ("shard-00000-of-00001", "heldout-00000-of-00001"):
        tokens = np.fromfile(shards / f"{name}.bin", "<u2")
        rows = pq.read_table(shards / f"{name}.docs.parquet").slice(0, 20).to_pylist()
        assert rows
        for row in rows:
            ids = tokens[row["offset"] : row["offset"] + row["n_tokens"]]
            assert (ids[0], ids[-1]) == (tokenizer.bos_id, tokenizer.eos_id)
            assert tokenizer.decode(ids[1:-1]) == texts[row["id"]]


def test_the_tokenizer_is_like_llamas(built: Path) -> None:
    """All properties hold; 600 pieces need not have one of sixteen spaces."""
    tokenizer = Tokenizer(built / "out" / "tokenizer" / "tokenizer.model")
    assert {found.number for found in check_properties(tokenizer) if found.problem} <= {"T7"}


def test_shards_verify(built: Path) -> None:
    """The checks of the format find nothing."""
    assert list(verify(built / "out" / "tokens" / "github")) == []


def test_a_recipe_given_again_does_nothing(built: Path) -> None:
    """Finished runs, tokenizer and shards are left as they are."""
    files = sorted(path for path in (built / "out").rglob("*") if path.is_file())
    before = {path: path.stat().st_mtime_ns for path in files}
    assert main(arguments(built)) == 0
    changed = [path.name for path in files if path.stat().st_mtime_ns != before[path]]
    assert changed == []


def test_two_workers_give_the_same_shards(built: Path) -> None:
    """The manifest of the shards holds the hash of every byte."""
    assert main([*arguments(built, "other"), "--workers", "2"]) == 0
    one, two = (read_manifest(built / out / "tokens" / "github") for out in ("out", "other"))
    assert one == two


def test_an_unfinished_tokenization_goes_on(built: Path) -> None:
    """Without its manifest and a shard, a directory is completed to the same bytes."""
    shards = built / "out" / "tokens" / "github"
    manifest = (shards / "manifest.json").read_bytes()
    (shards / "manifest.json").unlink()
    (shards / "units" / "shard-00000-of-00001.json").unlink()
    (shards / "shard-00000-of-00001.bin").write_bytes(b"half")
    assert main(arguments(built)) == 0
    assert (shards / "manifest.json").read_bytes() == manifest
    assert list(verify(shards)) == []


def test_tokens_of_an_incomplete_run_are_refused(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says which command completes the run."""
    (tmp_path / "run").mkdir()
    config = json.loads((built / "out" / "github" / "config.json").read_text("utf-8"))
    (tmp_path / "run" / "config.json").write_text(json.dumps(config), "utf-8")
    model = str(built / "out" / "tokenizer" / "tokenizer.model")
    flags = ["--runs", str(tmp_path / "run"), "--tokenizer", model, "--out", str(tmp_path / "t")]
    assert main(["tokenize", *flags]) == 1
    assert "is not complete. Finish it first" in capsys.readouterr().err


def sampled(line: str) -> str:
    """Return a recipe of one source with this line about the tokenizer."""
    return f"[sources.github]\ninput = 'x'\n[tokenizer]\n{line}"


def test_the_sample_has_the_shares_of_a_mixture(tmp_path: Path) -> None:
    """Of its sources that the recipe builds; the recipe of the paper has those of Table 1."""
    weights = read("llama1", data="in", out="out").sample.weights
    assert weights
    assert weights["commoncrawl"] == 0.67
    assert sum(weights.values()) == pytest.approx(1)
    (tmp_path / "one.toml").write_text(sampled("mixture = 'llama1'"), "utf-8")
    assert read(str(tmp_path / "one.toml"), data="", out="").sample.weights == {"github": 0.045}


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ("[sources]\ngithub = {epochs = 2}", "gives epochs, which are no shares of a sample"),
        ("tokens = 1\n[sources]\nbooks = {weight = 1}", "has no share of github"),
    ],
)
def test_a_mixture_that_says_no_shares(tmp_path: Path, mixture: str, message: str) -> None:
    """It is refused before anything is built."""
    path = tmp_path / "mixture.toml"
    path.write_text(mixture, "utf-8")
    (tmp_path / "one.toml").write_text(sampled(f"mixture = '{path}'"), "utf-8")
    with pytest.raises(RunError, match=message):
        read(str(tmp_path / "one.toml"), data="", out="")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nmae = 'x'", "unknown key 'nmae'. Did you mean 'name'?"),
        ("[sources.githb]\ninput = []", "unknown source 'githb'. Did you mean 'github'?"),
        ("[sources.github]\ninputs = []", "unknown key 'inputs'. Did you mean 'input'?"),
        ("[sources.github]\nrejects = 'all'", "key 'input' is missing (BigQuery exports"),
        (
            "[sources.github]\ninput = ['x']\nmax_line_length = 'a'",
            'max_line_length: expected int, found "a"',
        ),
        ("[sources.github]\ninput = 'x'\n[tokens]\nsead = 1", "tokens: unknown key 'sead'"),
        (
            "[sources.github]\ninput = 'x'\n[tokenizer]\nsample_bytes = 'lots'",
            'sample_bytes: expected int, found "lots"',
        ),
        (sampled("weights = {githb = 1}"), "weights: no source 'githb' here. Did you mean 'gi"),
        (sampled("weights = {github = -1}"), "weights: github is -1"),
        (sampled("weights = {github = 0}"), "every source has the weight 0"),
        (sampled("weights = {}"), "weights has no share of github; 0 leaves a source out"),
        (
            sampled("mixture = 'llama'"),
            "mixture: llama: no such file or mixture. Did you mean 'llama1'",
        ),
        (sampled("mixture = 'demo'\nweights = {github = 1}"), "it has a mixture and weights"),
        ("[sources.github]\ninput = ['{data}/x']", "needs --data DIR"),
        ("[sources", "not TOML"),
        ("", "no [sources.NAME]"),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    """An unknown key, source or type never passes."""
    (tmp_path / "bad.toml").write_text(line, "utf-8")
    assert main(["build", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_is_not_there_names_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest recipe that comes along, or all of them."""
    assert main(["build", "dmo", "--out", str(tmp_path)]) == 1
    assert "dmo: no such recipe. Did you mean 'demo'?" in capsys.readouterr().err
    assert main(["build", "mine.toml", "--out", str(tmp_path)]) == 1
    assert "one of: demo, llama1" in capsys.readouterr().err


def test_the_inputs_of_every_source_are_looked_up_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dump that is missing is told before the hours that the other sources take."""
    write_github_export(tmp_path / "github", megabytes=0.2)
    recipe = tmp_path / "two.toml"
    dumps = "[sources.wikipedia]\ninput = 'gone.xml.bz2'\n"
    recipe.write_text(f"[sources.github]\ninput = '{tmp_path}/github'\n{dumps}")
    assert main(["build", str(recipe), "--out", str(tmp_path / "out")]) == 1
    assert "gone.xml.bz2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_source_may_wait_for_a_model_of_the_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its model is not missed before it is trained; the inputs of the others are looked up."""
    recipe = tmp_path / "waits.toml"
    recipe.write_text(
        "[sources.commoncrawl]\ninput = 'x.warc.wet.gz'\nmodels = '{out}/models'\n"
        "[lm]\nlang = 'en'\ninput = ['{out}/wikipedia']\n"
        "[sources.c4]\ninput = 'gone.json.gz'\nbadwords = ''\n"
    )
    assert main(["build", str(recipe), "--out", str(tmp_path / "out")]) == 1
    assert "gone.json.gz" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_report_of_a_recipe_shows_its_runs_and_shards(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The directory of the recipe stands for its runs; tokens are those of the manifest."""
    page = tmp_path / "report.html"
    tokens = built / "out" / "tokens"
    assert main(["report", str(built / "out"), "--tokens", str(tokens), "-o", str(page)]) == 0
    assert "no_license" in capsys.readouterr().out
    count = read_manifest(tokens / "github").splits["train"].tokens
    assert f'data-figure="github:train_tokens">{count:,}<' in page.read_text("utf-8")
