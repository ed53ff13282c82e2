# The types of the extension module in _paragraphs.c.
from typing import Any

from numpy.typing import NDArray

def line_keys(
    text: str, rows: NDArray[Any], after: bytes, ascii_: bytes, spaces: bytes, /
) -> bytes | None: ...
