"""Beam's flags: what is set for every runner, and what is refused before a job begins."""

import pytest

from pipelines.engine.cluster import options_of
from pipelines.engine.errors import RunError

SPARK = ("--runner=PortableRunner", "--job_endpoint=localhost:8099")


@pytest.mark.parametrize("runner", [("--runner=PortableRunner",), ("--runner", "PortableRunner")])
def test_a_portable_runner_takes_flags_of_its_job_server(runner: tuple[str, ...]) -> None:
    """In one word or in two."""
    options = options_of((*runner, "--spark_master=local"), workers=1).get_all_options()
    assert options["runner"] == "PortableRunner"


def test_one_unit_at_a_time_runs_in_a_process_and_all_cores_have_one() -> None:
    """Unless the user says otherwise."""
    options = options_of(SPARK, workers=1).get_all_options()
    assert options["number_of_worker_harness_threads"] == 1
    assert options["sdk_worker_parallelism"] == "0"  # the runner takes one per core
    assert options_of(SPARK, workers=4).get_all_options()["sdk_worker_parallelism"] == "4"
    mine = options_of((*SPARK, "--sdk_worker_parallelism=3"), workers=4).get_all_options()
    assert mine["sdk_worker_parallelism"] == "3"


def test_an_unknown_flag_of_another_runner_is_refused() -> None:
    """Beam itself ignores it."""
    with pytest.raises(RunError, match="unknown Beam flag --num_wrkers"):
        options_of(("--runner=DirectRunner", "--num_wrkers=3"), workers=1)


def test_the_session_of_the_command_line_is_not_sent() -> None:
    """Beam would pickle it, and each worker would have to load it first."""
    assert options_of(SPARK, workers=1).get_all_options()["save_main_session"] is False
