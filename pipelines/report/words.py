"""Print what ``explain`` and ``compare`` found, as text for a terminal or a file.

Colours are there on a terminal only; everything is said in words and signs too.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.report.compare import CHANGED, Changes, examples, kinds_of, stage_counts
from pipelines.report.explain import Answer, Explained
from pipelines.report.owners import told as lines_told
from pipelines.report.trace import Judgement, changed_lines, shown

WIDTH = 120  # characters of a line where there is no terminal
SHOWN_LINES = 12  # changed lines of a stage that are printed without --full
SHOWN_OWNERS = 5
PREVIEW = 400  # characters of a text that are printed without --full
_LINE = 200  # characters of a changed line that are printed without --full
_NOT_HERE = "not known here: --run says what a run decided"
_IN_RUN = "not known here; what the run decided is below"
_HIDDEN = 40  # characters of a changed value that are printed


def console() -> Console:
    """Return standard output, as wide as the terminal."""
    found = Console(soft_wrap=True)
    return found if found.is_terminal else Console(width=WIDTH, soft_wrap=True)


def explained(answer: Answer, *, full: bool) -> Iterator[Text]:
    """Yield the lines that tell an answer."""
    if answer.taken_for:
        yield Text(f"The text is taken for {answer.taken_for}.")
    for row in answer.bad:
        yield Text(f"record {row.row} is a bad record: {row.reason} ({row.detail})", style="red")
    for number, one in enumerate(answer.found):
        if not number:
            document = one.trace.document
            yield Text(f"{document.id}{f'  {document.url}' if document.url else ''}", style="bold")
        yield from _phase(one, unknown=_IN_RUN if answer.in_run else _NOT_HERE, full=full)
        if one.sent and number + 1 < len(answer.found):
            yield Text("  it goes on where its text is", style="cyan")
    if answer.found:
        yield from _outcome(answer)
    for line in answer.in_run:
        yield Text(f"in the run: {line}")


def _phase(one: Explained, *, unknown: str, full: bool) -> Iterator[Text]:
    width = max((len(judgement.stage) for judgement in one.trace.judgements), default=0)
    for judgement in one.trace.judgements:
        yield _head(judgement, width)
        if judgement.across:
            known = judgement.verdict is not None and one.decided
            among = f"here among {one.decided}" if known else unknown
            yield Text(f"      decided across documents ({among}): {judgement.across}", "cyan")
        yield from _changes(judgement)
        yield from _diff(judgement.before, judgement.after, full=full)
        lost = one.lost.get(judgement.stage, [])
        for line in lines_told(lost, len(lost) if full else SHOWN_OWNERS):
            yield Text(f"      {line}", style="cyan")


def _head(judgement: Judgement, width: int) -> Text:
    verdict = judgement.verdict
    line = Text(f"  {judgement.stage:<{width}}  ")
    if verdict is None:
        line.append("not known here", style="cyan")
    elif verdict.keep:
        line.append("kept", style="green")
    else:
        detail = f" ({verdict.detail})" if verdict.detail else ""
        line.append(f"rejected: {verdict.reason}{detail}", style="bold red")
    facts = [f"{name} {value}" for name, value in judgement.measured.items()]
    if facts:
        line.append(f"  {', '.join(facts)}")
    limits = [f"{name}={value}" for name, value in judgement.limits.items()]
    if limits:
        line.append(f"  [{', '.join(limits)}]", style="dim")
    return line


def _changes(judgement: Judgement) -> Iterator[Text]:
    changed = []
    for name, (_, after) in judgement.changed.items():
        value = shown(after)
        changed.append(f"{name}={value if len(value) <= _HIDDEN else value[:_HIDDEN] + '...'}")
    if changed:
        yield Text(f"      sets {', '.join(changed)}", style="dim")


def _diff(before: str, after: str, *, full: bool) -> Iterator[Text]:
    if before == after:
        return
    yield Text(f"      text: {len(before):,} -> {len(after):,} characters", style="dim")
    lines = changed_lines(before, after)
    limit = len(lines) if full else SHOWN_LINES
    for line in lines[:limit]:
        cut = line if full or len(line) <= _LINE else f"{line[:_LINE]}..."
        yield Text(f"      {cut}", style="red" if line.startswith("-") else "green")
    if len(lines) > limit:
        yield Text(f"      ... and {len(lines) - limit} more changed lines (--full)", style="dim")


def _outcome(answer: Answer) -> Iterator[Text]:
    last = answer.found[-1]
    rejected = next(
        (one for one in last.trace.judgements if one.verdict and not one.verdict.keep), None
    )
    if rejected is not None:
        yield Text(f"rejected by {rejected.stage}", style="bold red")
        return
    unknown = [one.stage for one in last.trace.judgements if one.verdict is None]
    if unknown:
        said = f"kept, unless other documents decide otherwise in {', '.join(unknown)}"
        yield Text(said, style="bold green")
    else:
        yield Text("kept", style="bold green")


def counts_table(changes: Changes) -> Table:
    """Return the counts of two runs by stage and reason."""
    table = Table(title=f"{changes.old.run.path} -> {changes.new.run.path}", title_justify="left")
    table.add_column("stage, reason")
    for heading in ("old", "new", "change", "old share", "new share"):
        table.add_column(heading, justify="right")
    for row in stage_counts(changes):
        if row["stage"] == "total":
            table.add_section()
            for name in ("records_read", "documents", "rejected", "bad_records", "characters"):
                whole = [None, None] if name == "characters" else row["records_read"]
                table.add_row(name.replace("_", " "), *_numbers(row[name], whole))
            continue
        table.add_row(f"{row['stage']} out", *_numbers(row["documents_out"], row["documents_in"]))
        for reason, pair in row["rejected"].items():
            table.add_row(f"  {reason}", *_numbers(pair, row["documents_in"]))
    return table


def _numbers(pair: Sequence[int | None], whole: Sequence[int | None]) -> list[str]:
    old, new = pair
    shares = [
        f"{100 * part / of:.1f} %" if part is not None and of else ""
        for part, of in zip(pair, whole, strict=True)
    ]
    change = f"{new - old:+,}" if old is not None and new is not None and old != new else ""
    return [*("" if n is None else f"{n:,}" for n in pair), change, *shares]


def changed_sides(changes: Changes, *, full: bool) -> Iterator[Text]:
    """Yield the documents that changed sides, with a few of each kind to read."""
    if changes.settings:
        yield Text(f"settings: {changes.settings}")
    yield Text(f"{changes.equal:,} documents have the same outcome in both runs")
    for (old, new), count in kinds_of(changes):
        one = "document" if count == 1 else "documents"
        yield Text(f"{count:,} {one}: {old} -> {new}", style="bold")
        for example in examples(changes, old, new):
            yield from _example(example, new, full=full)


def _example(example: dict[str, Any], new: str, *, full: bool) -> Iterator[Text]:
    row = example["new"] or example["old"]
    yield Text(f"  {row['id']}{'  ' + row['url'] if row['url'] else ''}")
    for side in ("old", "new"):
        if example[side] and example[side].get("detail"):
            yield Text(f"    {side}: {example[side]['reason']} ({example[side]['detail']})")
    if new == CHANGED:
        yield from _diff(example["old"]["text"], example["new"]["text"], full=full)
        return
    text = row["text"] if full else row["text"][:PREVIEW]
    more = f" [... {len(row['text']) - len(text):,} more characters]" if text != row["text"] else ""
    for line in f"{text}{more}".split("\n"):
        yield Text(f"    | {line}", style="dim")
