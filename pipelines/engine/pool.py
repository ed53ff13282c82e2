"""Run the steps of a run on one machine, on a pool of worker processes.

Workers are forked from the launcher once it has planned the run, so they start at once and share
the models that it has loaded. Each worker takes one unit, or one group of claims, at a time from a
queue; large units come first, and before them those whose rows the worker keeps in memory
(``kept``). Claims and verdicts go through files (``workspace``), so the launcher's memory does not
grow with the data.

A worker that dies is replaced and its unit is tried once more. A unit that has taken two workers
with it in one step is set aside, there and in all later steps: it counts as a failed file, by name.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from pipelines.engine.claim_files import ClaimsFile
from pipelines.engine.errors import RunError, one_line
from pipelines.engine.kept import KEPT, share_of_memory
from pipelines.engine.schedule import Schedule, buckets_of, groups_of, scope_groups
from pipelines.engine.steps import GroupStep, UnitStep
from pipelines.engine.workerlog import WorkerLog
from pipelines.engine.workspace import CLAIMS
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

MAX_DEATHS = 2  # workers that one unit may kill before it is set aside
GARBAGE_THRESHOLD = 20_000  # objects; documents make few cycles, and 700 is Python's default
_PR_SET_PDEATHSIG = 1  # option of Linux's prctl: the signal that follows the parent's end


@dataclass(frozen=True)
class Task:
    """One unit of a step, or one group of a decision."""

    step: int  # its number among the steps
    key: int  # number of the unit in its step, or of the group
    name: str  # for messages
    size: int  # bytes; larger tasks go first
    buckets: dict[str, int]  # topic -> buckets of each of its scopes
    deaths: int = 0  # of workers, by the unit
    aside: str = ""  # why the unit is set aside


def run_locally(schedule: Schedule, workers: int, say: Callable[[str], None]) -> None:
    """Run all steps on a pool of processes, one step after the other.

    Args:
        schedule: the steps, and what of them is done.
        workers: number of processes.
        say: is called with a line about each worker that died, and where its output is.

    Raises:
        RunError: a unit failed because this machine lacks something, or workers keep dying.
    """
    buckets: dict[str, int] = {}
    with _Pool(schedule, workers, say) as pool:
        for number, step in enumerate(schedule.steps):
            if isinstance(step, UnitStep):
                numbers = {unit.name: key for key, unit in enumerate(step.units)}
                tasks = [
                    Task(number, numbers[unit.name], unit.name, unit.size, buckets)
                    for unit in schedule.waiting(step)
                ]
                deaths = schedule.workspace.attempts()  # in earlier steps and attempts
                pool.run([_with_deaths(task, deaths, schedule) for task in tasks])
            else:
                topic = step.topic.name
                bytes_by_scope = schedule.claim_bytes(topic)
                if not bytes_by_scope:
                    continue
                buckets[topic] = buckets_of(step.groups, bytes_by_scope.values())
                done = _decided(schedule, step)
                pool.run(
                    [
                        Task(number, group, f"{topic} {group}", 0, buckets)
                        for group in groups_of(step, buckets[topic], bytes_by_scope)
                        if group not in done
                    ]
                )


def _with_deaths(task: Task, deaths: dict[str, int], schedule: Schedule) -> Task:
    task = replace(task, deaths=deaths.get(task.name, 0))
    if task.deaths < MAX_DEATHS:
        return task
    return replace(task, aside=schedule.workspace.why_set_aside(task.name))


def _decided(schedule: Schedule, step: GroupStep) -> set[int]:
    return schedule.written(step) if step.written else schedule.workspace.decided(step.topic.name)


def perform(schedule: Schedule, task: Task) -> None:
    """Do one task, as a worker does between two messages."""
    step, workspace = schedule.steps[task.step], schedule.workspace
    if isinstance(step, GroupStep):
        _decide(schedule, step, task)
        return
    unit = step.units[task.key]
    if task.aside:
        step.set_aside(workspace, unit, task.aside)
        return
    verdicts = {}
    for topic in step.wants:
        decision = schedule.topics[topic.name]
        groups = scope_groups(decision, topic, unit, task.buckets[topic.name])
        place = schedule.place_of(topic.name, unit)
        verdicts[topic.name] = topic.read(workspace.verdicts_of(topic.name, groups, place))
    step.work(workspace, unit, verdicts)
    if not step.folder.startswith(CLAIMS):  # it has written the documents of the unit
        KEPT.forget(unit)


def _decide(schedule: Schedule, step: GroupStep, task: Task) -> None:
    workspace, topic = schedule.workspace, step.topic.name
    buckets = task.buckets[topic]
    scope, bucket = (0, task.key) if step.groups else divmod(task.key, buckets)
    blocks = []
    for name in schedule.claimants(topic)[scope]:
        path = workspace.claims_path(topic, name)
        if storage.exists(path) and (block := ClaimsFile.open(path).block(bucket, buckets)):
            blocks.append(block)
    blocks.sort(key=lambda block: block.unit)
    verdicts = step.decide(workspace, task.key, blocks) if blocks or step.written else iter(())
    if step.written:
        for _ in verdicts:
            pass
    else:
        workspace.write_verdicts(topic, task.key, schedule.members(topic)[scope], verdicts)


def _work(schedule: Schedule, connection: Connection, log: WorkerLog, parent: int) -> None:
    """Do tasks in a worker process until the launcher closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the launcher to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):  # elsewhere the closed pipe ends the worker
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.dup2(log.fileno, 1)
    os.dup2(log.fileno, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    # What the launcher imported and loaded stays to the end: the collector need not look at it.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        try:
            perform(schedule, task)
            answer = ""
        except (RunError, storage.StorageError, UnreadableFile) as error:
            answer = str(error)
        except (OSError, MemoryError) as error:
            answer = one_line(error, schedule.workspace.run.path)
        except Exception as error:  # noqa: BLE001 - a defect, whose traceback goes to the log
            traceback.print_exc()
            answer = (
                f"{task.name}: {type(error).__name__}: {one_line(error, '')}. This is a defect; "
                f"please report it with {log.name}"
            )
        try:
            connection.send((answer, KEPT.has(task.name)))
        except (BrokenPipeError, OSError):
            os._exit(1)


class _Worker:
    """A worker process and its current task."""

    def __init__(self, schedule: Schedule, log: WorkerLog) -> None:
        # Fork, since the launcher has imported and loaded everything.
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_run_worker,
            args=(schedule, self.connection, theirs, log, os.getpid()),
            daemon=True,
        )
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.keeps: set[str] = set()  # units whose rows it has in memory

    def give(self, task: Task) -> None:
        self.task = task
        with contextlib.suppress(BrokenPipeError, OSError):  # it died, which its sentinel will show
            self.connection.send(task)

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


