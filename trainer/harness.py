"""Tasks of lm-evaluation-harness on a checkpoint, without an export, beside the paper's figures.

``tasks.toml`` names groups of tasks for the tables of the LLaMA paper, with its shots and its
normalisation. The harness runs on rank 0; `trainer.scoring` computes on all ranks. Conventions are
those of the harness' own model of transformers, so that scores compare with published ones.
"""

import functools
import logging
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.model import Tokenizer
from tokenizer.settings import nearest, read_toml
from trainer.config import ConfigError
from trainer.generate import Sampling
from trainer.model import Llama
from trainer.parallel import World
from trainer.scoring import Prompt, Row, Scorer, asking
from trainer.sections import Config, ModelConfig

try:
    from lm_eval.api.model import TemplateLM
    from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
    from lm_eval.evaluator import evaluate
    from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
except ImportError as error:
    raise ConfigError(
        f"tasks: {error.name} is not installed: pip install 'corpusmill[eval]', or ask for no tasks"
    ) from error

_FILE = read_toml(Path(__file__).with_name("tasks.toml"))
GROUPS: dict[str, list[dict[str, Any]]] = _FILE["groups"]
SIZES: dict[str, int] = _FILE["sizes"]
_ANSWER = "Answer:"  # the context of the likelihoods that others are divided by (section 3)
_OURS = "corpusmill::"  # begins the names of groups that the harness does not have
_BOOTSTRAP = 1000  # samples, for errors of figures that are no means
_DEFAULT_NEW_TOKENS = 256  # of the harness, for tasks that do not say how many


@dataclass(frozen=True)
class Line:
    """What to run, and what of its results to show; its keys are told in ``tasks.toml``."""

    tasks: Sequence[str]
    metric: str = ""  # "": all that the task has, which then are shown as they are
    shots: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    label: str = ""
    answer: bool = False
    scale: float = 100.0
    needs: str = ""
    table: int | None = None
    paper: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """A figure of a task."""

    task: str
    shots: int | None  # None: the tasks of a group differ
    metric: str
    value: float
    error: float | None  # standard error of the mean over documents; None: not known
    table: int | None  # the table of the paper
    paper: float | None  # the paper's figure for a model of this size


class Evaluation:
    """The tasks of a configuration, loaded once, for any number of models or steps."""

    def __init__(self, config: Config, world: World) -> None:
        """Load tasks and data sets, on rank 0; raise ConfigError on all ranks if one cannot be."""
        if not config.data.tokenizer:
            raise ConfigError("tasks are texts: give data.tokenizer=FILE, the tokenizer's .model")
        self._config, self._world = config, world
        self._tokenizer = Tokenizer(config.data.tokenizer)
        self._lines: list[tuple[Line, Any]] = []
        world.once(self._load_lines)

    def _load_lines(self) -> None:
        """Load the tasks, on rank 0."""
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        random.seed(DEFAULT_RANDOM_SEED)  # some tasks shuffle with it while they are loaded
        np.random.seed(DEFAULT_OTHER_SEED)  # noqa: NPY002 - the generator that they use
        manager = _find_tasks(self._config.eval.tasks_folder)
        for name in self._config.eval.tasks:
            for line in GROUPS.get(name, [{"tasks": [name]}]):
                self._lines.append((Line(**line), _build(manager, Line(**line), name)))

    def run(self, model: Llama) -> tuple[dict[str, Any], str]:
        """Evaluate a model; all ranks call it and all get a row of metrics, and a table to read."""
        found: list[Score] = []
        with asking(model, self._tokenizer, self._config, self._world) as scorer:
            if scorer:
                harness = HarnessModel(scorer, self._tokenizer, self._config.model)
                for line, loaded in self._lines:
                    found += self._scores(harness, line, loaded)
        found = self._world.agree(found)
        row: dict[str, dict[str, float]] = {}
        for score in found:
            name = score.task if score.shots is None else f"{score.task}@{score.shots}"
            row.setdefault(name, {})[score.metric] = score.value
            if score.error is not None:
                row[name][f"{score.metric}_stderr"] = score.error
        return {"tasks": row}, render(found, self._config.model)

    def _scores(self, harness: "HarnessModel", line: Line, loaded: Any) -> Iterator[Score]:
        """Run a line; give what it shows."""
        results = evaluate(
            lm=harness,
            task_dict=loaded,
            limit=self._config.eval.tasks_limit or None,
            log_samples=False,
            bootstrap_iters=_BOOTSTRAP,
            confirm_run_unsafe_code=bool(line.needs),
        )
        if line.name:
            results["results"][line.name] = _pooled(results, line)
        of_size = size_of(self._config.model)
        for name in line.paper or [n for n in results["results"] if not n.startswith(_OURS)]:
            values, shots = results["results"][name], results["n-shot"].get(name)
            paper = math.nan
            if of_size and line.paper:
                paper = line.paper[name][list(SIZES).index(of_size)]
            for metric, key in _metrics(values, line.metric):
                scale = line.scale if line.metric else 1.0
                error = values.get(key.replace(",", "_stderr,"))
                yield Score(
                    task=" ".join(filter(None, [name, line.label])),
                    shots=shots if isinstance(shots, int) else None,
                    metric=metric,
                    value=float(values[key]) * scale,
                    error=float(error) * scale if isinstance(error, int | float) else None,
                    table=line.table,
                    paper=None if math.isnan(paper) else paper,
                )


