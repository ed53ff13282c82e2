"""Configuration: files, overrides, and the errors that a user meets first."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from mixtures import mixture
from tokenizer.errors import UserError
from trainer.config import CONFIGS, ConfigError, changed_maths, flatten, from_dict, load, to_toml
from trainer.plan import plan_batch
from trainer.sections import Config, ModelConfig, TrainConfig


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_every_config_of_the_package_loads_and_prints_back(name: str) -> None:
    """What --print-config shows is a file that gives the same configuration."""
    config = load(name)
    assert from_dict(tomllib.loads(to_toml(config))) == config


@pytest.mark.parametrize(
    ("name", "sizes", "lr", "steps"),
    [
        ("llama_7b", (6_738_415_616, 11008, 42_865_287_168), 3e-4, 238_419),
        ("llama_13b", (13_015_864_320, 13824, 82_145_310_720), 3e-4, 238_419),
        ("llama_33b", (32_528_943_616, 17920, 203_710_381_056), 1.5e-4, 333_787),
        ("llama_65b", (65_285_660_672, 22016, 406_247_227_392), 1.5e-4, 333_787),
    ],
)
def test_paper_sizes(name: str, sizes: tuple[int, int, int], lr: float, steps: int) -> None:
    """Table 2: parameters, feed-forward width, FLOPs a token, rate and length."""
    config = load(name)
    model = config.model
    assert (model.parameters, model.ffn_dim, model.flops_per_token) == sizes
    assert (config.optim.lr, config.steps, model.context) == (lr, steps, 2048)


def test_overrides_are_read_as_the_annotation_says() -> None:
    """Numbers, truth values, strings without quotes, lists with and without brackets."""
    config = load(
        "debug",
        [
            "optim.lr=1",
            "data.doc_mask=true",
            "run.dir=7",
            "data.skip=[[3, 5]]",
            "optim.betas=0.8,0.9",
            "run.allow_change=train.seed,data.doc_mask",
            "parallel.param_dtype=bfloat16",
        ],
    )
    assert config.optim.lr == 1.0
    assert config.data.doc_mask
    assert config.run.dir == "7"
    assert config.data.skip == ((3, 5),)
    assert config.optim.betas == (0.8, 0.9)
    assert config.run.allow_change == ("train.seed", "data.doc_mask")
    assert config.parallel.param_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", "no section.key=value that is known. Did you mean 'optim.lr'?"),
        ("lr=1", "Did you mean 'optim.lr'?"),
        ("optim.lr", "optim.lr: give it a value, as in optim.lr="),
        ("model.layers=2.5", "model: layers: expected int, found 2.5"),
        ("model.layers=true", "model: layers: expected int, found true"),
        ("data.doc_mask=1", "data: doc_mask: expected bool, found 1"),
        ("optim.lr=nan", "optim.lr = nan: must be more than 0, and finite"),
        ("optim.lr=-1", "optim.lr = -1.0: must be more than 0, and finite"),
        ("train.seed=-1", "train.seed = -1: must be not negative, and finite"),
        ("optim.betas=high,low", 'optim: betas[0]: expected float, found "high"'),
        ("optim.betas=0.9", "optim.betas = [0.9]: must be two numbers in [0, 1)"),
        ("optim.betas=0.9,1.0", "optim.betas = [0.9, 1.0]: must be two numbers in [0, 1)"),
        ("data.skip=[[5,3]]", "data.skip = (5, 3): steps are [first, last], counted from 1"),
        ("data.skip=[[]]", "data.skip = (): steps are [first, last], counted from 1"),
        ("profile.steps=5", "profile.steps = (5,): steps are [first, last], counted from 1"),
        ("parallel.tensor=3", "does not divide the model's heads, context, ffn and vocabulary; it"),
        ("parallel.tensor=2 parallel.compile=true parallel.recompute=full", "take selective"),
        ("parallel.compile=yes", "parallel.compile = yes: must be auto or true or false"),
        ("parallel.async_tensor=true parallel.compile=true", "set both, parallel.tensor=2 or"),
        ("parallel.async_tensor=true parallel.tensor=2", "and parallel.compile=true"),
        ("parallel.tensor=0", "parallel.tensor = 0: must be more than 0, and finite"),
        ("parallel.tensor=8", "it may be 1 or 2 or 4"),
        ("attention.backend=flash", "must be auto or flash3 or flash2 or sdpa"),
        ("parallel.param_dtype=half", "must be bfloat16 or float32"),
        ("run.resume=latest", "run.resume = latest: must be auto, never, or a checkpoint"),
        ("run.allow_change=train.sed", "no such key. Did you mean 'train.seed'?"),
        ("model.heads=3", "nearest: model.heads = 2 or 4"),
        ("optim.warmup_steps=200", "leaves nothing of the 200 steps"),
        ("data.shards=gs://bucket/tokens", "the trainer reads mounted file systems, no URLs"),
    ],
)
def test_bad_overrides_are_refused_with_the_way_out(override: str, message: str) -> None:
    """Each names the key, what is wrong, and where it can be said the nearest legal value."""
    with pytest.raises(UserError) as error:
        load("debug", override.split())
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[modell]\ndim = 4", "config.toml: unknown key 'modell'. Did you mean 'model'?"),
        ("[model]\ndims = 4", "config.toml: model: unknown key 'dims'. Did you mean 'dim'?"),
        ("model = 4", "config.toml: model: expected dict, found 4"),
        ("[model\n", "config.toml: not TOML: Expected ']'"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    """Files are as strict as the command line."""
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        load(str(path))
    assert message in str(error.value)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    """A folder in its place, in one line."""
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read: Is a directory$"):
        load(str(tmp_path))


def test_a_missing_file_names_the_configs_of_the_package() -> None:
    """A wrong path shows what there is."""
    with pytest.raises(ConfigError, match=r"no_such\.toml.*debug.*llama_7b"):
        load("no_such.toml")


def test_batches_divide_exactly() -> None:
    """Section 3, for the paper's batch on 2048 ranks: one sequence a rank."""
    plan = plan_batch(load("llama_7b", ["train.micro_batch=1"]), 2048)
    assert (plan.batch_sequences, plan.accumulation, plan.steps) == (2048, 1, 238_419)
    assert plan.sequences == 238_419 * 2048


