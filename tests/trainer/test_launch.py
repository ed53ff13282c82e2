"""The launch files start what they say, with stand-ins for SLURM and torchrun."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
STAND_INS = {
    "srun": 'exec "$@"',
    "squeue": "echo 2030-01-02T03:04:05",
    "scontrol": 'if [ "$1" = show ]; then echo node7; echo node8; else echo "$@" >> "$CALLS"; fi',
    "torchrun": 'echo "torchrun $* until $SLURM_JOB_END_TIME" >> "$CALLS"; '
    'ulimit -Sn > "$CALLS.descriptors"; exit "$CODE"',
}


def launch(root: Path, script: str, code: int = 0) -> list[str]:
    """Run a launch file; give the commands that it came to."""
    commands = root / "bin"
    commands.mkdir()
    for name, body in STAND_INS.items():
        (commands / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (commands / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CALLS": str(root / "calls"),
        "CODE": str(code),
        "TZ": "UTC",
        "SLURM_JOB_ID": "12",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_NNODES": "2",
        "SLURM_JOB_END_TIME": "",
    }
    done = subprocess.run(
        [REPOSITORY / "trainer/launch" / script, "debug", f"run.dir={root}"],
        env=environment,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == code
    return (root / "calls").read_text().splitlines()


def test_torchrun_on_one_machine(tmp_path: Path) -> None:
    """One rank for each GPU, restarted from the last checkpoint."""
    (call,) = launch(tmp_path, "torchrun.sh")
    assert call.startswith("torchrun --standalone --nproc-per-node gpu --max-restarts 2 -m trainer")


@pytest.mark.parametrize(
    ("code", "completed", "requeued"), [(0, False, True), (0, True, False), (1, False, False)]
)
def test_a_slurm_job_is_queued_again_until_the_run_is_done(
    tmp_path: Path, code: int, completed: bool, requeued: bool
) -> None:
    """After a stop that saved; not when the run is done, and not after an error."""
    if completed:
        (tmp_path / "COMPLETED").touch()
    call, *more = launch(tmp_path, "slurm.sh", code)
    assert call == (
        "torchrun --nnodes 2 --nproc-per-node gpu --max-restarts 2 --rdzv-backend c10d --rdzv-id 12"
        f" --rdzv-endpoint node7:29400 -m trainer debug run.dir={tmp_path} until 1893553445"
    )
    assert more == (["requeue 12"] if requeued else [])
    # The store's process may have as many descriptors as there can be.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert (tmp_path / "calls.descriptors").read_text().strip() == str(most)
