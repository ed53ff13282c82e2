"""Complete runs of Common Crawl, token shards and a training, written without curating anything.

The documents are made: what a report shows of them is known, and a run of a million of them is
written in seconds, since all its files are one file under many names.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.engine.documents import DOCUMENT_SCHEMA, REJECT_SCHEMA, ParquetSink
from pipelines.engine.ledger import Ledger
from pipelines.engine.manifest import Manifest, RunFile
from pipelines.engine.runs import Run
from tokenizer.manifest import FileInfo, ShardInfo, Totals, write_manifest
from tokenizer.manifest import Manifest as ShardManifest

STAGES = ("length", "paragraphs", "langid", "language", "perplexity", "bucket", "reference")
CUTOFFS = {"30": 300.0, "60": 500.0}
CONFIG = {
    "source": "commoncrawl",
    "rejects": "all",
    "min_chars": 300,
    "min_language_score": 0.5,
    "languages": ["en"],
    "buckets": ["head", "middle"],
    "wikiref_threshold": 0.25,
    "model_hashes": {"cutoffs": {"en": CUTOFFS}},
}
HOSTILE = "</pre><script>alert(1)</script><img src=https://tracker.example/x.png> &amp; \"'\x00"


def page(number: int, text: str, **columns: Any) -> dict[str, Any]:
    """Return a row of a kept page."""
    lines = len(text.split("\n"))
    meta = {
        "line_ids": list(range(1, lines + 1)),
        "nlines": lines,
        "original_length": len(text) + 100,
        "original_nlines": lines + 3,
    }
    row = {
        "id": f"commoncrawl:made:{number}",
        "source": "commoncrawl",
        "text": text,
        "url": f"https://www.host{number % 7}.example/{number}",
        "created": None,
        "lang": "en",
        "license": None,
        "lang_score": 0.5 + number % 50 / 100,
        "perplexity": 100.0 + number % 397,
        "wikiref_score": 0.25 + number % 75 / 100,
        "meta": json.dumps(meta, sort_keys=True, separators=(",", ":")),
    }
    return row | columns


def reject(number: int, text: str, rule: str, detail: str = "", **columns: Any) -> dict[str, Any]:
    """Return a row of a rejected page; ``rule`` is ``stage reason``."""
    stage, reason = rule.split()
    row = page(number, text, perplexity=None, wikiref_score=None)
    return row | columns | {"stage": f"commoncrawl.{stage}", "reason": reason, "detail": detail}


def pages(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return kept and rejected pages, ``count`` in all, of every rule some."""
    kept, rejected = [], []
    for number in range(count):
        text = f"Page {number}\n" + "\n".join(f"Line {n} of it." for n in range(number % 90))
        match number % 8:
            case 0:
                rejected.append(reject(number, text, "length too_short", f"{len(text)} characters"))
            case 1:
                rejected.append(reject(number, text, "paragraphs all_paragraphs_duplicate"))
            case 2:
                columns = {"lang_score": number % 50 / 100}
                rejected.append(reject(number, text, "language language_score", "", **columns))
            case 3:
                columns = {"perplexity": 501.0 + number % 997}
                rejected.append(reject(number, text, "bucket bucket_tail", "", **columns))
            case 4:
                columns = {"perplexity": 200.0, "wikiref_score": number % 25 / 100}
                rejected.append(reject(number, text, "reference not_a_reference", "", **columns))
            case _:
                kept.append(page(number, text))
    return kept, rejected


