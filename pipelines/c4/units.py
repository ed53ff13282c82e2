"""The files of C4, or of the dump that it is made from, as units."""

from collections.abc import Iterable
from dataclasses import replace

from pipelines.c4.config import C4Config
from pipelines.engine.errors import RunError
from pipelines.engine.units import Unit, one_per_file
from pipelines.storage import files as storage
from pipelines.storage.files import InputFile, basename, find_inputs
from pipelines.storage.listing import (
    LISTING,
    PREFIX,
    crawl_path,
    dump_of,
    find_web_inputs,
    read_listing,
)

PUBLISHED = "published"  # kinds of unit
WET = "wet"


def find_units(config: C4Config) -> list[Unit]:
    """Return a unit for each file.

    Raises:
        StorageError: an input is not there.
        RunError: two inputs have one name, or a file is no WET file.
    """
    if config.input:
        files = find_published(config.input, config.prefix)
        kind, stems = PUBLISHED, [storage.unit_stem(file.path) for file in files]
    else:
        web = find_web_inputs(config.wet, prefix=config.prefix or PREFIX)
        files = [InputFile(file.path, file.size, file.version) for file in web]
        if wrong := next((file.path for file in files if ".wet" not in basename(file.path)), ""):
            raise RunError(
                f"{wrong} is no WET file: C4 is made of WET files (.warc.wet.gz). Give those of "
                "the same dump"
            )
        kind, stems = WET, [basename(file.path).split(".")[0] for file in files]
    _refuse_equal_names(zip(stems, files, strict=True))
    units = one_per_file((file, kind) for file in files)
    return [
        replace(
            unit,
            extra={
                "stem": stem,
                "file": crawl_path(file.path),
                "dump": config.dump or dump_of(file.path),
            },
        )
        for unit, stem, file in zip(units, stems, files, strict=True)
    ]


def find_published(patterns: Iterable[str], prefix: str) -> list[InputFile]:
    """Return the published files that the patterns name; a listing names files, one per line.

    Raises:
        StorageError: an input is not there.
    """
    named: list[str] = []
    for pattern in patterns:
        if LISTING.search(pattern):
            paths = read_listing(pattern)
            named += [f"{prefix.rstrip('/')}/{path}" if prefix else path for path in paths]
        else:
            named.append(pattern)
    return find_inputs(named)


def _refuse_equal_names(named: Iterable[tuple[str, InputFile]]) -> None:
    seen: dict[str, str] = {}
    for stem, file in named:
        if other := seen.get(stem):
            raise RunError(
                f"{file.path} and {other} have one name, from which pages get their ids: rename "
                "one, or make a run of each"
            )
        seen[stem] = file.path
