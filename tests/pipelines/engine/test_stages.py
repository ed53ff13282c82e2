"""Stages change or judge a document; the ledger counts what they do."""

import json
from collections import Counter
from typing import Any

import pytest

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document
from pipelines.engine.guard import TimeGuard
from pipelines.engine.ledger import Judged, Ledger
from pipelines.engine.stages import Keep, Rewrite, Score, Stage, check_text


def _document(text: str = "ab", **meta: Any) -> Document:
    return Document("x:1", "x", text, meta=meta)


def _short(text: str) -> Verdict:
    return KEEP if len(text) < 3 else drop("long", str(len(text)))


def _fail(_: str) -> Verdict:
    raise ValueError("no such thing")


def _judge(ledger: Ledger, document: Document, *stages: Stage) -> Judged | None:
    return ledger.judge(document, stages, TimeGuard())


def test_keep_gives_the_filter_the_columns_it_names() -> None:
    """Columns of the document, and keys of its meta."""
    seen: list[Any] = []

    def check(*values: Any) -> Verdict:
        seen.extend(values)
        return KEEP

    assert Keep("x.a", check, ("text", "meta.path", "meta.lost"))(_document(path="a.c")).keep
    assert seen == ["ab", "a.c", None]


def test_rewrite_replaces_the_first_column() -> None:
    """The others are arguments only."""
    document = _document(path="!")
    Rewrite("x.a", lambda text, path: text + path, ("text", "meta.path"))(document)
    assert (document.text, document.meta) == ("ab!", {"path": "!"})


@pytest.mark.parametrize(
    ("into", "value", "lang_score", "meta"),
    [
        ("lang_score", 0.5, 0.5, {}),
        ("meta.n", 1, None, {"n": 1}),
        ("meta", {"a": 1, "b": 2}, None, {"a": 1, "b": 2}),
    ],
)
def test_score_writes_into_a_column_a_key_or_keys(
    into: str, value: Any, lang_score: float | None, meta: dict[str, int]
) -> None:
    """And keeps every document."""
    document = _document()
    assert Score("x.a", lambda _: value, into)(document).keep
    assert (document.lang_score, document.meta) == (lang_score, meta)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\n", ""),
        ("", "empty"),
        (" \n\u3000", "empty"),
        ("a\0", "nul_character"),
        ("a\r\n", "carriage_return"),
        ("é\ud800", "lone_surrogate"),
        ("aaaaa", "too_large"),
    ],
)
def test_the_output_contract(text: str, reason: str) -> None:
    """Valid Unicode, no NUL, line feeds, not blank, not without bound (0.1)."""
    assert check_text(text, max_characters=4).reason == reason


def test_the_ledger_stops_at_the_first_stage_that_drops() -> None:
    """Later stages never see the document; characters are measured before and after each."""
    stages = (
        Rewrite("x.double", lambda text: text * 2),
        Keep("x.short", _short),
        Keep("x.never", _fail),
    )
    ledger = Ledger([stage.name for stage in stages])
    assert _judge(ledger, _document(), *stages) == Judged("x.short", drop("long", "4"))
    double, short, never = ledger.stages.values()
    assert (double.documents_in, double.characters_in, double.characters_out) == (1, 2, 4)
    assert (short.documents_in, short.documents_out, dict(short.rejected)) == (1, 0, {"long": 1})
    assert never.documents_in == 0


def test_an_exception_in_a_filter_is_a_verdict() -> None:
    """The run lives, and the reason names the exception."""
    ledger = Ledger(["x.fail"])
    judged = _judge(ledger, _document(), Keep("x.fail", _fail))
    assert judged == Judged("x.fail", drop("failed:ValueError", "no such thing"))


def test_ledgers_add_up_and_survive_json() -> None:
    """Sums over sidecars are the statistics of the run."""
    one = Ledger(["x.short"])
    one.records_read = 2
    one.documents = 1
    one.bad_records["bad_json"] += 1
    total = Ledger(["x.short"])
    for _ in range(2):
        total.add(Ledger.from_json(one.to_json()))
    total.records_read += 1
    assert _judge(total, _document("abc"), Keep("x.short", _short))
    assert total.imbalance() == 0
    assert Ledger.from_json(total.to_json()).to_json() == total.to_json()


class _Counts:
    """A stage that counts what it meets."""

    name = "x.counts"

    def __init__(self) -> None:
        self.notes = Counter({"pages": 1})
        self.tables = {"words": Counter(b=2, a=2, c=3)}

    def __call__(self, _: Document) -> Verdict:
        return KEEP


def test_what_stages_count_besides_adds_up() -> None:
    """Notes and tables, of which the largest counts are told; of equal ones the first by name."""
    one = Ledger(["x.counts"])
    one.take_notes([_Counts(), Keep("x.short", _short)])
    total = Ledger(["x.counts"])
    for _ in range(2):
        total.add(Ledger.from_json(json.loads(json.dumps(one.to_json(seconds=True)))))
    assert total.notes == {"pages": 2}
    assert total.largest(2) == {"words": [("c", 6), ("a", 4)]}


def test_a_lost_record_shows() -> None:
    """Records read that are nowhere."""
    ledger = Ledger()
    ledger.records_read = 3
    ledger.documents = 1
    assert ledger.imbalance() == 2
