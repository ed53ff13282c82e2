# The types of the extension module in _bpe.c.
from typing import final

@final
class Encoder:
    def __init__(
        self,
        *,
        pieces: int,
        byte_ids: bytes,
        characters: bytes,
        joins: bytes,
        merges: bytes,
        prefix: bool,
    ) -> None: ...
    def encode(self, text: str, bos: int, eos: int, /) -> bytearray: ...
