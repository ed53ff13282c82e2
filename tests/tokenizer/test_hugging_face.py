"""tokenizer.json gives the ids of SentencePiece in Hugging Face's library."""

from pathlib import Path

import pytest
import tokenizers

from tests.tokenizer.conftest import TrainSmall
from tokenizer.hugging_face import tokenizer_json
from tokenizer.model import Tokenizer, TokenizerError


def test_ids_and_texts_are_the_same(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Encoded and decoded by the other library: source files, spaces, bytes, wide digits."""
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(tokenizer))
    # Their library finds special tokens in a text, on purpose; SentencePiece never does.
    found = [text for text in texts if "<s>" not in text and "</s>" not in text]
    assert len(found) > 10
    for text in [*found, "", " ", "  two\n\n\tx ", "é 😀 \u0000", "\uff11\uff12 1234"]:
        ids = tokenizer.encode(text, bos=True).tolist()
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids) == text


def test_settings_that_it_cannot_hold_are_refused(
    train_small: TrainSmall, texts: list[str], tmp_path: Path
) -> None:
    """A model without byte fallback would lose characters there."""
    path = train_small(tmp_path / "x.model", texts[0], vocab_size=200, byte_fallback=False)
    with pytest.raises(TokenizerError, match="byte_fallback is False; only True"):
        tokenizer_json(Tokenizer(path))
