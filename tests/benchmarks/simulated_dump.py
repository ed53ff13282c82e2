"""A dump of Common Crawl that exists only as a listing, and a store that counts its requests.

Run as a program, in a process of its own, so that its peak of memory is its own:
``python -m tests.benchmarks.simulated_dump plan|finish FOLDER``. It prints a line of JSON.
"""

import gzip
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.source import COMMONCRAWL
from pipelines.engine.launch import input_facts
from pipelines.engine.ledger import Ledger
from pipelines.engine.plan import Plan
from pipelines.engine.progress import StepState
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.source import plan
from pipelines.engine.steps import UnitStep
from pipelines.engine.twins import TwinCheck
from pipelines.engine.workspace import Workspace
from pipelines.storage import remote
from pipelines.storage.stores import InputFile

FILES = 100_000
SEGMENTS = 100
RUN = "s3://simulated/run"
_KEYS_PER_PAGE = 1000  # of a listing, on S3 and on gs://
_OUTPUT = ("documents", "rejects")


class CountingStore:
    """An object store in memory; a content may be a function that makes it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes | Callable[[], bytes]] = {}
        self.requests = Counter[str]()

    def walk(self, prefix: str, *, direct: bool) -> Iterator[InputFile]:
        """Yield the objects below a prefix; a page is a request."""
        found = 0
        for path, content in self.objects.items():
            if path.startswith(prefix) and not (direct and "/" in path[len(prefix) :]):
                found += 1
                yield InputFile(path, len(content) if isinstance(content, bytes) else -1)
        self.requests["list"] += max(1, -(-found // _KEYS_PER_PAGE))

    def find(self, path: str) -> InputFile | None:
        """Return what is known of an object."""
        self.requests["head"] += 1
        return InputFile(path, 1) if path in self.objects else None

    def open(self, path: str) -> Any:
        """Refuse: nothing here is read in parts."""
        raise NotImplementedError(path)

    def read(self, path: str) -> bytes:
        """Return the content of an object."""
        self.requests["get"] += 1
        content = self.objects[path]
        return content if isinstance(content, bytes) else content()

    def put(self, path: str, stream: IO[bytes], size: int) -> None:
        """Write an object."""
        self.requests["put"] += 1
        self.objects[path] = stream.read(size)

    def create(self, path: str, content: bytes) -> bool:
        """Write an object if none is there."""
        self.requests["put"] += 1
        return self.objects.setdefault(path, content) is content

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects."""
        self.requests["delete"] += 1
        for path in paths:
            self.objects.pop(path, None)


class Meter:
    """The seconds, the requests and the memory of one part of the work."""

    def __init__(self, store: CountingStore) -> None:
        self._store = store
        self._began = time.perf_counter()
        self.figures: dict[str, dict[str, Any]] = {}

    def take(self, name: str, **more: float) -> None:
        """Note what was done since the last time."""
        self.figures[name] = {
            "seconds": time.perf_counter() - self._began,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "requests": dict(self._store.requests),
            **more,
        }
        self._store.requests.clear()
        self._began = time.perf_counter()


def write_listing(folder: Path) -> Path:
    """Write the listing of a dump whose names are made; files there are none."""
    path = folder / "wet.paths.gz"
    with gzip.open(path, "wt") as out:
        for number in range(FILES):
            segment = f"15502474{number * SEGMENTS // FILES:05d}.{number * SEGMENTS // FILES % 90}"
            name = f"CC-MAIN-20190215183319-20190215205319-{number:05d}.warc.wet.gz"
            out.write(f"crawl-data/CC-MAIN-2019-09/segments/{segment}/wet/{name}\n")
    return path


def find_and_start(folder: Path, meter: Meter) -> tuple[Run, Plan, CommonCrawlConfig]:
    """Plan the dump, and write the configuration of its run."""
    models = str(folder / "models")
    config = CommonCrawlConfig(
        (str(folder / "wet.paths.gz"),), models=models, langid=f"{models}/lid.bin"
    )
    planned = plan(COMMONCRAWL, config)
    meter.take("plan", units=len(planned.units))
    run = Run(RUN)
    run.start({"source": "commoncrawl", "input": input_facts(planned.units)})
    meter.take("start")
    return run, planned, config


def plan_and_encode(folder: Path, meter: Meter) -> None:
    """Plan the dump and make the graph of what is to be done, as it is sent to a runner."""
    run, planned, config = find_and_start(folder, meter)
    schedule = Schedule(planned.steps, Workspace.within(run))
    assert not schedule.finished()
    import apache_beam as beam  # noqa: PLC0415 - as the launcher does, when it has planned

    from pipelines.engine.graph import build  # noqa: PLC0415 - as above
    from pipelines.engine.worker import Worker  # noqa: PLC0415 - as above

    pipeline = beam.Pipeline(options=beam.options.pipeline_options.PipelineOptions([]))
    twins = TwinCheck(config, planned.facts, COMMONCRAWL.check_worker)
    build(pipeline, schedule, Worker(schedule.workspace, twins))
    meter.take("build")
    encoded = pipeline.to_runner_api().SerializeToString()
    meter.take("encode", graph_megabytes=len(encoded) / 1e6)


def look_and_finish(folder: Path, meter: Meter, store: CountingStore) -> None:
    """Leave the marks of all units; look at them as progress does, and finish the run."""
    run, planned, _ = find_and_start(folder, meter)
    ledger = Ledger(planned.stages).to_json(seconds=True)
    for unit in planned.units:
        files = [
            {"path": f"{part}/{unit.name}.parquet", "documents": 0, "bytes": 1, "sha256": "0" * 64}
            for part in _OUTPUT
        ]
        value = {"ledger": ledger, "files": files}
        for file in files:
            store.objects[run.at(str(file["path"]))] = b"x"
        store.objects[run.at("units", f"{unit.name}.json")] = lambda value=value: json.dumps(
            value
        ).encode()
    meter.take("make the marks")
    schedule = Schedule(planned.steps, Workspace.within(run))
    assert schedule.finished()
    meter.take("finished?")
    last = [step for step in planned.steps if isinstance(step, UnitStep)][-1]
    state = StepState(schedule, last)
    state.look()
    assert state.done
    meter.take("one look at a step")
    run.finish(planned.units, {}, planned.stages, allow_empty=True)
    meter.take("finish")
    assert len(run.manifest.files) == len(_OUTPUT) * len(planned.units)


def main() -> None:
    """Do the part of the work that the first argument names."""
    store = CountingStore()
    remote._store = lambda _scheme: store  # type: ignore[assignment] # every address leads there
    meter = Meter(store)
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "plan":
        plan_and_encode(folder, meter)
    else:
        look_and_finish(folder, meter, store)
    print(json.dumps(meter.figures))


if __name__ == "__main__":
    main()