def _run_worker(
    schedule: Schedule, ours: Connection, theirs: Connection, log: WorkerLog, parent: int
) -> None:
    ours.close()  # otherwise the worker would hold its own pipe open
    _work(schedule, theirs, log, parent)


class _Pool:
    """The worker processes of a run, which work through queues of tasks."""

    def __init__(self, schedule: Schedule, workers: int, say: Callable[[str], None]) -> None:
        self._schedule = schedule
        self._count = workers
        self._say = say
        self._log = WorkerLog()
        self._workers: list[_Worker] = []
        self._deaths = Counter[str]()

    def __enter__(self) -> Self:
        sys.stdout.flush()
        sys.stderr.flush()
        KEPT.allow(share_of_memory(self._count))  # in each worker, a copy of this process
        self._workers = [_Worker(self._schedule, self._log) for _ in range(self._count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        KEPT.allow(0)
        for worker in self._workers:
            worker.close()
        told = error is not None and self._log.name in str(error)
        if (told or self._deaths) and self._log.keep() and not told:
            self._say(f"what the workers printed is in {self._log.name}")
        self._log.close()

    def run(self, tasks: Iterable[Task]) -> None:
        """Do all tasks, and return when the last one is done."""
        queue = deque[Task]()  # of the units that no worker keeps
        own: list[deque[Task]] = [deque() for _ in self._workers]  # of those that each keeps
        keepers = {name: n for n, worker in enumerate(self._workers) for name in worker.keeps}
        for new in sorted(tasks, key=lambda task: (-task.size, task.key)):
            keeper = keepers.get(new.name)
            (queue if keeper is None else own[keeper]).append(new)
        left = len(queue) + sum(map(len, own))
        while left:
            for number, worker in enumerate(self._workers):
                waiting = own[number] or queue or max(own, key=len)
                if worker.task is None and waiting:
                    worker.give(waiting.popleft())
            handles: list[Any] = [worker.connection for worker in self._workers]
            handles += [worker.process.sentinel for worker in self._workers]
            ready = wait(handles)
            for number, worker in enumerate(self._workers):
                if worker.connection in ready and self._answered(worker):
                    left -= 1
                elif not worker.process.is_alive():
                    self._workers[number] = _Worker(self._schedule, self._log)
                    if task := self._report_death(worker):
                        queue.appendleft(task)

    def _answered(self, worker: _Worker) -> bool:
        """Receive an answer; return False if there is none because the worker died."""
        try:
            answer, keeps = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            return False
        task, worker.task = worker.task, None
        if task and keeps:
            worker.keeps.add(task.name)
        if answer:
            raise RunError(answer)
        if task and task.deaths and not task.aside:  # it came to its end: memory was short, say
            self._schedule.workspace.forgive(task.name)
        return True

    def _where(self) -> str:
        """Return where the output of the workers will be, if there is any."""
        return f"; log: {self._log.name}" if self._log.size else ""

    def _report_death(self, worker: _Worker) -> Task | None:
        """Report that a worker died; return its task, which is tried again or set aside."""
        worker.close()
        how = f"exit code {worker.process.exitcode}"
        task = worker.task
        self._deaths["" if task is None else task.name] += 1
        if task is None:
            if self._deaths[""] > MAX_DEATHS:
                raise RunError(f"worker processes die before they work ({how}{self._where()})")
            return None
        step = self._schedule.steps[task.step]
        if isinstance(step, GroupStep):
            if self._deaths[task.name] >= MAX_DEATHS:
                raise RunError(
                    f"deciding {task.name} killed its worker twice ({how}{self._where()}), "
                    "perhaps for lack of memory. Run the same command again with fewer --workers."
                )
            self._say(f"a worker died ({how}) while deciding {task.name}: trying once more")
            return task
        deaths = len(self._schedule.workspace.blame(task.name, how))
        if deaths < MAX_DEATHS:
            self._say(f"a worker died ({how}) at {task.name}: trying it once more")
            return replace(task, deaths=deaths)
        self._say(f"{task.name} has killed {deaths} workers: it is set aside as a failed file")
        return replace(task, aside=self._schedule.workspace.why_set_aside(task.name))
