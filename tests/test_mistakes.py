"""What a newcomer gets wrong, told in one line that names the way out.

One table for the four programs: each command as it would be typed, and below it words of its error.
Words in capitals stand for the places that are made here.
"""

import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.__main__ import main as pipelines
from pipelines.samples.github import write_github_export
from tests.tokenizer.finished_runs import write_run
from tokenizer.__main__ import main as tokenizer

# Files of configurations that hold one mistake each, by the word that stands for them.
FILES = {
    "TYPO_IN_TOKENS": '[sources.github]\ninput = ["{data}"]\n[tokens]\nsead = 1\n',
    "TYPO_IN_SOURCE": '[sources.github]\ninptu = ["{data}"]\n',
    "NO_SUCH_SOURCE": '[sources.githb]\ninput = ["{data}"]\n',
    "NO_SUCH_TABLE": '[sources.github]\ninput = ["{data}"]\n[tokeniser]\nvocab_size = 300\n',
    "NO_SOURCES": 'name = "empty"\n',
    "TEXT_FOR_BYTES": '[sources.github]\ninput = ["{data}"]\n[tokenizer]\nsample_bytes = "lots"\n',
    "ONE_MISSING": '[sources.github]\ninput = ["{data}"]\n[sources.arxiv]\ninput = ["/none.tar"]\n',
    "NO_TOML": "name = \n",
    "MIX_SOURCE": "tokens = 9\n[sources]\ngithb = {weight = 1}\n",
    "MIX_KEY": "tokens = 9\n[sources]\ngithub = {wieght = 1}\n",
    "MIX_TWO": "tokens = 9\n[sources]\ngithub = {weight = 1, epochs = 2}\n",
    "MIX_NEGATIVE": "tokens = 9\n[sources]\ngithub = {weight = -1}\n",
    "MIX_TEXT": 'tokens = "many"\n[sources]\ngithub = {weight = 1}\n',
    "TRAIN_KEY": "[optim]\nwarm_up_steps = 1\n",
    "TRAIN_TYPE": '[optim]\nlr = "fast"\n',
    "PLAIN": "no dump, no archive and no model\n",
    "WORDS": "17 tide\n",
    "LARGE_ID": "17 99999999\n",
}
LATIN = "Où ?\n".encode("latin-1")

