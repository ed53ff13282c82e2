"""The tables that a plan is made from: measured rates, sizes of inputs, prices, assumptions.

They are data (``data/*.toml``), each figure with its date and origin, so that a reader can judge
them and a user can put his own in their place.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipelines.engine.errors import RunError
from pipelines.engine.settings import from_table
from tokenizer.settings import nearest, setting

Table = TypeVar("Table")


class Span(NamedTuple):
    """A low and a high figure."""

    low: float
    high: float

    def times(self, factor: float) -> "Span":
        """Return both figures times a factor."""
        return Span(self.low * factor, self.high * factor)

    def plus(self, other: "Span") -> "Span":
        """Return the sums of the low figures and of the high ones."""
        return Span(self.low + other.low, self.high + other.high)


NOTHING = Span(0.0, 0.0)


@dataclass(frozen=True)
class Rate:
    """What one measured run of a step took; a plan is in proportion to it.

    A step is a source, a model, the tokenizer, or ``tokens`` (the shards of a source). C4 that is
    made from WET files is ``c4.wet``.
    """

    step: str = setting(help="the step that was measured")
    machine: str = setting(help="key of the machine in [machines]")
    date: str = setting(help="day of the measurement")
    command: str = setting(help="command that repeats it")
    input_bytes: int = setting(help="bytes of the inputs, as they lie there")
    cpu_seconds: float = setting(help="CPU seconds of launcher and workers, user and system")
    fixed_seconds: float = setting(0.0, help="of these, what a run takes however small its inputs")
    text_bytes: int = setting(0, help="bytes of the text that was kept")
    written_bytes: int = setting(0, help="bytes of the files of documents, or of the shards")
    shuffled_bytes: int = setting(0, help="bytes of claims and verdicts, which a cluster shuffles")
    scratch_bytes: int = setting(0, help="bytes that lie in the run directory until it is complete")
    slower: float = setting(1.0, help="factor of the high figure: what the sample does not show")
    slower_why: str = setting("", help="what that is")
    unit_bytes: int = setting(0, help="bytes of input per unit; 0: a file is a unit")
    unit_files: int = setting(1, help="files per unit, where they are small")
    unit_requests: tuple[float, ...] = setting(
        (), help="requests to a store per unit: [on one machine, on a cluster]"
    )

    @property
    def seconds_per_byte(self) -> float:
        """CPU seconds per byte of input, beside the fixed ones."""
        return (self.cpu_seconds - self.fixed_seconds) / self.input_bytes

    def units(self, files: float, size: float) -> float:
        """Return how many units so many files of so many bytes are."""
        by_files = math.ceil(files / self.unit_files)
        by_bytes = math.ceil(size / self.unit_bytes) if self.unit_bytes else 0
        return float(max(by_files, by_bytes))

    def check(self, where: str) -> None:
        """Refuse figures that give no rate.

        Raises:
            RunError: the run was too small, or a figure is out of range.
        """
        if self.input_bytes <= 0:
            raise RunError(f"{where}: input_bytes={self.input_bytes}: give a number above 0")
        if self.cpu_seconds <= self.fixed_seconds:
            raise RunError(
                f"{where}: {self.cpu_seconds} CPU seconds are no more than the "
                f"{self.fixed_seconds} that any run takes: measure a larger one"
            )
        if self.slower < 1:
            raise RunError(f"{where}: slower={self.slower}: give a factor from 1 on")


@dataclass(frozen=True)
class Size:
    """How much input a step has."""

    files: tuple[float, ...] = setting(help="[low, high]")
    bytes: tuple[float, ...] = setting(help="[low, high], as they lie there")
    origin: str = setting(help="where these figures come from")
    text_bytes: tuple[float, ...] = setting(
        (), help="[low, high] of kept text; without it the share is that of the measured run"
    )


@dataclass(frozen=True)
class Shape:
    """A machine that can be rented."""

    name: str = setting(help="name of the shape")
    place: str = setting(help="who rents it out, and where")
    cores: int = setting(help="vCPUs")
    memory_gb: float = setting(help="GB of memory")
    on_demand: float = setting(help="USD per hour")
    date: str = setting(help="of the prices")
    origin: str = setting(help="of the prices")
    spot: tuple[float, ...] = setting((), help="USD per hour: [low, high]; none: not on offer")


@dataclass(frozen=True)
class StorePrices:
    """What an object store charges."""

    place: str = setting(help="which store")
    gb_month: float = setting(help="USD per GB and month")
    write_1000: float = setting(help="USD per 1,000 PUT, POST and LIST requests")
    read_1000: float = setting(help="USD per 1,000 GET and HEAD requests")
    egress_gb: float = setting(help="USD per GB that leaves the cloud")
    date: str = setting(help="of the prices")
    origin: str = setting(help="of the prices")


@dataclass(frozen=True)
class Assumption:
    """A figure that is neither measured nor a price."""

    name: str = setting(help="one of those that a plan needs")
    value: tuple[float, ...] = setting(help="[low, high]")
    what: str = setting(help="what it is, with its unit")
    origin: str = setting(help="where it comes from")


# Names of the assumptions that a plan needs.
EFFICIENCY = "efficiency"
MONTHS = "months"
WRITE_SHARE = "write_share"
SPOT_LOSSES = "spot_losses_per_hour"
UNIT_HOURS = "unit_hours"
WORKER_GB = "worker_memory_gb"
NEEDED = (EFFICIENCY, MONTHS, WRITE_SHARE, SPOT_LOSSES, UNIT_HOURS, WORKER_GB)


@dataclass(frozen=True)
class Prices:
    """Prices and assumptions."""

    shapes: tuple[Shape, ...]
    store: StorePrices
    assumptions: Mapping[str, Assumption]

    def assumed(self, name: str) -> Span:
        """Return the low and the high figure of an assumption."""
        return Span(*self.assumptions[name].value)


@dataclass(frozen=True)
class Rates:
    """The rates by step, and what the machines are that they were measured on."""

    of: Mapping[str, Rate]
    machines: Mapping[str, str]

    def step(self, name: str) -> Rate:
        """Return the rate of a step.

        Raises:
            RunError: none was measured.
        """
        if name not in self.of:
            raise RunError(f"no rate was measured for {name}: give one with --measured")
        return self.of[name]


def bundled(name: str) -> tuple[dict[str, Any], str]:
    """Return a table of the package and its name."""
    text = (resources.files("pipelines") / "planning" / "data" / name).read_text("utf-8")
    return tomllib.loads(text), name


def read(path: str) -> tuple[dict[str, Any], str]:
    """Return a table of a user's file and its name.

    Raises:
        RunError: the file is not there, or is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text("utf-8")), path
    except FileNotFoundError as error:
        raise RunError(f"{path}: no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: not TOML: {error}") from error


