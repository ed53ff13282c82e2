"""Does the curation pay? The same small model on several data sets, compared (docs/evaluation.md).

A specification names arms: parts of runs of the pipelines (what a run kept, what it rejected, or
both), or mixtures over token shards. Each arm trains one model per seed: the same configuration,
the same tokens, the same weights at the start. All are scored in bits per byte on the same
held-out texts, and on tasks; the table gives the mean over seeds and its spread.

    out = "runs/ablation"
    tokenizer = "corpus/tokenizer/tokenizer.model"
    config = "demo"
    seeds = [0, 1, 2]
    overrides = ["train.total_tokens=1_000_000"]

    [arms.kept]
    runs = [{run = "corpus/commoncrawl"}]
    [arms.rejects]
    runs = [{run = "corpus/commoncrawl", part = "rejects", lang = "en"}]
    [arms.mixture]
    mixture = "mixtures/llama1.toml"
    shards = "corpus/tokens"

    [heldout]
    wikipedia = [{run = "corpus/wikipedia", lang = "en"}]
"""

import dataclasses
import hashlib
import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mixtures import mixture as mixture_files
from tokenizer.files import sha256_of, write_atomically
from tokenizer.manifest import read_manifest
from tokenizer.model import Tokenizer
from tokenizer.run_texts import RunTexts, tokenize_runs
from tokenizer.settings import build, read_toml
from trainer.config import ConfigError, load
from trainer.data import open_source
from trainer.evaluate import heldout_nll
from trainer.parallel import World
from trainer.sections import Config
from trainer.train import Run, training

_SOURCE = "texts"  # the one source of an arm that is made of runs
_SCORES, _TABLE, _RECORD = "scores.json", "table.md", "ablation.json"


@dataclass(frozen=True, slots=True)
class Arm:
    """What one model is trained on: texts of runs, or a mixture over token shards."""

    runs: tuple[RunTexts, ...] = ()
    mixture: str = ""
    shards: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """An ablation; arms are compared with the first."""

    out: str
    tokenizer: str
    arms: Mapping[str, Arm]
    heldout: Mapping[str, tuple[RunTexts, ...]]
    config: str = "demo"
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Result:
    """A model of an arm and a seed."""

    documents: int  # that the arm can be trained on
    unique_tokens: int
    trained_tokens: int
    scores: Mapping[str, float]  # bits per byte by text, and figures of tasks


def read_spec(path: str, overrides: Sequence[str] = ()) -> Spec:
    """Read a specification; raise UserError, which names the key, for a wrong one.

    ``overrides`` of the command line come after its own, for all arms alike.
    """
    if not Path(path).is_file():
        raise ConfigError(f"{path}: no such file; docs/evaluation.md shows such a file")
    spec: Spec = build(Spec, read_toml(Path(path)), path)
    for name, arm in spec.arms.items():
        if bool(arm.runs) == bool(arm.mixture and arm.shards):
            raise ConfigError(f"{path}: arms.{name}: give runs, or a mixture with its shards")
    if len(spec.arms) < 2 or not spec.seeds or not spec.heldout:
        raise ConfigError(f"{path}: it takes two arms, a seed and a held-out text")
    return dataclasses.replace(spec, overrides=(*spec.overrides, *overrides))


def configure(spec: Spec, arm: str = "", seed: int = 0) -> Config:
    """Give the configuration of a model: the arms differ in their data alone."""
    out, tokenizer = Path(spec.out), Tokenizer(spec.tokenizer)
    mixture = out / "mixtures" / f"{arm}-{seed}.toml"
    shards = (arm and spec.arms[arm].shards) or out / "tokens" / arm
    given = [f"data.tokenizer={spec.tokenizer}", f"model.vocab_size={tokenizer.vocab_size}"]
    given += [f"data.shards={shards}", f"data.mixture={mixture}", "run.resume=auto"]
    given += [f"run.dir={out / 'runs' / f'{arm}-{seed}'}", f"train.seed={seed}", "eval.every=0"]
    return load(spec.config, [*spec.overrides, *given])


def ablate(spec: Spec, world: World) -> str:
    """Train and score all models; give the table, or nothing if a signal asked to stop.

    What is done is kept: the same command goes on. Raises UserError for what the user can put
    right, such as texts that cannot be read.
    """
    world.once(lambda: _write_data(spec))
    results: dict[str, list[Result]] = {}
    for arm in spec.arms:
        for seed in spec.seeds:
            result = _train(spec, arm, seed, world)
            if result is None:
                return ""
            results.setdefault(arm, []).append(result)
    text = render(results)
    if world.rank == 0:
        record = {arm: [dataclasses.asdict(r) for r in found] for arm, found in results.items()}
        write_atomically(Path(spec.out) / _RECORD, json.dumps(record, indent=1).encode())
        write_atomically(Path(spec.out) / _TABLE, text.encode())
    return text


