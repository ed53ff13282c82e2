"""Cases from SentencePiece's own tests, where the shared folder is at hand."""

import json
import os
from pathlib import Path

import pytest

from tokenizer.model import Tokenizer

DATA = Path(os.environ.get("CORPUSMILL_DATA") or Path(__file__).parents[3] / "shared" / "data")
CASES = DATA.parent / "conformance" / "src_sentencepiece.jsonl"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not CASES.exists(), reason="no conformance cases: set CORPUSMILL_DATA to shared/data"
    ),
]


def cases(stage: str) -> list[tuple[str, object]]:
    """Inputs and expected outputs of a stage."""
    lines = CASES.read_text(encoding="utf-8").splitlines()
    found = [case for case in map(json.loads, lines) if case["stage"] == stage]
    return [(case["input"], case["expected"]) for case in found]


def test_special_ids(tokenizer: Tokenizer) -> None:
    """Unk, bos, eos and pad."""
    ids = {"<unk>": tokenizer.unk_id, "<s>": tokenizer.bos_id, "</s>": tokenizer.eos_id}
    ids["pad"] = tokenizer.pad_id
    expected = dict(cases("tok.special_ids"))
    assert expected
    assert {name: ids[name] for name in expected} == expected


def test_round_trip(tokenizer: Tokenizer) -> None:
    """Encoded and decoded again."""
    expected = cases("tok.roundtrip")
    assert expected
    for text, decoded in expected:
        assert tokenizer.decode(tokenizer.encode(text)) == decoded
