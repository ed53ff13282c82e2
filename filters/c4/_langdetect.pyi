# The types of the extension module in _langdetect.c.
from collections.abc import Sequence
from typing import final

from filters.c4.profiles import Bytes

@final
class Detector:
    def __init__(
        self,
        *,
        names: Sequence[str],
        other: int,
        letters: Bytes,
        grams: Bytes,
        starts: Bytes,
        languages: Bytes,
        shares: Bytes,
        draws: Bytes,
        bases: Bytes,
        marks: Bytes,
        composed: Bytes,
    ) -> None: ...
    def detect(self, text: str, /) -> list[tuple[str, float]] | None: ...