MISTAKES = """
pipelines gihtub
    Did you mean 'github'?
pipelines github --inptu IN --run RUN
    unknown flag --inptu. Did you mean '--input'?
pipelines github --input IN --run RUN --worker 2
    Did you mean '--workers'?
pipelines github --input IN --run RUN --min 0.9
    unknown flag --min.
pipelines github --input IN --run RUN --workers two
    --workers: unable to convert "two" into int
pipelines github --input IN --run RUN --workers 0
    --workers 0: give a number from 1 on
pipelines github --input IN --run RUN --min-alnum-ratio 25
    give a number from 0 to 1
pipelines github --input IN --run RUN --max-line-length -1
    --max-line-length -1: give a number
pipelines github --input IN --run RUN --profile rp
    Choose from: "default", "redpajama"
pipelines github --input IN
    --run is missing (run directory to make or to resume)
pipelines github --input IN --run RUN --licenses MIT
    Did you mean 'mit'?
pipelines github --input IN --run RUN --rejects sample:5
    give all, ids, none, or sample:F with 0 < F <= 1
pipelines github --input IN --run RUN --runner=X
    flags of Beam follow --
pipelines github --input IN --run RUN -- --num_workers=3
    --runner=... is not among them. Name the runner
pipelines github --input IN --run RUN -- --runner=DatflowRunner
    Did you mean 'DataflowRunner'?
pipelines github --input IN --run
    --run needs a value
pipelines github --input IN --run RUN stray
    unexpected word 'stray'. --help shows
pipelines github --input NOWHERE --run RUN
    Give --input a file, a directory or a quoted glob
pipelines github --input PLAIN --run RUN
    Name the file after its table
pipelines github --input IN --run PLAIN
    a file is in its place; name another directory
pipelines github --input IN --run FOLDER
    Name a new directory with --run
pipelines github --input IN --run DONE --max-line-length 500
    Give the same options to resume it, or
pipelines wikipedia --input PLAIN --run RUN
    Give --input pages-articles dumps
pipelines stackexchange --input PLAIN --run RUN
    give SITE.7z, or Posts.xml
pipelines books --run RUN
    give --gutenberg DIR, --books3 DIR, or both
pipelines c4 --wet PLAIN --badwords FOLDER --run RUN
    is no WET file
pipelines commoncrawl --input PLAIN --models FOLDER --run RUN
    Make them with `python -m pipelines lm
pipelines commoncrawl --input PLAIN --models FOLDER --run RUN --min-language-score 9
    give a number from 0 to 1
pipelines commoncrawl --input PLAIN --models FOLDER --run RUN --wikiref NOWHERE
    --wikiref NOWHERE: no such file
pipelines inspect NOWHERE
    Give the directory that was named as --run
pipelines inspect DONE -n -3
    Must be >= 1
pipelines inspect DONE --id NONE
    --kept looks among the documents
pipelines inspect DONE --stage github.qualty
    Did you mean 'github.quality'?
pipelines inspect DONE --kept --stage github.quality
    Leave one out
pipelines compare DONE
    NEW is missing (complete run after the change)
pipelines compare DONE BOOKS
    give two runs of one source
pipelines recut DONE --run RUN
    Run github again with other settings
pipelines verify
    RUN is missing (run directory)
pipelines verify FOLDER
    is not a complete run: it has no COMPLETED
pipelines explain github NOWHERE
    no such file: NOWHERE
pipelines plan dmo
    Did you mean 'demo'?
pipelines plan demo --cores 0
    --cores 0: give a number from 1 on
pipelines build dmo --out RUN
    no such recipe. Did you mean 'demo'?
pipelines build demo --out RUN
    needs --data DIR
pipelines build TYPO_IN_TOKENS --data IN --out RUN
    tokens: unknown key 'sead'. Did you mean 'seed'?
pipelines build TYPO_IN_SOURCE --data IN --out RUN
    sources.github: unknown key 'inptu'. Did you mean
pipelines build NO_SUCH_SOURCE --data IN --out RUN
    unknown source 'githb'. Did you mean 'github'?
pipelines build NO_SUCH_TABLE --data IN --out RUN
    Did you mean 'tokenizer'?
pipelines build NO_SOURCES --data IN --out RUN
    name at least one of github, wikipedia
pipelines build TEXT_FOR_BYTES --data IN --out RUN
    tokenizer: sample_bytes: expected int, found "lots"
pipelines build ONE_MISSING --data IN --out RUN
    no such file: /none.tar. Give --input a file
pipelines build NO_TOML --data IN --out RUN
    not TOML: Invalid value (at line 1
pipelines tokenize --runs DONE --tokenizer NOWHERE --out RUN
    make a model with 'python -m tokenizer train'
pipelines tokenize --runs DONE --tokenizer PLAIN --out RUN
    not a SentencePiece model (a file NAME.model)
pipelines tokenize --runs DONE BOOKS --tokenizer MODEL --out RUN
    give those of one
pipelines lm --lang en --input NOWHERE --out RUN
    Give --input a file, a directory or a quoted glob
pipelines templates --input PLAIN --out RUN
    give a name that ends in .json
pipelines samples --out PLAIN
    it is a file; name a directory
pipelines samples --out RUN --megabytes -1
    Must be > 0
tokenizer trian
    Did you mean 'train'?
tokenizer train --model_prefix RUN
    --input is missing (run directories, .jsonl or
tokenizer train --input NOWHERE --model_prefix RUN
    NOWHERE: no such file or directory
tokenizer train --input PLAIN --model_prefix RUN --vocabsize 300
    Did you mean '--vocab_size'?
tokenizer train --input PLAIN --model_prefix RUN --vocab_size 0
    give a number from 3 on
tokenizer train --input PLAIN --model_prefix RUN --vocab_size 32000
    or less, or give more text
tokenizer train --input PLAIN --model_prefix RUN --character_coverage 2
    give a number from 0 to 1
tokenizer train --input LATIN --model_prefix RUN --vocab_size 300
    no text; LATIN: line 1 was passed over: not UTF-8
tokenizer encode --model NOWHERE --input PLAIN
    give the path of a SentencePiece .model
tokenizer encode --model PLAIN --input PLAIN
    not a SentencePiece model (a file NAME.model)
tokenizer encode --model MODEL --input NOWHERE
    error: NOWHERE: No such file or directory
tokenizer encode --model MODEL --input LATIN
    line 1 is not UTF-8
tokenizer encode --model MODEL --input PLAIN --output_format=words
    Choose from: "piece", "id",
tokenizer encode --model MODEL --input PLAIN --extra_options=bso
    Did you mean 'bos'?
tokenizer decode --model MODEL --input WORDS --input_format=id
    'tide' is no id; give numbers, or
tokenizer decode --model MODEL --input LARGE_ID --input_format=id
    id 99999999 is not within 0 to
tokenizer inspect
    --model is missing (SentencePiece model
tokenizer shard --input FOLDER --model MODEL --output RUN
    not a run directory (it has no documents)
tokenizer export FOLDER RUN --to msd
    Did you mean "mds"?
mixtures plna
    Did you mean 'plan'?
mixtures plan llma1
    no such file or mixture. Did you mean 'llama1'?
mixtures plan --jsn
    unknown flag --jsn. Did you mean '--json'?
mixtures plan demo --context 0
    --context 0: give a number from 1 on
mixtures plan demo --tokens NOWHERE
    name the folder that holds the token shards
mixtures plan demo --set githb=0.1
    unknown source 'githb'. Did you mean 'github'?
mixtures plan demo --set github
    expected SOURCE=NUMBER, such as books=28.5B
mixtures validate MIX_SOURCE
    Did you mean 'github'?
mixtures validate MIX_KEY
    unknown key 'wieght'. Did you mean 'weight'?
mixtures validate MIX_TWO
    give one of weight, epochs, tokens
mixtures validate MIX_NEGATIVE
    weight must be at least 0
mixtures validate MIX_TEXT
    tokens must be a number, not 'many'
mixtures order demo
    --tokens is missing (holds SOURCE/manifest.json
mixtures diff llama1
    give a second mixture, or --set SOURCE=AMOUNT
mixtures chart llama1
    --out is missing (file to write, .svg)
trainer dmo
    no such file, folder or preset. Did you mean 'demo'?
trainer NO_TOML
    not TOML: Invalid value (at line 1
trainer TRAIN_KEY
    Did you mean 'warmup_steps'?
trainer TRAIN_TYPE
    optim: lr: expected float, found "fast"
trainer demo data.shards
    give it a value, as in data.shards=tokens
trainer demo data.shrads=x
    Did you mean 'data.shards'?
trainer demo train.total_tokens=0
    must be more than 0, and finite
trainer demo train.batch_tokens=1000
    nearest: train.batch_tokens = 1_024
trainer demo --dry-rnu
    unknown flag --dry-rnu. Did you mean '--dry-run'?
trainer demo optim.lr=1 --data.shrads=x --dry-run
    Did you mean 'data.shards'?
trainer generate NOWHERE --promt=hello
    unknown flag --promt. Did you mean '--prompt'?
trainer demo --dry-run --device TPU
    must be one of A100 PCIe, A100
trainer demo --dry-run --mfu 2
    Must be <= 1
trainer generate NOWHERE --prompt hello
    no such file, folder or preset: those of
trainer generate FOLDER --prompt hello
    no checkpoint there: train first, or name another
trainer generate FOLDER --temperature -1
    Must be >= 0
trainer export FOLDER RUN --layout metta
    Did you mean "meta"?
trainer ablate NOWHERE
    docs/evaluation.md shows such a file
"""
LINES = [line.strip() for line in MISTAKES.strip().splitlines()]
ROWS = list(zip(LINES[::2], LINES[1::2], strict=True))
PACKAGES = ("pipelines", "tokenizer", "mixtures", "trainer")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write what the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("places")
    found = {}
    for name, content in FILES.items():
        found[name] = str(folder / f"{name.lower()}.toml")
        Path(found[name]).write_text(content)
    found["LATIN"] = str(folder / "latin.txt")
    Path(found["LATIN"]).write_bytes(LATIN)
    found |= {name: str(folder / name.lower()) for name in ("IN", "DONE", "FOLDER", "NOWHERE")}
    Path(found["FOLDER"]).mkdir()
    (Path(found["FOLDER"]) / "notes.txt").write_text("mine\n")
    write_github_export(found["IN"], megabytes=0.05)
    assert pipelines(["github", "--input", found["IN"], "--run", found["DONE"], "--quiet"]) == 0
    books = [("gutenberg:1", "The tide turns twice a day. " * 9)]
    found["BOOKS"] = str(write_run(folder / "books", "books", books))
    words = ["--input", found["DONE"], "--model_prefix", str(folder / "small")]
    assert tokenizer(["train", *words, "--vocab_size", "400"]) == 0
    return found | {"MODEL": str(folder / "small.model")}


def _filled(words: str, places: Mapping[str, str]) -> str:
    """Put paths in the place of their names, which stand alone or before a colon."""
    for name, path in places.items():
        words = words.replace(f" {name}", f" {path}").replace(f"{name}:", f"{path}:")
    return words


def test_the_table_is_long_enough_and_has_all_programs() -> None:
    """At least 40 mistakes, each named once."""
    assert len(ROWS) == len({command for command, _ in ROWS}) >= 40
    assert {command.split()[0] for command, _ in ROWS} == set(PACKAGES)


@pytest.mark.parametrize(("command", "told"), ROWS, ids=[command for command, _ in ROWS])
def test_a_mistake_is_one_line_that_names_the_way_out(
    command: str,
    told: str,
    places: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 1, one line on stderr, no traceback, and nothing begun."""
    here = places | {"RUN": str(tmp_path / "run")}
    package, *words = shlex.split(command)
    capsys.readouterr()
    code = importlib.import_module(f"{package}.__main__").main([here.get(w, w) for w in words])
    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert _filled(told, here) in error
    assert not (tmp_path / "run").exists()