def _write(path: Path, schema: Any, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("wb") as stream:
        sink = ParquetSink(stream, schema)
        for row in rows:
            sink.write(row, len(row["text"]))
        sink.close()


def write_run(
    folder: Path,
    kept: Sequence[dict[str, Any]],
    rejected: Sequence[dict[str, Any]],
    copies: int = 1,
    **config: Any,
) -> Run:
    """Write a complete run of ``copies`` units with the same documents."""
    files = []
    for name, schema, rows in (
        ("documents", DOCUMENT_SCHEMA, kept),
        ("rejects", REJECT_SCHEMA, rejected),
    ):
        (folder / name).mkdir(parents=True)
        first = folder / name / "00000-made.parquet"
        _write(first, schema, rows)
        digest = hashlib.sha256(first.read_bytes()).hexdigest()
        for number in range(copies):
            path = folder / name / f"{number:05}-made.parquet"
            if number:
                os.link(first, path)
            size = path.stat().st_size
            files.append(RunFile(f"{name}/{path.name}", len(rows), size, digest))
    ledger = _ledger(kept, rejected, copies)
    run = Run(str(folder))
    run.write_json({"format": 1, "config": CONFIG | config, "versions": {}}, "config.json")
    run.write_json({**ledger.to_json(), "units": copies, "failed_files": {}}, "stats.json")
    run.write_json({"seconds": dict.fromkeys(ledger.stages, 1.25)}, "timings.json")
    run.seal(Manifest(ledger.documents, ledger.characters, tuple(sorted(files))))
    return run


def _ledger(
    kept: Sequence[dict[str, Any]], rejected: Sequence[dict[str, Any]], copies: int
) -> Ledger:
    """Return the conservation table of a run with these documents."""
    ledger = Ledger([f"commoncrawl.{name}" for name in STAGES])
    reasons = Counter((row["stage"], row["reason"]) for row in rejected)
    documents = len(kept) + len(rejected)
    characters = sum(len(row["text"]) for row in (*kept, *rejected))
    ledger.records_read = documents * copies
    ledger.documents = len(kept) * copies
    ledger.characters = sum(len(row["text"]) for row in kept) * copies
    for name, tally in ledger.stages.items():
        tally.documents_in, tally.characters_in = documents * copies, characters * copies
        tally.rejected.update({r: n * copies for (s, r), n in reasons.items() if s == name})
        documents = tally.documents_out // copies
        characters -= sum(len(row["text"]) for row in rejected if row["stage"] == name)
        tally.characters_out = characters * copies
    assert ledger.imbalance() == 0
    return ledger


def write_shards(folder: Path, source: str, train: int, heldout: int) -> None:
    """Write the manifest of token shards that hold so many tokens."""
    (folder / source).mkdir(parents=True)
    shards = []
    for split, name, tokens in (("heldout", "heldout", heldout), ("train", "shard", train)):
        files = {
            "bin": FileInfo(tokens * 2, "0" * 64),
            "docs.parquet": FileInfo(100, "1" * 64),
            "idx": FileInfo(100, "2" * 64),
        }
        shards.append(ShardInfo(f"{name}-00000-of-00001", split, 3, tokens, tokens * 4, files))
    write_manifest(
        folder / source,
        ShardManifest(
            source=source,
            tokenizer_sha256="a" * 64,
            vocab_size=4096,
            dtype="uint16",
            bos_id=1,
            eos_id=2,
            add_bos=True,
            add_eos=True,
            seed=0,
            heldout_fraction=0.05,
            config_sha256="b" * 64,
            input_sha256="c" * 64,
            splits={s.split: Totals(s.documents, s.tokens, s.text_bytes) for s in shards},
            shards=tuple(shards),
        ),
    )


def write_training(folder: Path, source: str, read: int) -> None:
    """Write what a training that read so many tokens of a source says about itself."""
    folder.mkdir(parents=True)
    score = {"nll": 4.25, "unigram_nll": 6.5, "bits_per_byte": 1.75}
    lines = [
        {"step": 1, "loss": 6.0, "source_tokens": {source: read // 2}},
        {"step": 5, "eval_nll": 7.0, "unigram_nll": 6.25, "eval": {source: score}},
        {"step": 10, "loss": 3.5, "source_tokens": {source: read}},
        {"step": 10, "eval_nll": 4.125, "unigram_nll": 6.25, "eval": {source: score}},
    ]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    (folder / "config.toml").write_text("[model]\ncontext = 10\n", "utf-8")
