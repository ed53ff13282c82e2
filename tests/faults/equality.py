"""See that a source's bytes depend on no runner and no number of workers.

``python -m tests.faults.equality`` runs each source with 1, 2 and 4 processes of this machine, and
with ``--spark`` on a Spark that is started here, on small inputs. Every file of the run directories
is compared, but for the seconds that stages took. A table at the end; exit code 1 if a file
differs.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.kills import Subject, content
from tests.faults.spark_cluster import DATA, Installation, NoSparkError, SparkCluster
from tests.faults.subjects import SUBJECTS

WORKERS = (1, 2, 4)
SPARK = "Spark"
MOST_SECONDS = 900  # of one command: a Spark that shares its cores with others takes minutes


@dataclass(frozen=True)
class Comparison:
    """The runs of one source, each by its name: the number of its workers, or ``Spark``."""

    source: str
    runs: Mapping[str, Mapping[str, bytes]]  # content of the run directories

    @property
    def differences(self) -> list[str]:
        """The files that differ from those of the first run, by run."""
        first = next(iter(self.runs.values()))
        return [
            f"{name}: {file}"
            for name, files in self.runs.items()
            for file in sorted({*files, *first})
            if files.get(file) != first.get(file)
        ]

    def __str__(self) -> str:
        first = next(iter(self.runs.values()))
        manifest = hashlib.sha256(first["manifest.json"]).hexdigest()[:16]
        size = sum(map(len, first.values()))
        equal = "equal" if not self.differences else f"DIFFER: {', '.join(self.differences[:4])}"
        names = ", ".join(self.runs)
        return f"{self.source:14} {len(first):4} files {size:9,} B  {manifest}  {names}: {equal}"


def run(
    subject: Subject, folder: Path, workers: int, runner: Sequence[str] = ()
) -> dict[str, bytes]:
    """Run a command to its end; return what its run directory holds.

    Raises:
        AssertionError: the command failed; the message ends with what it said.
    """
    command = subject.start(folder, ["--", *runner] if runner else [], workers)
    _, errors = command.communicate(timeout=MOST_SECONDS)
    assert command.returncode == 0, f"{subject.name}: {errors[-3000:]}"
    return content(folder)


def compare(subject: Subject, folder: Path, cluster: SparkCluster | None = None) -> Comparison:
    """Run a command with each number of workers, and on a Spark if there is one."""
    runs = {str(count): run(subject, folder / str(count), count) for count in WORKERS}
    if cluster:
        runs[SPARK] = run(subject, folder / SPARK, 1, cluster.flags)
    return Comparison(subject.name, runs)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the sources that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.equality", description=__doc__)
    parser.add_argument("--source", choices=sorted(SUBJECTS), action="append", help="default: all")
    parser.add_argument("--spark", action="store_true", help="also on a Spark that is started here")
    parser.add_argument("--real", action="store_true", help="on the real inputs, if they are there")
    how = parser.parse_args(argv)
    data = DATA if how.real and DATA.is_dir() else None
    found = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="equality-")))
        cluster = None
        if how.spark:
            (folder / SPARK).mkdir()
            try:
                cluster = SparkCluster(Installation.find(), folder / SPARK)
            except NoSparkError as error:
                sys.exit(f"error: no Spark: {error}")
            stack.enter_context(cluster)
        for source in how.source or SUBJECTS:
            place = folder / source
            subject = SUBJECTS[source](place / "in", data, small=data is None)
            found.append(compare(subject, place, cluster))
            print(found[-1], flush=True)
    return 1 if any(comparison.differences for comparison in found) else 0


if __name__ == "__main__":
    sys.exit(main())
