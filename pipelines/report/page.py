"""The report: one page that shows what runs kept and rejected, and what became of it.

The page is one file. It loads nothing, runs no script, and says nothing of the time and machine
that wrote it, so the same runs give the same page. What rewriting stages removed is shown only
where the inputs of a run are within reach (``removed.py``).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib import resources
from itertools import count
from pathlib import PurePath
from typing import Any

import jinja2
from markupsafe import Markup

from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run, open_completed
from pipelines.report import charts
from pipelines.report.removed import MOST_REMOVED
from pipelines.report.sections import Section, section
from pipelines.report.training import (
    MixtureRow,
    Training,
    mixture_rows,
    read_shards,
    read_training,
    verdict_on_loss,
)
from pipelines.storage import files as storage

_MOST_COUNTED = 30  # rows of a list that stages counted


def find_runs(paths: Sequence[str]) -> dict[str, Run]:
    """Return the runs at the paths; a path may also be a directory that holds complete runs.

    Returns:
        runs by their directories as the user calls them: the page says nothing of the machine.

    Raises:
        RunError: there is no run, or one is not complete.
    """
    runs = {}
    for path in paths:
        if storage.exists(storage.join(path, "config.json")):
            runs[path] = open_completed(path)
            continue
        marks = sorted(
            file.path
            for file in storage.list_tree(path)
            if storage.basename(file.path) == "COMPLETED"
            and storage.exists(storage.join(file.path.rpartition("/")[0], "config.json"))
        )
        if not marks:
            raise RunError(f"{path} is not a run directory, and holds no complete run.")
        folders = [mark.rpartition("/")[0] for mark in marks]
        runs |= {folder: open_completed(folder) for folder in folders}
    return runs


def write_report(paths: Sequence[str], tokens: str, trained: str, out: str) -> str:
    """Write the report of runs; return its summary for a terminal.

    Args:
        paths: run directories, or directories that hold them.
        tokens: directory of token shards; "" if there are none.
        trained: run directory of the trainer; "" if there is none.
        out: file to write.

    Raises:
        RunError: a run, the shards or the metrics are missing or damaged.
    """
    runs = find_runs(paths)
    shards = read_shards(tokens) if tokens else {}
    training = read_training(trained) if trained else Training()
    seen: Counter[str] = Counter()
    sections = []
    for path, run in runs.items():
        seen[run.source] += 1
        number = seen[run.source]
        key = run.source if number == 1 else f"{run.source}-{number}"
        alone = sum(other.source == run.source for other in runs.values()) == 1
        # Shards of a source hold the documents of all its runs, so they are not those of one.
        sections.append(section(run, key, path, shards.get(run.source) if alone else None))
    rows = mixture_rows(shards, training) if shards else []
    storage.write_bytes(out, render(sections, rows, training).encode())
    return summary(sections, training)


def render(sections: Sequence[Section], rows: Sequence[MixtureRow], training: Training) -> str:
    """Return the page as HTML."""
    folder = resources.files("pipelines.report") / "templates"
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    numbers = count()

    def drawn(chart: charts.Chart) -> Markup:
        # Our own SVG, whose labels are escaped where it is drawn.
        return Markup(charts.with_unique_names(chart.svg, f"c{next(numbers)}"))  # noqa: S704

    filters: dict[str, Callable[[Any], str]] = {
        "n": lambda value: f"{value:,}",
        "short": charts.short,
        "percent": lambda share: f"{100 * share:.1f} %",
        "drawn": drawn,
    }
    environment.filters |= filters
    template = environment.from_string((folder / "report.html").read_text("utf-8"))
    return template.render(
        style=Markup((folder / "report.css").read_text("utf-8")),  # noqa: S704 - a file of ours
        sections=sections,
        most_removed=MOST_REMOVED,
        most_counted=_MOST_COUNTED,
        name=_name(sections),
        mixture=rows,
        mixture_chart=_mixture_chart(rows),
        training=training,
        loss_chart=_loss_chart(training),
    )


def _name(sections: Sequence[Section]) -> str:
    """Return what the page is called: the directory that all runs lie in, or the one run."""
    folders = {PurePath(found.run).parent.name for found in sections}
    if len(sections) == 1:
        return PurePath(sections[0].run).name
    return folders.pop() if len(folders) == 1 else "several runs"


def _mixture_chart(rows: Sequence[MixtureRow]) -> charts.Chart | None:
    if not rows:
        return None
    trained = any(row.epochs is not None for row in rows)
    ours = [(row.epochs if trained else row.epochs_at_paper_shares) or 0.0 for row in rows]
    return charts.pairs(
        "Epochs of each source, " + ("as trained" if trained else "at the paper's shares"),
        ("here", "paper"),
        [
            (row.name, epochs, row.paper_epochs or 0.0)
            for row, epochs in zip(rows, ours, strict=True)
        ],
    )


def _loss_chart(training: Training) -> charts.Chart | None:
    if len(training.losses) < 2:
        return None
    limits = []
    if found := training.held_out:
        limits = [
            charts.Limit(found["eval_nll"], "held out"),
            charts.Limit(found["unigram_nll"], "token frequencies alone"),
        ]
    return charts.curve("Training loss by step", training.losses, unit="step", limits=limits)


def summary(sections: Sequence[Section], training: Training) -> str:
    """Return the report as lines for a terminal."""
    lines = []
    for found in sections:
        stats: Any = found.stats
        lines.append(
            f"{found.key}: {stats['records_read']:,} records, {stats['documents']:,} kept, "
            f"{stats['rejected']:,} rejected, {stats['bad_records']:,} bad"
        )
        stage = max([24, *(len(rule.stage) for rule in found.rules)])
        reason = max([24, *(len(rule.reason) for rule in found.rules)])
        lines += [
            f"    {rule.stage:<{stage}} {rule.reason:<{reason}} {rule.documents:>8,}"
            for rule in found.rules
        ]
        if found.tokens:
            train, held_out = (found.tokens.splits[name] for name in ("train", "heldout"))
            lines.append(f"    tokens: {train.tokens:,} to train on, {held_out.tokens:,} held out")
        lines += [f"    note: {warning}" for warning in found.warnings]
    return "\n".join([*lines, *verdict_on_loss(training)])