class HarnessModel(TemplateLM):
    """What the harness takes for a model: texts in, log-likelihoods or texts out."""

    def __init__(self, scorer: Scorer, tokenizer: Tokenizer, model: ModelConfig) -> None:
        super().__init__()
        self._scorer, self._tokens, self.max_length = scorer, tokenizer, model.context

    @property
    def eot_token_id(self) -> int:
        """The id that ends a text."""
        return self._tokens.eos_id

    @property
    def prefix_token_id(self) -> int:
        """The id before a text that has no context."""
        return self._tokens.bos_id

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Encode a text, after BOS unless told otherwise."""
        ids: list[int] = self._tokens.encode(string, bos=add_special_tokens is not False).tolist()
        return ids

    def loglikelihood(
        self, requests: list[Any], disable_tqdm: bool = True
    ) -> list[tuple[float, bool]]:
        """Score continuations of contexts."""
        scores: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm)
        return scores

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        """Score continuations after as much of their contexts as the model can see."""
        rows = []
        for _texts, context, continuation in requests:
            ids = (context + continuation)[-(self.max_length + 1) :]
            rows.append(Row(ids, min(len(continuation), len(ids) - 1)))
        return self._scorer.score(rows)

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
        """Score whole texts, in windows.

        As in the harness' own model, the BOS that encoding adds is scored too, after the prefix.
        """
        windows, texts = [], []
        for number, request in enumerate(requests):
            ids = self.tok_encode(request.args[0])
            for window in get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, 1):
                windows.append((None, *make_disjoint_window(window)))
                texts.append(number)
        totals = [0.0] * len(requests)
        for number, (nats, _greedy) in zip(texts, self._loglikelihood_tokens(windows), strict=True):
            totals[number] += nats
        return totals

    def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
        """Continue texts. Sampled ones have a seed each, the number of the request.

        New tokens take at most half of the context, and a prompt that then is too long loses its
        beginning.
        """
        prompts = []
        for seed, request in enumerate(requests):
            text, wanted = request.args
            options = normalize_gen_kwargs(wanted, _DEFAULT_NEW_TOKENS)
            new = min(options["max_gen_toks"], self.max_length // 2)
            sampling = Sampling(
                temperature=options.get("temperature", 0.0) if options["do_sample"] else 0.0,
                top_k=options.get("top_k", 0),
                top_p=options.get("top_p", 1.0),
                seed=seed,
            )
            until = tuple(filter(None, handle_stop_sequences(options["until"], eos=None)))
            ids = self.tok_encode(text)[-(self.max_length - new) :]
            prompts.append(Prompt(ids, new, until, sampling))
        return self._scorer.generate(prompts)


def render(scores: Sequence[Score], model: ModelConfig) -> str:
    """Write a table, with the paper's column for a model of this size."""
    size = size_of(model)
    heading = f"LLaMA {size}" if size else "paper"
    width = max([len(score.task) for score in scores], default=4)
    lines = [
        f"{'task':{width}}  shots  {'metric':20} {'score':>9} {'stderr':>8} {heading:>9}  table"
    ]
    for score in scores:
        shots = "-" if score.shots is None else score.shots
        error = "" if score.error is None else f"{score.error:.3f}"
        paper = "-" if score.paper is None else f"{score.paper:g}"
        table = score.table or ""
        lines.append(
            f"{score.task:{width}}  {shots:>5}  {score.metric:20} {score.value:9.3f} {error:>8} "
            f"{paper:>9}  {table:>5}".rstrip()
        )
    if not size:
        lines.append(f"The paper has no model of {model.parameters:,} parameters.")
    return "\n".join(lines)


