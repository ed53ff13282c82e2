"""What accelerators compute and draw, and a run's energy (trainer spec, 9; paper, section 6)."""

import re
from typing import NamedTuple

PUE = 1.1  # energy of the data centre for each unit of the accelerators' (paper, section 6)
CO2_KG_PER_KWH = 0.385  # of the grid: the average of the US (paper, section 6)


class Hardware(NamedTuple):
    """An accelerator by a pattern of its name; the vendors' figures."""

    pattern: str
    peak_flops: float  # a second, dense bfloat16; the doubled figures are for sparse matrices
    watts: float  # nameplate
    gib: float


HARDWARE = (
    Hardware(r"\bA100.*PCIe", 312e12, 300.0, 80.0),
    Hardware(r"\bA100\b", 312e12, 400.0, 80.0),
    Hardware(r"\bH100 PCIe\b", 756e12, 350.0, 80.0),
    Hardware(r"\bH100 NVL\b", 835e12, 400.0, 94.0),
    Hardware(r"\bH100\b", 989e12, 700.0, 80.0),
    Hardware(r"\bH200 NVL\b", 835e12, 600.0, 141.0),
    Hardware(r"\bH200\b", 989e12, 700.0, 141.0),
    Hardware(r"\bB200\b", 2.25e15, 1000.0, 180.0),
)


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
