"""What can be killed of a run on Spark, and how an operator brings it back."""

import random
import subprocess
import time

import psutil

from tests.faults.kills import Target, kill_child_of, kill_launcher
from tests.faults.spark_cluster import JOBS, POOL, WORKER, SparkCluster

DOWN_SECONDS = 3  # before an operator starts a service again
# Spark's executor waits without end for an SDK worker that dies before it has said hello (seen with
# Beam's runner 2.62): a job that hangs so is stopped with Ctrl-C, and the command given again.
HELLO_PORTS = 3  # of the executor, that a worker is connected with: logs, control, data


def spark_targets(cluster: SparkCluster) -> list[Target]:
    """Return the kinds of kills on a cluster."""

    def kill_sdk_worker(command: "subprocess.Popen[str]", rng: random.Random) -> bool:
        if command.poll() is not None:
            return False
        begun = psutil.Process(command.pid).create_time()  # others served an earlier run
        return kill_child_of(cluster.pid(POOL), rng, of=lambda child: _works(child, begun))

    return [
        Target("launcher", kill_launcher),
        Target("sdk worker", kill_sdk_worker),
        _service("sdk pool", cluster, POOL),
        _service("spark worker", cluster, WORKER),
        _service("job server", cluster, JOBS),
    ]


def _works(child: psutil.Process, since: float) -> bool:
    """Tell whether a process that began after a time is connected with its executor."""
    ports = {
        connection.raddr.port
        for connection in child.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED
    }
    return child.create_time() >= since and len(ports) >= HELLO_PORTS


def _service(name: str, cluster: SparkCluster, service: str) -> Target:
    """Return the kill of a service, which is started again after a while."""

    def kill(command: "subprocess.Popen[str]", _rng: random.Random) -> bool:
        if command.poll() is not None:
            return False
        cluster.kill(service)
        return True

    def restore() -> None:
        time.sleep(DOWN_SECONDS)
        cluster.start(service)

    return Target(name, kill, restore)
