"""Stand-in until the readers' branch lands."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines import storage


@dataclass(frozen=True)
class CrawlFile:
    path: str
    size: int
    index: int
    files: int
    dump: str

    @property
    def segment(self) -> str:
        return storage.basename(self.path)

    @property
    def stem(self) -> str:
        return storage.basename(self.path).split(".")[0]

    @property
    def kind(self) -> str:
        return "wet"


def find_crawl_files(
    inputs: Sequence[str], listing: Sequence[str], prefix: str, *, dump: str = ""
) -> list[CrawlFile]:
    files = storage.find_inputs(inputs)
    return [CrawlFile(f.path, f.size, i, len(files), dump) for i, f in enumerate(files)]


def shard_of(index: int, files: int, shards: int = 1600) -> int:
    return -(-(index + 1) * shards // files) - 1


def group_of(index: int, files: int, shards: int = 1600) -> int:
    return shard_of(index, files, shards) // 50
