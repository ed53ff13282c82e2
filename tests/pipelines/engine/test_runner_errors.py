"""What a user is told when a runner fails: one line that says what, not where."""

import logging
import threading

import pytest

from pipelines.engine.cluster import _READING_THREAD, _threads_that_log, what_failed

SPARK = """Pipeline job-1 FAILED: org.apache.spark.SparkException: Only one SparkContext
org.apache.spark.api.java.JavaSparkContext.<init>(JavaSparkContext.scala:58)
java.base/java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:635)
java.base/java.lang.Thread.run(Thread.java:840)"""
CAUSED = """java.lang.RuntimeException: stage 3 failed
\tat org.apache.beam.runners.Fn.call(Fn.java:57)
Caused by: java.io.IOException: connection reset (peer)
\tat java.base/java.lang.Thread.run(Thread.java:840)
\t... 3 more
"""
PYTHON = """Traceback (most recent call last):
  File "worker.py", line 3, in run
ValueError: no such bundle"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SPARK, SPARK.splitlines()[0]),
        (CAUSED, "Caused by: java.io.IOException: connection reset (peer)"),
        (PYTHON, "ValueError: no such bundle"),
        ("", "RuntimeError"),
        ("\tat a.B.c(B.java:5)", "RuntimeError"),
    ],
)
def test_the_line_that_says_what_failed_is_told(text: str, line: str) -> None:
    """Frames of Java's stack come after it, and are none."""
    assert what_failed(RuntimeError(text)) == line


class LostConnectionError(RuntimeError):
    """An error as gRPC raises it: the last line of its text is no word."""

    def __str__(self) -> str:
        return '<RPC that terminated with:\n\tdetails = "Socket closed"\n>'

    def details(self) -> str:
        """Say what happened."""
        return "Socket closed"


def test_a_job_server_that_dies_is_told() -> None:
    """By what gRPC says of the connection."""
    assert what_failed(LostConnectionError()) == "the job server's connection: Socket closed"


def test_errors_in_threads_of_beam_go_to_its_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Also of a thread that ends a little after the job; later ones are told as ever."""
    before = threading.excepthook
    stop = threading.Event()

    def read() -> None:
        stop.wait(0.2)
        raise ValueError("stream removed")

    with _threads_that_log(logging.getLogger("apache_beam")):
        threading.Thread(target=read, name=_READING_THREAD, daemon=True).start()
    assert "stream removed" in caplog.text
    assert capsys.readouterr().err == ""
    assert threading.excepthook is before
