"""A document that takes too long costs its budget, and not the run."""

import cProfile
import threading
import time

from filters.verdict import KEEP, Verdict
from pipelines.engine.documents import Document
from pipelines.engine.guard import TimeGuard
from pipelines.engine.ledger import Ledger
from pipelines.engine.stages import Keep


def _loop_on_bad(text: str) -> Verdict:
    while text == "bad":
        pass
    return KEEP


def _sleep(_: str) -> Verdict:
    time.sleep(0.3)
    return KEEP


def _reasons(texts: list[str]) -> list[str]:
    stage = Keep("x.loop", _loop_on_bad)
    ledger = Ledger([stage.name])
    with TimeGuard(0.1) as guard:
        judged = [ledger.judge(Document(t, "x", t), [stage], guard) for t in texts]
    return [j.verdict.reason if j else "" for j in judged]


def test_a_document_that_loops_is_rejected_and_the_next_is_fine() -> None:
    """By a stage that never returns."""
    assert _reasons(["good", "bad", "good", "bad", "good"]) == ["", "timeout", "", "timeout", ""]


def test_it_works_in_a_thread_that_is_not_the_main_one() -> None:
    """Beam works in such threads, where signals do not arrive."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(_reasons(["bad", "good"])))
    thread.start()
    thread.join(20)
    assert found == ["timeout", ""]


def test_waiting_costs_nothing() -> None:
    """The budget is CPU time: a loaded machine drops nothing."""
    stage = Keep("x.sleep", _sleep)
    with TimeGuard(0.05) as guard:
        judged = Ledger([stage.name]).judge(Document("a", "x", "a"), [stage], guard)
    assert judged is None


def test_a_profiler_can_look_at_a_run() -> None:
    """Documents leave nothing behind in the interpreter (it was seen to hang, in 3.11)."""
    texts = ["good", "bad", "good"] * 2
    assert cProfile.Profile().runcall(_reasons, texts) == ["", "timeout", ""] * 2