def render(results: Mapping[str, Sequence[Result]]) -> str:
    """Write the table, in Markdown.

    "±" is the standard deviation over seeds, and of differences that of the pairs of one seed.
    """
    first, *_ = results
    names = list(results[first][0].scores)
    heads = [part for name in names for part in (name, f"against {first}")]
    rows = [["arm", "documents", "unique tokens", "epochs", *heads]]
    for arm, found in results.items():
        one = found[0]
        row = [arm, f"{one.documents:,}", f"{one.unique_tokens:,}"]
        row.append(f"{one.trained_tokens / one.unique_tokens:.2f}")
        for name in names:
            values = [result.scores[name] for result in found]
            base = [result.scores[name] for result in results[first]]
            row.append(_spread(values))
            gaps = [value - other for value, other in zip(values, base, strict=True)]
            row.append("" if arm == first else _spread(gaps, "+"))
        rows.append(row)
    rows.insert(1, ["---"] * len(rows[0]))
    one = results[first][0]
    note = f"{len(results[first])} seeds, {one.trained_tokens:,} tokens each"
    return "\n".join([f"| {' | '.join(row)} |" for row in rows] + ["", f"{note}.", ""])


def _spread(values: Sequence[float], sign: str = "") -> str:
    """Write a mean, with the standard deviation where there are several values.

    >>> _spread([1.0, 2.0]), _spread([0.5], "+")
    ('1.5000 ± 0.7071', '+0.5000')
    """
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{sign}.4f}{spread}"


def _train(spec: Spec, arm: str, seed: int, world: World) -> Result | None:
    """Train and score a model, unless that was done; None if it was stopped."""
    config = configure(spec, arm, seed)
    done, made_of = Path(config.run.dir) / _SCORES, _identity(spec, config)
    if content := world.agree(done.read_text("utf-8") if done.exists() else ""):
        record = json.loads(content)
        if record.pop("made_of") != made_of:
            raise ConfigError(f"{done}: of another specification: give another out, or delete it")
        return Result(**record)
    with training(config, world) as heard:
        run = Run(config, world)
        code = run.train(heard)
    if code or run.state.step < run.plan.steps:
        return None
    scores: dict[str, float] = {}
    for name in spec.heldout:
        directory = Path(spec.out) / "heldout" / name
        source = open_source(directory, read_manifest(directory), config.model.context)
        nats, _ = heldout_nll(run.model, source, run.corpus.mask_bos, world, config)
        scores[f"{name} bits/byte"] = nats / math.log(2) / source.heldout_text_bytes
    if run.tasks:
        row = run.task_scores or run.tasks.run(run.model)[0]  # the last step evaluates them
        for task, figures in row["tasks"].items():
            scores |= {f"{task} {m}": v for m, v in figures.items() if not m.endswith("_stderr")}
    manifests = [read_manifest(Path(config.data.shards) / name) for name in run.corpus.sources]
    unique = [manifest.splits["train"] for manifest in manifests]
    result = Result(
        sum(split.documents for split in unique),
        sum(split.tokens for split in unique),
        run.plan.sequences * run.plan.context,
        scores,
    )
    if world.rank == 0:
        record = {**dataclasses.asdict(result), "made_of": made_of}
        write_atomically(done, json.dumps(record).encode())
    return result


def _identity(spec: Spec, config: Config) -> str:
    """Hash what scores follow from: the configuration, the arm's texts and the held-out ones."""
    texts = [*Path(config.data.shards).glob("*/manifest.json")]
    texts += [Path(spec.out) / "heldout" / name / "manifest.json" for name in spec.heldout]
    hashes = [sha256_of(path) for path in sorted(texts)]
    content = json.dumps([dataclasses.asdict(config), hashes])
    return hashlib.sha256(content.encode()).hexdigest()


def _write_data(spec: Spec) -> None:
    """Write token shards of arms and held-out texts, where they are not there, and mixtures."""
    out, tokenizer = Path(spec.out), Tokenizer(spec.tokenizer)
    (out / "mixtures").mkdir(parents=True, exist_ok=True)
    for name, texts in spec.heldout.items():
        tokenize_runs(out / "heldout" / name, texts, tokenizer, 1.0)
    for name, arm in spec.arms.items():
        if arm.runs:
            # A run wants a held-out split; arms are compared on other texts, so one will do.
            tokenize_runs(out / "tokens" / name / _SOURCE, arm.runs, tokenizer, 0.0)
            text = mixture_files.of_one_source(_SOURCE)
        else:
            text = mixture_files.find(arm.mixture).read_text(encoding="utf-8")
            text = re.sub(r"(?m)^seed\s*=.*\n", "", text, count=1)
        for seed in spec.seeds:  # of the order; that of the weights is in the configuration
            path = out / "mixtures" / f"{name}-{seed}.toml"
            path.write_text(f"seed = {seed}\n{text}", encoding="utf-8")
