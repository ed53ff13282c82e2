"""The units of a dump, and the scopes in which their paragraphs must be unique."""

from collections import Counter
from dataclasses import replace

from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.records import kind_of
from pipelines.engine.errors import RunError
from pipelines.engine.units import Unit, one_per_file
from pipelines.storage.files import InputFile, basename
from pipelines.storage.listing import (
    LISTING,
    WebInput,
    crawl_path,
    dump_of,
    find_web_inputs,
    group_of,
    shard_of,
)


def places(config: CommonCrawlConfig) -> list[tuple[str, WebInput]]:
    """Return each input with its dump and its place in the dump (docs/rules/web.md 2.1).

    Raises:
        StorageError: an input does not exist.
        RunError: two inputs have the same name, so their pages would have the same ids.
    """
    found = find_web_inputs(config.input, prefix=config.prefix)
    dumps = [config.dump or dump_of(file.path) for file in found]
    sizes, seen = Counter(dumps), Counter[str]()
    placed, stems = [], dict[str, str]()
    for file, dump in zip(found, dumps, strict=True):
        if other := stems.get(stem_of(file.path)):
            raise RunError(
                f"{file.path} and {other} have the same name, from which pages get their ids. "
                "Rename one, or leave it out."
            )
        stems[stem_of(file.path)] = file.path
        if any(map(LISTING.search, config.input)):
            placed.append((dump, file))
        else:
            placed.append((dump, replace(file, index=seen[dump], files=sizes[dump])))
        seen[dump] += 1
    return placed


def stem_of(path: str) -> str:
    """Return the name of a file without its endings.

    >>> stem_of("crawl-data/CC-MAIN-20190215183319-20190215205319-00000.warc.wet.gz")
    'CC-MAIN-20190215183319-20190215205319-00000'
    """
    return basename(path).split(".")[0]


def scope_name(config: CommonCrawlConfig, dump: str, file: WebInput) -> tuple[str, int]:
    """Return the scope in which the paragraphs of a file must be unique (docs/rules/web.md 4.4)."""
    if config.scope == "corpus":
        return "", 0
    if config.scope == "dump":
        return dump, 0
    part = shard_of if config.scope == "shard" else group_of
    return dump, part(file.index, file.files, config.shards)


def find_units(config: CommonCrawlConfig) -> list[Unit]:
    """Return one unit per file of the dumps.

    Raises:
        StorageError: an input does not exist.
        RunError: two inputs have the same name.
    """
    files = places(config)
    scopes = [scope_name(config, dump, file) for dump, file in files]
    numbers = {scope: number for number, scope in enumerate(sorted(set(scopes)))}
    named = one_per_file(
        (InputFile(file.path, file.size, file.version), kind_of(file.path)) for _, file in files
    )
    return [
        replace(
            unit,
            extra={
                "stem": stem_of(file.path),
                "segment": crawl_path(file.path),
                "dump": dump,
                "index": file.index,
                "scope": numbers[scope],
            },
        )
        for unit, (dump, file), scope in zip(named, files, scopes, strict=True)
    ]


def scope_of(unit: Unit) -> int:
    """Return the number of the scope of a unit."""
    return int(unit.extra["scope"])


def order_of(unit: Unit) -> str:
    """Return what sorts the units of a scope: the dump, then the place in its listing."""
    return f"{unit.extra['dump']}/{unit.extra['index']:08d}"
