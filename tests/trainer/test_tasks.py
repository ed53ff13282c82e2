"""Tasks of lm-evaluation-harness: the same scores as through an export, and the paper's groups."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.trainer import tiny
from tokenizer.model import Tokenizer
from trainer import parallel
from trainer.__main__ import main
from trainer.checkpoint import load_weights
from trainer.config import ConfigError, override
from trainer.parallel import World, build_model
from trainer.scoring import asking
from trainer.sections import Config, ModelConfig
from trainer.train import Run

CHOICES = ["os", "def main(", " return x", "self"]
QUESTIONS = [
    "import sys",
    "def f(x):\n",
    "the rain in Spain falls mainly on the plain " * 5,
    "#",
    "",
]
LIMIT = "pip install 'corpusmill[eval]' runs it"
TASKS = {
    "local_choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "gold",
        "metric_list": [{"metric": name} for name in ("acc", "acc_norm", "acc_mutual_info")],
    },
    "local_text": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}}{{choices[1]}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    },
    "local_generate": {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}{{choices[0]}}",
        "doc_to_target": "{{choices[gold]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6},
        "filter_list": [{"name": "strip", "filter": [{"function": "remove_whitespace"}]}],
        "metric_list": [{"metric": "exact_match"}],
    },
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    """Train a few steps on text, beside a folder of tasks; give the directory."""
    root = tmp_path_factory.mktemp("tasks")
    overrides = tiny.write_text_corpus(root)
    write_tasks(root / "tasks")
    assert Run(tiny.small([*overrides, "model.context=64"], steps=8), world).train() == 0
    return root


def write_tasks(folder: Path) -> None:
    """Write a task of each kind, over JSON lines of our own; YAML takes JSON."""
    folder.mkdir()
    documents = [
        {"question": question, "choices": CHOICES, "gold": number % len(CHOICES)}
        for number, question in enumerate(QUESTIONS)
    ]
    (folder / "documents.jsonl").write_text("\n".join(map(json.dumps, documents)))
    for name, task in TASKS.items():
        data = {"data_files": str(folder / "documents.jsonl")}
        content = {"task": name, "dataset_path": "json", "dataset_kwargs": data, **task}
        content["test_split"] = "train"
        (folder / f"{name}.yaml").write_text(json.dumps(content))


def needs_harness() -> Any:
    """Give the harness' evaluator; skip where it is not installed."""
    return pytest.importorskip("lm_eval.evaluator", reason=f"lm_eval is not installed: {LIMIT}")


def config_of(trained: Path, *overrides: str) -> Config:
    """Read the configuration of the run."""
    from trainer.checkpoint import open_checkpoint  # noqa: PLC0415 - beside its use

    return open_checkpoint(str(trained / "run"), overrides)[0]


