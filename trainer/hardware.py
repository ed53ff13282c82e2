"""What accelerators compute and draw, and a run's energy (trainer spec, 9; paper, section 6)."""

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

PUE = 1.1  # energy of the data centre for each unit of the accelerators' (paper, section 6)
CO2_KG_PER_KWH = 0.385  # of the grid: the average of the US (paper, section 6)


class Hardware(NamedTuple):
    """A line of ``hardware.toml``."""

    pattern: str  # of its name
    peak_flops: float  # a second, dense bfloat16
    watts: float  # nameplate
    gib: float  # of memory


_FILE = Path(__file__).with_suffix(".toml")
HARDWARE = [Hardware(**line) for line in tomllib.loads(_FILE.read_text("utf-8"))["devices"]]


def find_hardware(name: str) -> Hardware | None:
    """Find an accelerator by its device name; None if it is not known, never a guess.

    >>> find_hardware("NVIDIA H100 80GB HBM3").watts, find_hardware("cpu")
    (700.0, None)
    """
    return next((h for h in HARDWARE if re.search(h.pattern, name, re.IGNORECASE)), None)


def energy_wh(gpu_hours: float, watts: float) -> float:
    """Give the Wh of so many reserved hours, the data centre's share included.

    >>> round(energy_wh(82_432, 400) / 1e6)
    36
    """
    return gpu_hours * watts * PUE


def co2_kg(wh: float) -> float:
    """Give the kg of CO2 equivalent that so many Wh emit."""
    return wh / 1000 * CO2_KG_PER_KWH