def size_of(model: ModelConfig) -> str | None:
    """Find the paper's name of a model's size; another vocabulary changes it by a few percent.

    >>> size_of(ModelConfig())
    '7B'
    """
    near = [name for name, n in SIZES.items() if abs(model.parameters / n - 1) < 0.05]
    return near[0] if near else None


def _pooled(results: Mapping[str, Any], line: Line) -> dict[str, float]:
    """Average a line's tasks by their documents: the score over all of them, and its error."""
    documents = [results["n-samples"][task]["effective"] for task in line.tasks]
    found = [results["results"][task] for task in line.tasks]
    keys = {key for key in found[0] if "," in key and isinstance(found[0][key], int | float)}
    pooled = {}
    for key in keys:
        parts = [n * values[key] for n, values in zip(documents, found, strict=True)]
        total = math.hypot(*parts) if "_stderr," in key else math.fsum(parts)
        pooled[key] = total / sum(documents)
    return pooled


def _metrics(values: Mapping[str, Any], wanted: str) -> list[tuple[str, str]]:
    """List what to show of a task's results, and under which key it is: "metric,filter"."""
    keys = [key for key in values if "," in key and "_stderr," not in key]
    if not wanted:
        return [(key.removesuffix(",none"), key) for key in keys]
    return [(wanted.partition(",")[0], key) for key in keys if f"{key},".startswith(f"{wanted},")]


@functools.cache  # it reads thousands of files
def _find_tasks(folder: str) -> Any:
    """List the harness' tasks, and those of a folder of the user."""
    if folder and not Path(folder).is_dir():
        raise ConfigError(f"eval.tasks_folder = {folder}: no such folder of task files")
    return TaskManager(include_path=folder or None)


def _build(manager: Any, line: Line, name: str) -> Any:
    """Make the harness' objects for a line, with their data sets."""
    known = [*GROUPS, *manager.all_tasks]
    if missing := [task for task in line.tasks if task not in known]:
        raise ConfigError(f"eval.tasks: there is no task {missing[0]}{nearest(missing[0], known)}")
    if line.needs and not os.environ.get(line.needs):
        raise ConfigError(f"eval.tasks = {name}: needs the environment variable {line.needs}")
    wanted: list[Any] = list(line.tasks)
    if line.settings:  # the harness takes settings for members of a group only
        members = [{"task": task, **line.settings} for task in line.tasks]
        wanted = [{"group": f"{_OURS}{name}", "task": members}]
    try:
        made = manager.load(wanted)
    except Exception as error:  # whatever loading a data set raises
        raise ConfigError(f"eval.tasks = {name}: cannot be loaded: {error!r}") from error
    for task in made["tasks"].values():
        task.set_fewshot_seed(DEFAULT_OTHER_SEED)
        if line.shots is not None or task.get_config("num_fewshot") is None:
            task.set_config("num_fewshot", line.shots or 0)
        if line.answer:
            _divide_by_answer(task)
    return made


def _divide_by_answer(task: Any) -> None:
    """Let a task compare with likelihoods after "Answer:"; the harness compares with no context."""
    plain = task.construct_requests

    def construct_requests(*arguments: Any, **options: Any) -> Any:
        requests = plain(*arguments, **options)
        for request in requests[len(requests) // 2 :]:
            request.arguments = (_ANSWER, request.arguments[1])
        return requests

    task.construct_requests = construct_requests