def test_a_checkpoint_has_the_scores_of_its_export(
    trained: Path, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Choices, whole texts and generated ones; also texts that are longer than the context.

    The harness' own model of transformers scores the export of the same weights.
    """
    evaluator = needs_harness()
    missing = "is not installed, without which the harness has no model of transformers"
    for package in ("accelerate", "peft"):
        pytest.importorskip(package, reason=f"{package} {missing}")
    from lm_eval.models.huggingface import HFLM  # noqa: PLC0415 - optional
    from lm_eval.tasks import TaskManager  # noqa: PLC0415 - optional
    from transformers import AutoTokenizer, LlamaForCausalLM  # noqa: PLC0415 - optional

    monkeypatch.setattr(parallel, "start", lambda _: world)  # the group of this process is there
    monkeypatch.setattr(parallel, "stop", lambda: None)
    hf = trained / "hf"
    assert main(["export", str(trained / "run"), str(hf), "--dtype=float32"]) == 0
    theirs = HFLM(
        pretrained=LlamaForCausalLM.from_pretrained(hf),
        tokenizer=AutoTokenizer.from_pretrained(hf),
        batch_size=2,
        max_length=64,
    )
    tasks = TaskManager(include_path=str(trained / "tasks"), include_defaults=False)
    expected = evaluator.simple_evaluate(
        model=theirs, tasks=list(TASKS), task_manager=tasks, bootstrap_iters=10
    )
    from trainer.harness import Evaluation, HarnessModel  # noqa: PLC0415 - optional

    named = (f"eval.tasks={','.join(TASKS)}", f"eval.tasks_folder={trained / 'tasks'}")
    config = config_of(trained, *named)
    model, _ = build_model(config, world)
    load_weights(trained / "run/ckpt/step-00000008", model)
    row, table = Evaluation(config, world).run(model)
    for task in TASKS:
        found = row["tasks"][f"{task}@0"]
        for key, value in expected["results"][task].items():
            name = key.removesuffix(",none").removesuffix(",strip")
            if "," in key and "_stderr" not in key:
                shown = found.get(name, found.get(key))
                assert shown == pytest.approx(value, abs=1e-5), (task, key)
    # What the figures are made of, request by request.
    with asking(model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        assert scorer is not None
        ours = HarnessModel(scorer, Tokenizer(config.data.tokenizer), config.model)
        for task in ("local_choice", "local_text", "local_generate"):
            requests = tasks.load([task])["tasks"][task]
            requests.build_all_requests()
            kind = requests.instances[0].request_type
            one, two = (getattr(lm, kind)(requests.instances) for lm in (ours, theirs))
            if kind == "loglikelihood":
                assert [greedy for _, greedy in one] == [greedy for _, greedy in two]
                one, two = ([nats for nats, _ in scores] for scores in (one, two))
            if kind == "generate_until":  # theirs drops a space at the beginning of a text
                assert [text.strip() for text in one] == [text.strip() for text in two]
            else:
                assert one == pytest.approx(two, abs=1e-3)
    capsys.readouterr()
    command = ["evaluate", str(trained / "run"), f"--tasks={','.join(TASKS)}"]
    assert main([*command, f"eval.tasks_folder={trained / 'tasks'}"]) == 0
    shown = capsys.readouterr().out
    assert table in shown
    assert "The paper has no model of 59,552 parameters." in shown


def test_training_runs_tasks_at_its_steps(trained: Path, world: World) -> None:
    """Every second step and at the end, in the same metrics; training is what it is without."""
    needs_harness()
    plain = config_of(trained, "run.dir=" + str(trained / "plain"), "train.total_tokens=1280")
    hashed = tiny.train(plain, world)
    config = config_of(
        trained,
        f"run.dir={trained / 'with-tasks'}",
        "train.total_tokens=1280",
        "eval.tasks=local_choice",
        "eval.tasks_every=2",
        "eval.tasks_limit=3",
        f"eval.tasks_folder={trained / 'tasks'}",
    )
    assert tiny.train(config, world) == hashed
    rows = tiny.rows(trained / "with-tasks", "tasks")
    assert [row["step"] for row in rows] == [2, 4, 5]
    for row in rows:
        (scores,) = row["tasks"].values()
        assert {"acc", "acc_norm"} <= set(scores)
        assert scores["acc"] * 3 == pytest.approx(round(scores["acc"] * 3))  # of three documents


def test_the_papers_groups_name_tasks_of_the_harness() -> None:
    """A name that a release of the harness drops is found here, not after hours of a run."""
    needs_harness()
    from lm_eval.tasks import TaskManager  # noqa: PLC0415 - optional

    from trainer.harness import GROUPS, SIZES, Line  # noqa: PLC0415 - optional

    manager = TaskManager()
    for group, lines in GROUPS.items():
        for line in (Line(**line) for line in lines):
            assert set(line.tasks) <= set(manager.all_tasks), group
            assert set(line.paper) <= {line.name, *manager.all_tasks}, group
            assert {len(figures) for figures in line.paper.values()} == {len(SIZES)}, group
            assert line.metric, group
            assert line.table in range(3, 15), group


def fake_data(monkeypatch: pytest.MonkeyPatch, documents: Mapping[str, list[Any]]) -> None:
    """Let tasks load these documents, in every split, in place of a download."""
    datasets = pytest.importorskip("datasets")
    task = pytest.importorskip("lm_eval.api.task").ConfigurableTask

    def download(self: Any, *_: Any, **__: Any) -> None:
        made = datasets.Dataset.from_dict(documents)
        splits = ("train", "validation", "test", "dev")
        self.dataset = datasets.DatasetDict(dict.fromkeys(splits, made))

    monkeypatch.setattr(task, "download", download)


def test_a_line_of_the_paper_is_run_with_its_normalisation(
    trained: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BoolQ picks the largest P(answer | passage) / P(answer | "Answer:") (section 3)."""
    needs_harness()
    documents = {
        "passage": [f"{question} is text" for question in QUESTIONS],
        "question": ["is it so"] * len(QUESTIONS),
        "label": [0, 1, 0, 1, 1],
    }
    fake_data(monkeypatch, documents)
    from trainer import harness  # noqa: PLC0415 - optional

    boolq = [line for line in harness.GROUPS["common_sense"] if line["tasks"] == ["boolq"]]
    monkeypatch.setitem(harness.GROUPS, "boolq_alone", boolq)
    config = config_of(trained, "eval.tasks=boolq_alone")
    model, _ = build_model(config, world)
    load_weights(trained / "run/ckpt/step-00000008", model)
    evaluation = harness.Evaluation(config, world)
    row, table = evaluation.run(model)
    right = 0
    with asking(model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        assert scorer is not None
        ours = harness.HarnessModel(scorer, Tokenizer(config.data.tokenizer), config.model)

        def nats(context: str, answer: str) -> float:
            (request,) = [type("Request", (), {"args": (context, answer)})]
            return ours.loglikelihood([request])[0][0]

        for passage, label in zip(documents["passage"], documents["label"], strict=True):
            context = f"{passage}\nQuestion: is it so?\nAnswer:"
            gains = [nats(context, a) - nats("Answer:", a) for a in (" no", " yes")]
            right += gains.index(max(gains)) == label
    assert row["tasks"]["boolq@0"]["acc_mutual_info"] == pytest.approx(100 * right / 5)
    assert table.splitlines()[1].split()[:3] == ["boolq", "0", "acc_mutual_info"]


def test_groups_of_the_harness_take_shots(
    trained: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MMLU with five examples in the prompt: each of its tasks, and the sums over subjects."""
    needs_harness()
    many = {
        "question": [f"what is {n}" for n in range(6)],
        "choices": [["one", "two", "three", "four"]] * 6,
        "answer": [n % 4 for n in range(6)],
    }
    fake_data(monkeypatch, many)
    from trainer import harness  # noqa: PLC0415 - optional

    config = config_of(trained, "eval.tasks=mmlu", "eval.tasks_limit=1")
    evaluation = harness.Evaluation(config, world)
    ((line, loaded),) = evaluation._lines
    assert line.shots == 5
    assert {task.get_config("num_fewshot") for task in loaded["tasks"].values()} == {5}
    assert len(loaded["tasks"]) == 57
    model, _ = build_model(config, world)
    load_weights(trained / "run/ckpt/step-00000008", model)
    row, _ = evaluation.run(model)
    shown = {name.partition("@")[0] for name in row["tasks"]}
    assert shown == set(line.paper)


def test_tasks_of_one_line_are_averaged_by_documents(
    trained: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MATH is seven tasks and one figure of Table 7."""
    needs_harness()
    fewer = json.loads((trained / "tasks/local_choice.yaml").read_text())
    lines = (trained / "tasks/documents.jsonl").read_text().splitlines()
    (trained / "more").mkdir()
    (trained / "more/two.jsonl").write_text("\n".join(lines[:2]))
    for name, data in (("three_more", "tasks/documents.jsonl"), ("two_more", "more/two.jsonl")):
        content = {**fewer, "task": name, "dataset_kwargs": {"data_files": str(trained / data)}}
        (trained / f"more/{name}.yaml").write_text(json.dumps(content))
    from trainer import harness  # noqa: PLC0415 - optional

    line = {"tasks": ["three_more", "two_more"], "metric": "acc", "scale": 1}
    pair = {**line, "name": "pair", "paper": {"pair": [1, 2, 3, 4]}}
    monkeypatch.setitem(harness.GROUPS, "both", [{**line, "shots": 0}, pair])
    config = config_of(trained, "eval.tasks=both", f"eval.tasks_folder={trained / 'more'}")
    model, _ = build_model(config, world)
    load_weights(trained / "run/ckpt/step-00000008", model)
    found = harness.Evaluation(config, world).run(model)[0]["tasks"]
    whole, part = (found[f"{name}@0"]["acc"] for name in ("three_more", "two_more"))
    assert found["pair"]["acc"] == pytest.approx((5 * whole + 2 * part) / 7)


def test_the_papers_column_is_that_of_the_size() -> None:
    """The 7B of another vocabulary has the 7B's column; a small model has none."""
    needs_harness()
    from trainer.harness import Score, render, size_of  # noqa: PLC0415 - optional

    assert size_of(ModelConfig()) == size_of(ModelConfig(vocab_size=32_768)) == "7B"
    assert size_of(ModelConfig(dim=6656, layers=60, heads=52)) == "33B"
    assert size_of(ModelConfig(dim=128, layers=2, heads=4)) is None
    scores = [
        Score("piqa", 0, "acc_norm", 79.123, 0.95, 3, 79.8),
        Score("mine", None, "acc", 0.5, None, None, None),
    ]
    heading, piqa, mine = (line.split() for line in render(scores, ModelConfig()).splitlines())
    assert heading[-3:] == ["LLaMA", "7B", "table"]
    assert piqa == ["piqa", "0", "acc_norm", "79.123", "0.950", "79.8", "3"]
    assert mine == ["mine", "-", "acc", "0.500", "-"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["eval.tasks=local_choise"],
            "there is no task local_choise. Did you mean 'local_choice'?",
        ),
        (["eval.tasks=toxicity"], "toxicity: needs the environment variable PERSPECTIVE_API_KEY"),
        (["eval.tasks=code"], "code: needs the environment variable HF_ALLOW_CODE_EVAL"),
        (["eval.tasks=piqa", "eval.tasks_folder=nowhere"], "eval.tasks_folder = nowhere: no such"),
        (["eval.tasks=piqa", "data.tokenizer="], "tasks are texts: give data.tokenizer=FILE"),
    ],
)
def test_what_cannot_be_run_is_told_before_training(
    trained: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    message: str,
) -> None:
    """One line that says what to do."""
    needs_harness()
    for variable in ("PERSPECTIVE_API_KEY", "HF_ALLOW_CODE_EVAL"):
        monkeypatch.delenv(variable, raising=False)
    folder = [f"eval.tasks_folder={trained / 'tasks'}"]
    # Applied last: a run that has none of its own takes the tokenizer that the checkpoint's keeps.
    config = override(config_of(trained, f"run.dir={trained / 'refused'}", *folder), overrides)
    with pytest.raises(ConfigError, match=message.replace("?", "\\?")):
        Run(config, world)


def test_without_the_harness_the_command_says_how_to_get_it(
    trained: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback of an import."""
    monkeypatch.setattr(parallel, "start", lambda _: world)
    monkeypatch.setattr(parallel, "stop", lambda: None)
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "trainer.harness", raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    assert main(["evaluate", str(trained / "run"), "--tasks=piqa"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: tasks: lm_eval")
    assert "pip install 'corpusmill[eval]'" in error
