# The types of the extension module in _perplexity.c.
from typing import final

@final
class Pieces:
    def __init__(self, model: bytes) -> None: ...
    def encode(self, line: bytes | bytearray, /) -> tuple[bytes, int]: ...
