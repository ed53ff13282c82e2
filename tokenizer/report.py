"""What the commands print: settings, what was sampled, what a model is like."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tokenizer.manifest import Manifest
from tokenizer.model import Tokenizer
from tokenizer.properties import check_properties, describe_layout
from tokenizer.train import Trained, TrainSettings
from tokenizer.values import show

# The published model's values where our default differs: how it was trained, not what it is.
HOW_LLAMA_WAS_TRAINED = {"input_sentence_size": 200_000_000, "num_threads": 80}


def render_settings(settings: TrainSettings) -> str:
    """The resolved settings, one a line."""
    rows = [(name, show(value)) for name, value in dataclasses.asdict(settings).items()]
    return "\n".join(_columns(rows))


def render_sample(trained: Trained) -> str:
    """What was there of each source, and what was trained on; bytes are UTF-8."""
    header = (
        "source", "documents", "bytes", "chosen", "chosen bytes", "skipped bytes", "lines",
        "asked", "got", "U+2585 lines",
    )  # fmt: skip
    total = sum(source.chosen_bytes for source in trained.sources)
    rows = [
        (
            source.source,
            f"{source.documents:,}",
            f"{source.bytes:,}",
            f"{source.chosen_documents:,}",
            f"{source.chosen_bytes:,}",
            f"{source.skipped_bytes:,}",
            f"{source.chosen_lines:,}",
            f"{source.share:.1%}",
            f"{source.chosen_bytes / max(1, total):.1%}",
            f"{source.reserved_lines:,}",
        )
        for source in trained.sources
    ]
    lines = [*_columns([header, *rows], right=True)]
    if any(row.lang for row in trained.languages):
        lines += ["", *_columns(_language_rows(trained), right=True)]
    if trained.bad_records:
        lines.append(f"passed over {trained.bad_records:,} bad records")
    return "\n".join(lines)


def _language_rows(trained: Trained) -> Iterator[tuple[str, ...]]:
    yield "source, language", "documents", "bytes", "chosen", "chosen bytes", "skipped bytes"
    for row in trained.languages:
        yield (
            f"{row.source}, {row.lang or 'none given'}",
            f"{row.documents:,}",
            f"{row.bytes:,}",
            f"{row.chosen_documents:,}",
            f"{row.chosen_bytes:,}",
            f"{row.skipped_bytes:,}",
        )


def render_shards(manifest: Manifest, stats: Mapping[str, int]) -> str:
    """What was written, by split, and what will not come back from the tokens as it was."""
    rows = [("split", "shards", "documents", "tokens", "text bytes", "bytes per token")]
    for split, totals in manifest.splits.items():
        rows.append(
            (
                split,
                f"{len(manifest.split_shards(split)):,}",
                f"{totals.documents:,}",
                f"{totals.tokens:,}",
                f"{totals.text_bytes:,}",
                f"{totals.text_bytes / max(1, totals.tokens):.2f}",
            )
        )
    lines = [*_columns(rows, right=True)]
    if stats["u2581"]:
        lines.append(
            f"{stats['documents_with_u2581']:,} documents hold U+2581, {stats['u2581']:,} times in "
            "all: it decodes to a space"
        )
    return "\n".join(lines)


def render_model(tokenizer: Tokenizer) -> Iterator[str]:
    """Settings beside LLaMA's, the layout of the vocabulary, and its properties."""
    yield f"model   {tokenizer.path}"
    yield f"sha256  {tokenizer.sha256}"
    yield "encoded by " + (
        f"SentencePiece: {tokenizer.why_slow}" if tokenizer.why_slow else "the extension module"
    )
    yield ""
    llama = dataclasses.asdict(TrainSettings()) | HOW_LLAMA_WAS_TRAINED
    llama |= {"escape_whitespaces": True, "precompiled_charsmap": b""}
    stored = {**tokenizer.spec.trainer, **tokenizer.spec.normalizer}
    rows = [("setting", "value", "LLaMA", "")]
    for name, expected in llama.items():
        differs = stored[name] != expected and name not in HOW_LLAMA_WAS_TRAINED
        rows.append((name, show(stored[name]), show(expected), "differs" if differs else ""))
    yield from _columns(rows)
    yield ""
    layout = describe_layout(tokenizer)
    lengths = " ".join(map(str, layout.whitespace_pieces)) or "none"
    longest = layout.longest_piece
    yield f"{tokenizer.vocab_size:,} ids, {layout.normal_pieces:,} of them normal pieces"
    yield f"whitespace-only pieces, lengths: {lengths}"
    yield f"pieces with an ASCII digit: {_list(layout.digit_pieces)}"
    yield f"line end: {_or_bytes(layout.line_end_is_piece)}; tab: {_or_bytes(layout.tab_is_piece)}"
    yield f"longest piece: {longest!r}, {len(longest)} characters"
    yield ""
    for found in check_properties(tokenizer):
        verdict = f"FAILS: {found.problem}" if found.problem else "holds"
        yield f"{found.number} {verdict} ({found.claim})"


def _list(items: Sequence[str]) -> str:
    shown = " ".join(items[:12]) or "none"
    return shown if len(items) <= 12 else f"{shown} and {len(items) - 12} more"


def _or_bytes(is_piece: bool) -> str:
    return "in a piece" if is_piece else "no piece"


def _columns(rows: Iterable[tuple[str, ...]], *, right: bool = False) -> Iterator[str]:
    """Lines of aligned columns; all but the first to the right if ``right``."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        for cell, width in zip(rest, widths[1:], strict=True):
            cells.append(cell.rjust(width) if right else cell.ljust(width))
        yield "  ".join(cells).rstrip()
