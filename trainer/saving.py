"""Writing a distributed checkpoint, its plans passed along a tree of ranks.

PyTorch's ``save`` gathers the plan of every rank at rank 0 and scatters the answers from there,
which connects rank 0 with all others: at 2,048 ranks that is more descriptors than a process
usually may have. Here plans travel along a tree, in which a rank is connected with five others at
most. The steps between, and the files, are those of ``save``: its planner and its writer make them,
by the protocol that PyTorch documents for them.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, cast

import torch.distributed as dist
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import SavePlan
from torch.distributed.checkpoint.storage import WriteResult

WIDTH = 4  # children of a rank
_TOLD = 3  # ranks whose errors are told: a full disk is an error of all

T = TypeVar("T")
Answer = TypeVar("Answer")


class RanksError(Exception):
    """What ranks could not do together; every rank raises it, with the reasons of the first."""


class Tree:
    """The ranks as a tree: rank r is the parent of ranks 4 r + 1 to 4 r + 4. Make it on all ranks.

    It has a group of its own, so that what a thread sends does not mix with the sums of training.
    """

    def __init__(self) -> None:
        self.rank, self._size = dist.get_rank(), dist.get_world_size()
        self._group = dist.new_group(backend="gloo") if self._size > 1 else None
        first = WIDTH * self.rank + 1
        self._children = range(first, min(first + WIDTH, self._size))

    def settle(
        self, make: Callable[[], T], decide: Callable[[list[T]], Sequence[Answer]]
    ) -> Answer:
        """Make something on each rank, decide on rank 0 about all of it, give each rank its answer.

        ``decide`` takes what the ranks made, and gives their answers, in the order of ranks. If one
        of the functions raises an error, RanksError is raised on all ranks.
        """
        made = self._gather(self._attempt(make))
        answers: list[tuple[Answer | None, str]] = []
        if self.rank == 0:
            problems = [problem for _, problem in made if problem]
            more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
            problem = "; ".join(problems[:_TOLD]) + more
            decided: Sequence[Answer] | None = None
            if not problem:
                decided, problem = self._attempt(lambda: decide([value for value, _ in made]))
            answers = [(answer, "") for answer in decided or ()] or [(None, problem)] * self._size
        answer, problem = self._scatter(answers)
        if problem:
            raise RanksError(problem)
        return cast("Answer", answer)

    def _attempt(self, function: Callable[[], T]) -> tuple[T | None, str]:
        """Call a function; give its result, or what it raised: the others wait for either."""
        try:
            return function(), ""
        except Exception as error:  # noqa: BLE001 - whatever it is: no rank may wait for ever
            return None, f"rank {self.rank}: {str(error) or repr(error)}"

    def _gather(self, value: Any) -> list[Any]:
        """Give rank 0 the values of all ranks; the others give theirs, and get nothing.

        They are packed where they come from, so that those between do not unpack them.
        """
        branch = {self.rank: pickle.dumps(value)}
        for child in self._children:
            branch |= self._receive(child)
        if self.rank:
            self._send(branch, _parent(self.rank))
            return []
        return [pickle.loads(branch[rank]) for rank in range(self._size)]  # noqa: S301 - our own

    def _scatter(self, values: Sequence[Any]) -> Any:
        """Give each rank its value of those that rank 0 has."""
        branch = {rank: pickle.dumps(value) for rank, value in enumerate(values)}
        if self.rank:
            branch = self._receive(_parent(self.rank))
        for child in self._children:
            part = {rank: packed for rank, packed in branch.items() if _is_below(rank, child)}
            self._send(part, child)
        return pickle.loads(branch[self.rank])  # noqa: S301 - our own

    def _send(self, branch: Mapping[int, bytes], rank: int) -> None:
        dist.send_object_list([branch], rank, self._group)

    def _receive(self, rank: int) -> dict[int, bytes]:
        box: list[dict[int, bytes]] = [{}]
        dist.recv_object_list(box, rank, self._group)
        return box[0]


def save(tensors: dict[str, Any] | Future[dict[str, Any]], path: Path, tree: Tree) -> None:
    """Write this rank's part of a state; rank 0 writes ``.metadata`` when all parts are there.

    All ranks call it, from any one thread; ``tensors`` may still be on their way to the host.
    Raises RanksError on all ranks if one cannot write.
    """
    planner, writer = DefaultSavePlanner(), FileSystemWriter(path)
    metadata: list[Metadata] = []  # of rank 0

    def plan() -> SavePlan:
        state = tensors.result() if isinstance(tensors, Future) else tensors
        planner.set_up_planner(state, writer.storage_meta(), tree.rank == 0)
        writer.set_up_storage_writer(tree.rank == 0)
        return writer.prepare_local_plan(planner.create_local_plan())

    def divide(plans: list[SavePlan]) -> list[SavePlan]:
        divided, whole = planner.create_global_plan(plans)
        metadata.append(whole)
        return writer.prepare_global_plan(divided)

    def write() -> list[WriteResult]:
        return writer.write_data(planner.finish_plan(mine), planner).wait()

    def finish(written: list[list[WriteResult]]) -> list[None]:
        writer.finish(metadata[0], written)
        return [None] * len(written)

    mine = tree.settle(plan, divide)
    tree.settle(write, finish)


def _parent(rank: int) -> int:
    return (rank - 1) // WIDTH


def _is_below(rank: int, top: int) -> bool:
    """Tell whether a rank is in the branch of another.

    >>> [rank for rank in range(12) if _is_below(rank, 1)]
    [1, 5, 6, 7, 8]
    """
    while rank > top:
        rank = _parent(rank)
    return rank == top
