# The types of the extension module in _fasttext.c.
from typing import final

from filters.fasttext.file import Bytes

@final
class Predictor:
    def __init__(
        self,
        *,
        entries: Bytes,
        n_words: int,
        n_labels: int,
        embeddings: Bytes,
        rows: int,
        dim: int,
        output: Bytes,
        scale: Bytes | None,
        tree: Bytes | None,
        bucket: int,
        kept: Bytes | None,
        minn: int,
        maxn: int,
        word_ngrams: int,
    ) -> None: ...
    def top(self, line: bytes, /) -> tuple[int, float] | None: ...
