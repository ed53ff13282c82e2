"""Rows that a worker keeps in memory between two phases: what is kept, and that no byte changes."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pipelines.__main__ import main
from pipelines.engine import kept, pool
from pipelines.engine.kept import KeptRows, share_of_memory
from pipelines.engine.units import Part, Unit
from pipelines.storage import files as storage
from tests.pipelines.c4.pages import crawl, write_badwords
from tests.pipelines.c4.pages import write_crawl as write_c4_crawl
from tests.pipelines.commoncrawl.crawl import files, page, wet_record, write_crawl, write_models
from tests.pipelines.github.github_export import write_joined

PART = Part("a.txt", 3)
UNIT = Unit("00000-a", "lines", (PART,))


def keep(memory: KeptRows, unit: Unit, rows: Sequence[str]) -> None:
    """Read a unit, and keep its rows if they fit."""
    with memory.keeping(unit, PART) as found:
        for row in rows:
            found.notes["lines"] += 1
            found.add(row, len(row))


def read(memory: KeptRows, unit: Unit = UNIT) -> tuple[list[str], Counter[str]]:
    """Return the rows and notes of the second reading; one row if the file is read again."""
    notes = Counter[str]()
    return list(memory.rows(unit, PART, notes, lambda: iter(["read again"]))), notes


def test_rows_and_notes_are_given_back_until_they_are_forgotten() -> None:
    """What a reader counted belongs to the rows, and the room is free again afterwards."""
    memory = KeptRows()
    memory.allow(2 * kept.ROW_BYTES + 6)
    keep(memory, UNIT, ["one", "two"])
    assert memory.has(UNIT.name)
    assert read(memory) == (["one", "two"], Counter(lines=2))
    assert read(memory) == (["one", "two"], Counter(lines=2))
    memory.forget(UNIT)
    assert read(memory) == (["read again"], Counter())
    keep(memory, UNIT, ["one", "two"])
    assert memory.has(UNIT.name)


def test_a_unit_that_does_not_fit_is_read_twice() -> None:
    """Half a unit is of no use, and it takes no room from the next one."""
    memory = KeptRows()
    keep(memory, UNIT, ["one"])
    assert not memory.has(UNIT.name)
    memory.allow(2 * kept.ROW_BYTES)
    keep(memory, UNIT, ["one", "two"])
    assert read(memory) == (["read again"], Counter())
    other = Unit("00001-b", "lines", (PART,))
    keep(memory, other, ["four"])
    assert read(memory, other) == (["four"], Counter(lines=1))
    keep(memory, UNIT, ["one"])
    assert not memory.has(UNIT.name)


def test_a_reading_that_fails_or_is_left_keeps_nothing() -> None:
    """The next reading must fail at the same place."""
    memory = KeptRows()
    memory.allow(1 << 20)

    def fail() -> None:
        with memory.keeping(UNIT, PART) as found:
            found.add("one", 3)
            raise EOFError

    with pytest.raises(EOFError):
        fail()
    assert not memory.has(UNIT.name)


def test_the_same_rows_are_not_counted_twice() -> None:
    """A phase that reads what an earlier one kept takes no more room."""
    memory = KeptRows()
    memory.allow(3 * kept.ROW_BYTES)
    keep(memory, UNIT, ["one"])
    keep(memory, UNIT, ["one"])
    keep(memory, Unit("00001-b", "lines", (PART,)), ["four"])
    assert memory.has("00001-b")


def test_processes_share_a_part_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of a container counts, not the memory of its machine."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(kept, "_CGROUP_LIMIT", limit)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for text, total in ((None, machine), ("max\n", machine), (f"{1 << 30}\n", 1 << 30)):
        if text:
            limit.write_text(text)
        assert share_of_memory(4) == min(kept.MAX_BYTES, total // kept.MACHINE_SHARE // 4)


def _commoncrawl(folder: Path) -> list[str]:
    """Return a command on a crawl with a record that is no page and a file that is cut off."""
    (folder / "models").mkdir()
    models = write_models(folder / "models")
    inputs = write_crawl(folder / "in", files())
    Path(inputs[1]).write_bytes(Path(inputs[1]).read_bytes()[:-60])
    inputs += write_crawl(folder / "in", {"d": [wet_record("", "no address"), page(10, 11)]})
    named = ["--models", str(models), "--langid", str(models / "lid.bin")]
    return ["commoncrawl", *named, "--input", *inputs]


def _c4(folder: Path) -> list[str]:
    badwords = write_badwords(folder / "badwords")
    return ["c4", "--badwords", badwords, "--wet", *write_c4_crawl(folder / "in", crawl())]


def _github(folder: Path) -> list[str]:
    inputs = write_joined(folder / "in", "json")
    with Path(inputs[0]).open("ab") as stream:
        stream.write(b'{"repo_name": "mit/o\n\xff\xfe garbage\n{"id": "x", "repo_name": 3}\n')
    return ["github", "--input", *inputs]


@pytest.mark.parametrize("command", [_commoncrawl, _c4, _github])
@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_kept_changes_no_byte_and_saves_the_second_reading(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[Path], list[str]],
    workers: int,
) -> None:
    """Each worker gets the units again that it has read, until it is idle and others are not."""
    words = command(tmp_path)
    opened = tmp_path / "opened"
    open_input = storage.open_input

    def logged(path: str, *more: Any) -> BinaryIO:
        with opened.open("a") as log:  # by all workers, a short line at a time
            log.write(f"{os.getpid()} {path}\n")
        return open_input(path, *more)

    def run(name: str, room: int) -> tuple[dict[str, bytes], Counter[str]]:
        opened.write_text("")
        monkeypatch.setattr(pool, "share_of_memory", lambda _processes: room)
        folder = tmp_path / name
        told = ["--run", str(folder), "--workers", str(workers), "--quiet"]
        assert main([words[0], *told, *words[1:]]) == 0
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.parent.name in ("documents", "rejects")
            or path.name in ("manifest.json", "stats.json", "COMPLETED")
        }, Counter(
            line.split()[1]
            for line in opened.read_text().splitlines()
            if int(line.split()[0]) != os.getpid()  # the launcher looks what table a file is
        )

    monkeypatch.setattr(storage, "open_input", logged)
    twice, readings = run("twice", 0)
    once, fewer = run("once", 1 << 30)
    assert once == twice
    assert set(readings.values()) in ({2}, {3})
    assert set(fewer) == set(readings)
    if workers == 1:
        assert set(fewer.values()) == {1}
    else:
        assert fewer.total() < readings.total()