def rates_of(content: Mapping[str, Any], where: str) -> Rates:
    """Read ``[machines]`` and ``[[rates]]``.

    Raises:
        RunError: a key is unknown or missing, or a rate cannot be one.
    """
    _check_keys(content, ("machines", "rates"), where)
    machines = {name: str(what) for name, what in content.get("machines", {}).items()}
    found: dict[str, Rate] = {}
    for number, table in enumerate(content.get("rates", ()), 1):
        place = f"{where}: rates {number}"
        rate = from_table(Rate, table, place)
        rate.check(place)
        _check_pair(rate.unit_requests, f"{place}.unit_requests", may_lack=True)
        if rate.machine not in machines:
            raise RunError(
                f"{place}: unknown machine '{rate.machine}'{nearest(rate.machine, machines)}"
            )
        found[rate.step] = rate
    return Rates(found, machines)


def sizes_of(content: Mapping[str, Any], where: str) -> dict[str, Size]:
    """Read the tables of sizes, one per step.

    Raises:
        RunError: a key is unknown or missing, or a pair is none.
    """
    found = {}
    for name, table in content.items():
        place = f"{where}: {name}"
        size = found[name] = from_table(Size, table, place)
        for pair in (size.files, size.bytes):
            _check_pair(pair, place)
        _check_pair(size.text_bytes, f"{place}.text_bytes", may_lack=True)
    return found


def prices_of(content: Mapping[str, Any], where: str) -> Prices:
    """Read ``[[shapes]]``, ``[store]`` and ``[[assumed]]``.

    Raises:
        RunError: a key is unknown or missing, or a pair is none.
    """
    keys = ("shapes", "store", "assumed")
    _check_keys(content, keys, where)
    if missing := [key for key in keys if key not in content]:
        raise RunError(f"{where}: '{missing[0]}' is missing")
    shapes = [
        from_table(Shape, table, f"{where}: shapes {number}")
        for number, table in enumerate(content["shapes"], 1)
    ]
    for shape in shapes:
        _check_pair(shape.spot, f"{where}: {shape.name}.spot", may_lack=True)
    assumed: dict[str, Assumption] = {}
    for number, table in enumerate(content["assumed"], 1):
        one = from_table(Assumption, table, f"{where}: assumed {number}")
        if one.name not in NEEDED:
            raise RunError(f"{where}: unknown assumption '{one.name}'{nearest(one.name, NEEDED)}")
        _check_pair(one.value, f"{where}: {one.name}")
        assumed[one.name] = one
    if missing := [name for name in NEEDED if name not in assumed]:
        raise RunError(f"{where}: the assumption '{missing[0]}' is missing")
    store = from_table(StorePrices, content["store"], f"{where}: store")
    return Prices(tuple(shapes), store, assumed)


def _check_keys(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            raise RunError(f"{where}: unknown key '{key}'{nearest(key, known)}")


def _check_pair(values: tuple[float, ...], where: str, *, may_lack: bool = False) -> None:
    if may_lack and not values:
        return
    if len(values) != 2 or not 0 <= values[0] <= values[1]:
        raise RunError(f"{where}: {list(values)}: give [low, high]")
