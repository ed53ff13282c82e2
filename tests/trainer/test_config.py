"""Configuration: files, overrides, and the errors that a user meets first."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from trainer.batch import plan_batch
from trainer.config import (
    CONFIGS,
    Config,
    ConfigError,
    ModelConfig,
    TrainConfig,
    changed_maths,
    flatten,
    from_dict,
    load,
    to_dict,
    to_toml,
    total_steps,
)


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
    assert (config.optim.lr, total_steps(config), model.context) == (lr, steps, 2048)


def test_overrides_are_read_as_the_annotation_says() -> None:
    """Numbers, truth values, strings without quotes, lists with and without brackets."""
    config = load(
        "debug",
        [
            "optim.lr=1",
            "--data.doc_mask=true",
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
        ("optim.lrr=1", "unknown key optim.lrr. Did you mean optim.lr?"),
        ("lr=1", "unknown key lr. Did you mean optim.lr?"),
        ("optim=1", "unknown key optim"),
        ("optim.lr", "'optim.lr' is no override: write section.key=value"),
        ("model.layers=2.5", "model.layers = 2.5 is float, must be int"),
        ("model.layers=true", "model.layers = True is bool, must be int"),
        ("data.doc_mask=1", "data.doc_mask = 1 is int, must be bool"),
        ("optim.lr=nan", "optim.lr = nan must be finite"),
        ("optim.lr=-1", "optim.lr = -1.0 must be more than 0"),
        ("optim.betas=0.9", "optim.betas has 1 values, must have 2"),
        ("optim.betas=0.9,1.0", "optim.betas = [0.9, 1.0] must lie in [0, 1)"),
        ("data.skip=[[5, 3]]", "data.skip has [5, 3]; steps are counted from 1"),
        ("parallel.param_dtype=half", "must be one of: bfloat16, float32"),
        ("run.resume=latest", "run.resume = latest: auto, never, or a checkpoint"),
        ("run.allow_change=seed", "unknown key seed. Did you mean train.seed?"),
        ("model.heads=3", "nearest: model.heads = 2 or 4"),
        ("optim.warmup_steps=200", "leaves nothing of the 200 steps"),
    ],
)
def test_bad_overrides_are_refused_with_the_way_out(override: str, message: str) -> None:
    """Each names the key, what is wrong, and where it can be said the nearest legal value."""
    with pytest.raises(ConfigError) as error:
        load("debug", [override])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[modell]\ndim = 4", "unknown key modell. Did you mean model?"),
        ("[model]\ndims = 4", "unknown key model.dims. Did you mean model.dim?"),
        ("model = 4", "model is a section"),
        ("[model\n", "cannot read the configuration"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    """Files are as strict as the command line."""
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as error:
        load(str(path))
    assert message in str(error.value)


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
    with pytest.raises(ConfigError) as error:
        plan_batch(Config(model=model, train=train), 2)
    assert str(error.value).endswith(
        "nearest: train.batch_tokens = 640 or 1_280, or train.micro_batch = 3 or 6"
    )
    with pytest.raises(ConfigError, match=r"nearest: train\.batch_tokens = 7_040$"):
        plan_batch(Config(model=model, train=train), 22)


def test_only_changes_of_the_maths_count_against_resuming() -> None:
    """Paths, intervals and the micro batch may change; a key that is not saved had its default."""
    saved = to_dict(load("debug"))
    del saved["loss"]["z_loss"]
    config = load(
        "debug", ["run.dir=x", "train.micro_batch=1", "eval.every=3", "data.skip=[[1,2]]"]
    )
    assert changed_maths(saved, config) == []
    config = load("debug", ["optim.lr=1e-3", "loss.z_loss=1e-4"])
    assert changed_maths(saved, config) == [
        "optim.lr: 0.003 -> 0.001",
        "loss.z_loss: 0.0 -> 0.0001",
    ]


def test_every_field_is_reachable_by_one_dotted_key() -> None:
    """Sections are flat: a key has exactly one dot."""
    sections = [getattr(Config(), field.name) for field in dataclasses.fields(Config)]
    assert len(flatten(Config())) == sum(len(dataclasses.fields(section)) for section in sections)
