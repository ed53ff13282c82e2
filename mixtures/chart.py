"""A plan as a picture: what each source gives to a run, and how often it is read.

Two panels share the rows: tokens of the run beside the unique tokens that there are, and epochs
beside those of the paper and the limit. The same plan gives the same bytes.
"""

from pathlib import Path

from mixtures.mixture import MixtureError
from mixtures.plan import Plan
from mixtures.render import percent, short

_USED, _THERE, _LIMIT = "#2a78b8", "#c9d7e3", "#b23b3b"


def write_chart(plan: Plan, path: Path) -> None:
    """Write a chart as SVG.

    Raises:
        MixtureError: the file is no ``.svg``, or cannot be written.
    """
    if path.suffix != ".svg":
        raise MixtureError(f"{path}: the chart is an SVG; give a name that ends in .svg")
    import matplotlib as mpl  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    sources = list(reversed(plan.sources))  # the first at the top
    rows = range(len(sources))
    names = [f"{source.name}  {percent(source.weight)}" for source in sources]
    # Texts stay texts, and the ids of clips follow from the salt, not from a clock.
    with mpl.rc_context({"svg.hashsalt": "corpusmill", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 1.4 + 0.45 * len(sources)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        figure.suptitle(
            f"{plan.mixture.name}: {short(plan.tokens)} tokens in {plan.sequences:,} sequences"
        )
        there = [source.windows * plan.context / 1e9 for source in sources]
        used = [float(source.tokens) / 1e9 for source in sources]
        left.barh(rows, there, 0.75, color=_THERE, label="unique")
        bars = left.barh(rows, used, 0.4, color=_USED, label="in the run")
        left.bar_label(bars, [f" {short(source.tokens)}" for source in sources], fontsize=8)
        left.set_yticks(rows, names)
        left.set_xlabel("billions of tokens")
        left.margins(x=0.2)
        epochs = [float(source.epochs) for source in sources]
        bars = right.barh(rows, epochs, 0.4, color=_USED, label="in the run")
        right.bar_label(bars, [f" {epoch:.2f}" for epoch in epochs], fontsize=8)
        paper = [
            (float(source.paper_epochs), row)
            for row, source in enumerate(sources)
            if source.paper_epochs
        ]
        if paper:
            right.plot(*zip(*paper, strict=True), "k|", markersize=14, label="in the paper")
        limits = [float(source.max_epochs) for source in sources]
        right.plot(limits, rows, "|", color=_LIMIT, markersize=14, label="at most")
        right.set_xlabel("epochs")
        right.margins(x=0.15)
        right.set_xlim(right=1.5 * max(*epochs, *limits))
        for axes in (left, right):
            axes.set_xlim(left=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(fontsize=8, frameon=False, loc="lower right", markerscale=0.5)
        try:
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        except OSError as error:
            raise MixtureError(f"{path}: cannot be written: {error.strerror}") from error
