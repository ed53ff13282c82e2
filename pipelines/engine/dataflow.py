"""The request that starts a job on Dataflow, as Beam's client builds it, without sending it.

Beam's client needs an account only to upload files and to send the request. Here both are recorded
instead. Import this module only where the extra ``gcp`` is installed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, TestOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.dataflow.internal.apiclient import DataflowApplicationClient
from google.protobuf.json_format import MessageToDict


@dataclass
class JobRequest:
    """What would be sent to start a job."""

    job: dict[str, Any]  # the Job of Dataflow's API
    staged: dict[str, int] = field(default_factory=dict)  # bytes of the files to upload, by address


class _Recorder(DataflowApplicationClient):
    """Beam's client, which here notes the files that it would upload."""

    def __init__(self, options: PipelineOptions) -> None:
        super().__init__(options)
        self.staged: dict[str, int] = {}

    def stage_file(
        self, gcs_or_local_path: str, file_name: str, stream: Any, *_: Any, **__: Any
    ) -> None:
        self.staged[f"{gcs_or_local_path}/{file_name}"] = len(stream.read())


class _UnsentRunner(DataflowRunner):
    """Beam's runner under another name: for its own name Beam asks the bucket for its policies."""


def job_request(options: PipelineOptions, build: Callable[[beam.Pipeline], None]) -> JobRequest:
    """Build the request that DataflowRunner would send for a pipeline.

    Args:
        options: options of Beam.
        build: adds the transforms to an empty pipeline.

    Raises:
        Exception: what Beam raises on a pipeline that it would not submit.
    """
    test, cloud = options.view_as(TestOptions), options.view_as(GoogleCloudOptions)
    without_account = cloud.no_auth
    test.dry_run, cloud.no_auth = True, True
    pipeline = beam.Pipeline(runner=_UnsentRunner(), options=options)
    build(pipeline)
    job = pipeline.run().job
    client = _Recorder(job.options)
    for of_job in (options, job.options):  # the request holds the options as the user gave them
        of_job.view_as(TestOptions).dry_run = False
        of_job.view_as(GoogleCloudOptions).no_auth = without_account
    client.create_job_description(job)
    return JobRequest(MessageToDict(type(job.proto).pb(job.proto)), client.staged)
