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
    """Return a unit for each file, the published ones first.

    Raises:
        StorageError: an input is not there.
        RunError: two inputs have one name, or a file is no WET file.
    """
    files = [(file, PUBLISHED) for file in find_published(config.input, config.prefix)]
    files += [(file, WET) for file in find_wet(config)]
    stems = [stem_of(file.path, kind) for file, kind in files]
    _refuse_equal_names(zip(stems, (file.path for file, _ in files), strict=True))
    return [
        replace(
            unit,
            extra={
                "stem": stem,
                "file": crawl_path(unit.path),
                "dump": config.dump or dump_of(unit.path),
            },
        )
        for unit, stem in zip(one_per_file(files), stems, strict=True)
    ]


def is_published(unit: Unit) -> bool:
    """Tell whether a unit is a published file."""
    return unit.kind == PUBLISHED


def is_wet(unit: Unit) -> bool:
    """Tell whether a unit is a WET file."""
    return unit.kind == WET


def stem_of(path: str, kind: str) -> str:
    """Return what the ids of a file's pages begin with.

    >>> stem_of("en/c4-train.00000-of-01024.json.gz", PUBLISHED)
    'c4-train.00000-of-01024'
    >>> stem_of("wet/CC-MAIN-20190418-00000.warc.wet.gz", WET)
    'CC-MAIN-20190418-00000'
    """
    if kind == WET:
        return basename(path).split(".")[0]
    return storage.unit_stem(path).removesuffix(".json")


def find_wet(config: C4Config) -> list[InputFile]:
    """Return the WET files that C4 is made from.

    Raises:
        StorageError: an input is not there.
        RunError: a file is no WET file.
    """
    if not config.wet:
        return []
    web = find_web_inputs(config.wet, prefix=config.prefix or PREFIX)
    files = [InputFile(file.path, file.size, file.version) for file in web]
    if wrong := next((file.path for file in files if ".wet" not in basename(file.path)), ""):
        raise RunError(
            f"{wrong} is no WET file: C4 is made of WET files (.warc.wet.gz). Give those of the "
            "same dump"
        )
    return files


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
    return find_inputs(named) if named else []


def _refuse_equal_names(named: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for stem, path in named:
        if other := seen.get(stem):
            raise RunError(
                f"{path} and {other} have one name, from which pages get their ids: rename one, or "
                "make a run of each"
            )
        seen[stem] = path