def test_a_batch_that_leaves_a_rest_names_the_nearest_that_do_not() -> None:
    """Either number may be changed, so both are offered."""
    model = ModelConfig(dim=8, layers=1, heads=1, context=64)
    train = TrainConfig(total_tokens=10**6, batch_tokens=64 * 12, micro_batch=5)
    with pytest.raises(UserError) as error:
        plan_batch(Config(model=model, train=train), 2)
    assert str(error.value).endswith(
        "nearest: train.batch_tokens = 640 or 1_280, or train.micro_batch = 3 or 6"
    )
    with pytest.raises(ConfigError, match=r"nearest: train\.batch_tokens = 7_040$"):
        plan_batch(Config(model=model, train=train), 22)


def test_only_changes_of_the_maths_count_against_resuming() -> None:
    """Paths, intervals and the micro batch may change; a key that is not saved had its default."""
    saved = dataclasses.asdict(load("debug"))
    del saved["train"]["z_loss"]
    config = load(
        "debug", ["run.dir=x", "train.micro_batch=1", "eval.every=3", "data.skip=[[1,2]]"]
    )
    assert changed_maths(saved, config) == {}
    config = load("debug", ["optim.lr=1e-3", "train.z_loss=1e-4"])
    assert changed_maths(saved, config) == {
        "optim.lr": "0.003 -> 0.001",
        "train.z_loss": "0.0 -> 0.0001",
    }


def test_a_truth_value_is_a_word_where_a_key_has_three(tmp_path: Path) -> None:
    """``compile = true`` in a file, in an older checkpoint and on the command line: one word."""
    path = tmp_path / "config.toml"
    path.write_text("[parallel]\ncompile = true\n")
    assert load(str(path)).parallel.compile == "true"
    assert load("debug").parallel.compile == "auto"
    assert from_dict({"parallel": {"compile": False}}).parallel.compile == "false"
    assert load("debug", ["parallel.compile=false"]).parallel.compile == "false"


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.toml")))
def test_presets_find_their_mixtures_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name mixtures of the package; a file of the user's at the same path comes first."""
    monkeypatch.chdir(tmp_path)
    config = load(name)
    found = mixture.find(config.data.mixture)
    assert mixture.load(found).name == config.data.mixture
    if name.startswith("llama_"):
        assert mixture.load(found).tokens == config.train.total_tokens
    assert mixture.find(f"mixtures/{config.data.mixture}.toml") == found
    Path("mixtures").mkdir()
    mine = Path(f"mixtures/{config.data.mixture}.toml")
    mine.touch()
    assert mixture.find(str(mine)) == mine
    assert mixture.find("elsewhere/llama1.toml") == Path("elsewhere/llama1.toml")


def test_every_field_is_reachable_by_one_dotted_key() -> None:
    """Sections are flat: a key has exactly one dot."""
    sections = [getattr(Config(), field.name) for field in dataclasses.fields(Config)]
    assert len(flatten(Config())) == sum(len(dataclasses.fields(section)) for section in sections)
