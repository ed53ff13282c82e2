"""A launcher that dies as it ends: the command given again leaves what an undisturbed one does."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipelines import tokenize
from pipelines.__main__ import main
from pipelines.engine import finish, lock
from pipelines.engine.lock import STALE_SECONDS, Holder
from pipelines.engine.runs import LOCK, Run
from tests.faults.kills import Subject, content
from tests.faults.subjects import SUBJECTS


class Killed(BaseException):
    """The launcher ends here."""


def killed(*_: object, **__: object) -> None:
    """End as with SIGKILL."""
    raise Killed


def killed_at_exit(held: lock.RunLock, *_: object) -> None:
    """End with the lock still there, and renewed no more."""
    held._stop.set()
    raise Killed


@pytest.fixture(scope="module", params=["commoncrawl", "stackexchange", "tokenize"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return a command whose run has claims, pieces or shards."""
    return SUBJECTS[request.param](tmp_path_factory.mktemp("left") / "in", None, small=True)


def _give(subject: Subject, run: Path) -> int:
    return main([*subject.words, subject.run_flag, str(run), "--quiet"])


def _before(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what kills a launcher before it calls a function of the last steps."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        if name == "clear":
            monkeypatch.setattr(finish, "clear", killed)
            monkeypatch.setattr(tokenize, "clear", killed)
        elif name == "seal":
            monkeypatch.setattr(Run, "seal", killed)
            monkeypatch.setattr(tokenize, "seal", killed)
        else:
            monkeypatch.setattr(lock.RunLock, "__exit__", killed_at_exit)

    return patch


@pytest.mark.parametrize("moment", ["clear", "seal", "unlock"])
def test_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: Subject, moment: str
) -> None:
    """Whether it dies before the claims go, before the last file is there, or with its lock."""
    assert _give(subject, tmp_path / "whole") == 0
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        _before(moment)(patched)
        with pytest.raises(Killed):
            _give(subject, run)
    if moment == "unlock":  # its process is gone, unlike this one
        holder = json.loads((run / LOCK).read_text())
        (run / LOCK).write_text(json.dumps(holder | {"pid": 2**22 + 1}))
    assert _give(subject, run) == 0
    assert content(run) == content(tmp_path / "whole")


def test_the_lock_of_a_launcher_that_may_live_is_left(tmp_path: Path, subject: Subject) -> None:
    """As of one on another machine, until it is old."""
    run = tmp_path / "run"
    assert _give(subject, run) == 0
    there = replace(Holder.here("x"), machine="another")
    for renewed, stays in ((there.renewed, True), ("2020-01-01T00:00:00+00:00", False)):
        holder = replace(there, renewed=renewed)
        assert (holder.idle_seconds > STALE_SECONDS) != stays
        (run / LOCK).write_text(json.dumps(asdict(holder)))
        assert _give(subject, run) == 0
        assert (run / LOCK).exists() == stays
