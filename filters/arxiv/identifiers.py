"""Identifiers of arXiv, as the names of its source files write them (docs/rules/sources.md 4.1)."""

import re
from typing import NamedTuple

_NEW = re.compile(r"([0-9]{2})([0-9]{2})\.([0-9]{4,5})(?:v([0-9]+))?")
_OLD = re.compile(
    r"([a-z]+(?:-[a-z]+)*)/?([0-9]{2})([0-9]{2})([0-9]{3})(?:v([0-9]+))?", re.IGNORECASE
)
_FIRST_YEAR = 91  # arXiv began in 1991; 90 and less are years of this century


class Identifier(NamedTuple):
    """The identifier of a paper."""

    name: str  # without version: "0704.0001", "hep-th/9901001"
    yymm: str
    version: int  # 0 where the name has none

    @property
    def url(self) -> str:
        """The page of the paper."""
        return f"https://arxiv.org/abs/{self.name}"

    @property
    def month(self) -> str:
        """The month in which the paper was submitted, as ISO 8601 writes it: "2007-04"."""
        century = 19 if int(self.yymm[:2]) >= _FIRST_YEAR else 20
        return f"{century}{self.yymm[:2]}-{self.yymm[2:]}"


def identifier_of(name: str) -> Identifier | None:
    """Return the identifier in the name of a file without its ending, None if it holds none.

    >>> identifier_of("hep-th9901001").name
    'hep-th/9901001'
    """
    if match := _NEW.fullmatch(name):
        year, month, number, version = match.groups()
        found = Identifier(f"{year}{month}.{number}", year + month, int(version or 0))
    elif match := _OLD.fullmatch(name):
        archive, year, month, number, version = match.groups()
        found = Identifier(f"{archive}/{year}{month}{number}", year + month, int(version or 0))
    else:
        return None
    return found if 1 <= int(month) <= 12 else None
