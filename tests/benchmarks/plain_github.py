"""GitHub in a plain loop: the functions of the pipeline, one after the other in one process.

Run as ``python -m tests.benchmarks.plain_github INPUTS RUN``; prints seconds and documents.
"""

import json
import sys
import time

from pipelines.engine.pool import Task, perform
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule, buckets_of, groups_of
from pipelines.engine.source import plan
from pipelines.engine.steps import UnitStep
from pipelines.engine.workspace import Workspace
from pipelines.github.source import GITHUB, GithubConfig


def curate(inputs: str, path: str) -> int:
    """Curate an export; return the number of documents."""
    planned = plan(GITHUB, GithubConfig(input=(inputs,)))
    run = Run(path)
    schedule = Schedule(planned.steps, Workspace.beside(run))
    buckets: dict[str, int] = {}
    for number, step in enumerate(schedule.steps):
        if isinstance(step, UnitStep):
            keys = list(range(len(step.units)))
        else:
            found = schedule.claim_bytes(step.topic.name)
            buckets[step.topic.name] = buckets_of(step.groups, found.values())
            keys = groups_of(step, buckets[step.topic.name], found)
        for key in keys:
            perform(schedule, Task(number, key, "", 0, buckets))
    sidecars = run.sidecars().values()
    return sum(int(sidecar["ledger"]["documents"]) for sidecar in sidecars)


if __name__ == "__main__":
    began = time.perf_counter()
    documents = curate(*sys.argv[1:3])
    print(json.dumps({"seconds": time.perf_counter() - began, "documents": documents}))
