"""BigQuery exports: Parquet, Avro and JSON lines, as rows of plain values (spec sources 1.1)."""

from dataclasses import dataclass


class UnreadableFile(Exception):  # noqa: N818 -- named for what it says of the file
    """A file as a whole cannot be read; the message names it, what is wrong, and what to do."""


@dataclass(slots=True)
class BadRow:
    """A row that could not be used: it is counted and reported, the file goes on."""

    row: int  # number of the row in its file, from 0
    reason: str  # bad_json, missing_field, wrong_type, line_too_long, truncated_file
    detail: str  # the field or the error, and the start of the line
