"""The page of results of a recipe: what each stage dropped, and how the model trained."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from pipelines.engine.errors import RunError
from pipelines.engine.runs import open_completed
from pipelines.storage import files as storage
from tokenizer.manifest import parse_manifest

_WIDTH, _HEIGHT = 640, 220  # pixels of the chart


def gather(out: str, trained: str) -> dict[str, Any]:
    """Return what the page shows.

    Args:
        out: the directory that a recipe was built in.
        trained: run directory of the trainer.

    Raises:
        RunError: there is nothing to show yet.
    """
    sources = []
    folder = storage.join(out, "tokens")
    for name in (
        sorted(path.name for path in Path(folder).iterdir()) if Path(folder).is_dir() else []
    ):
        run = open_completed(storage.join(out, name))
        manifest = parse_manifest(
            storage.read_bytes(storage.join(folder, name, "manifest.json")).decode()
        )
        sources.append({"name": name, "stats": run.stats(), "splits": manifest.splits})
    if not sources:
        raise RunError(f"{out}: no tokens yet. Build a recipe first.")
    metrics = _metrics(Path(trained) / "metrics.jsonl")
    return {
        "sources": sources,
        "losses": [(m["step"], m["loss"]) for m in metrics if m.get("loss") is not None],
        "heldout": next((m for m in reversed(metrics) if "eval_nll" in m), None),
    }


def _metrics(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _polyline(points: list[tuple[int, float]]) -> str:
    """Return the points of a curve in the chart's pixels, for an SVG polyline."""
    if len(points) < 2:
        return ""
    steps, values = [p[0] for p in points], [p[1] for p in points]
    wide, high = max(steps) - min(steps) or 1, max(values) - min(values) or 1.0
    return " ".join(
        f"{(step - min(steps)) / wide * _WIDTH:.1f},{(max(values) - value) / high * _HEIGHT:.1f}"
        for step, value in points
    )


def render(results: dict[str, Any]) -> str:
    """Return the page as HTML."""
    template = (resources.files("pipelines.report") / "templates" / "results.html").read_text(
        "utf-8"
    )
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        **results, line=_polyline(results["losses"]), width=_WIDTH, height=_HEIGHT
    )


def summary(results: dict[str, Any]) -> str:
    """Return the results as lines for a terminal."""
    lines = []
    for source in results["sources"]:
        stats = source["stats"]
        lines.append(
            f"{source['name']}: {stats['records_read']:,} records, {stats['documents']:,} kept, "
            f"{stats['rejected']:,} rejected, {stats['bad_records']:,} bad"
        )
        for stage in stats["stages"]:
            for reason, n in sorted(stage["rejected"].items(), key=lambda item: -item[1]):
                lines.append(f"    {stage['stage']:<24} {reason:<24} {n:>8,}")
        train, held_out = source["splits"]["train"], source["splits"]["heldout"]
        lines.append(f"    tokens: {train.tokens:,} to train on, {held_out.tokens:,} held out")
    losses = results["losses"]
    if losses:
        first, last = losses[0], losses[-1]
        lines.append(
            f"loss: {first[1]:.3f} at step {first[0]}, {last[1]:.3f} at step {last[0]}"
            + ("" if last[1] < first[1] else " (it did not fall)")
        )
    if heldout := results["heldout"]:
        loss, unigram = heldout["eval_nll"], heldout["unigram_nll"]
        lines.append(
            f"held-out loss: {loss:.3f} at step {heldout['step']}; token frequencies alone: "
            f"{unigram:.3f}" + ("" if loss < unigram else " (nothing was learned from context)")
        )
    return "\n".join(lines)


def write(out: str, trained: str) -> str:
    """Write ``results.html`` below ``out``; return the summary and the path of the page."""
    results = gather(out, trained)
    page = storage.join(out, "results.html")
    storage.write_bytes(page, render(results).encode())
    return f"{summary(results)}\nthe page of results: {page}"
