"""Kill a run at random moments and see that the same bytes come out: ``python -m tests.faults``.

A source runs undisturbed once. Then something is killed with SIGKILL at a random moment of a new
run, and the command is given again until it completes. One line per fault, a table at the end;
exit code 1 if a run differs from the undisturbed one.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.faults.kills import LOCAL_TARGETS, Fault, Target, Trials
from tests.faults.spark_cluster import DATA, Installation, NoSparkError, SparkCluster
from tests.faults.spark_targets import spark_targets
from tests.faults.subjects import SUBJECTS


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--source",
        choices=sorted(SUBJECTS),
        action="append",
        help="what is disturbed; may be given several times (default: all)",
    )
    parser.add_argument("--kills", type=int, default=5, help="of each kind (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--spark", action="store_true", help="on a Spark that is started here")
    parser.add_argument(
        "--target", action="append", help="what is killed (default: each kind); see the table"
    )
    parser.add_argument("--small", action="store_true", help="small inputs, made here")
    return parser.parse_args(argv)


def disturb(
    source: str, folder: Path, cluster: SparkCluster | None, how: argparse.Namespace
) -> list[Fault]:
    """Disturb one source as often as was asked for; print one line per fault."""
    data = DATA if DATA.is_dir() else None
    subject = SUBJECTS[source](folder / "in", data, small=how.small)
    trials = Trials(subject, folder, cluster.flags if cluster else ())
    trials.run_undisturbed()
    print(f"{source}: undisturbed {trials.seconds:.1f} s, {len(trials.whole)} files", flush=True)
    targets: Sequence[Target] = spark_targets(cluster) if cluster else LOCAL_TARGETS
    if how.target:
        targets = [target for target in targets if target.name in how.target]
    faults = []
    for target in targets:
        # A stream of its own for each kind, so that one can be repeated by itself.
        rng = random.Random(f"{how.seed} {source} {target.name}")
        for _ in range(how.kills):
            faults.append(trials.disturb(target, rng))
            print(faults[-1], flush=True)
    return faults


def table(faults: Sequence[Fault]) -> str:
    """Return what came of the faults, a line per source and kind."""
    rows: dict[tuple[str, str], list[Fault]] = defaultdict(list)
    for fault in faults:
        rows[fault.subject, fault.target].append(fault)
    lines = [f"{'source':12} {'killed':12} {'kills':>5} {'by itself':>9} {'again':>5} {'equal':>5}"]
    for (subject, target), found in rows.items():
        alone = sum(not fault.again for fault in found)
        most = max(fault.again for fault in found)
        equal = sum(fault.survived for fault in found)
        lines.append(f"{subject:12} {target:12} {len(found):5} {alone:9} {most:5} {equal:5}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Disturb the sources that were asked for; return the exit code."""
    how = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # services end with it
    faults: list[Fault] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        cluster = None
        if how.spark:
            (folder / "spark").mkdir()
            try:
                cluster = SparkCluster(Installation.find(), folder / "spark")
            except NoSparkError as error:
                sys.exit(f"error: no Spark: {error}")
            stack.enter_context(cluster)
        for source in how.source or SUBJECTS:
            faults += disturb(source, folder / source, cluster, how)
    print(table(faults))
    return 0 if all(fault.survived for fault in faults) else 1


if __name__ == "__main__":
    sys.exit(main())
