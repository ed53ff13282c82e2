"""tokenizer.json gives the ids of SentencePiece in Hugging Face's library."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import transformers

from tests.tokenizer.conftest import TrainSmall
from tests.tokenizer.real_documents import real_documents
from tokenizer.__main__ import main
from tokenizer.hugging_face import tokenizer_json
from tokenizer.model import Tokenizer, TokenizerError


def test_ids_and_texts_are_the_same(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Encoded and decoded by the other library: source files, spaces, bytes, wide digits."""
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(tokenizer))
    theirs.encode_special_tokens = True  # as text
    for text in [*texts, "", " ", "  two\n\n\tx ", "é 😀 \u0000", "\uff11\uff12 1234", "<s></s>"]:
        ids = tokenizer.encode(text, bos=True).tolist()
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids) == text


def test_transformers_loads_what_the_command_writes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Also there, "</s>" in a text does not end a document (docs/rules/tokens.md 1.3, T6)."""
    words = ["hugging_face", "--model", str(tokenizer.path), "--output", str(tmp_path / "hf")]
    assert main(words) == 0
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "hf"))
    for text in ("a  b\n", "one </s> two <s> <unk>", "\u2581 \u0000"):
        assert theirs.encode(text) == tokenizer.encode(text, bos=True).tolist()
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.model_max_length) == (1, 2, 2048)


@pytest.mark.data
@pytest.mark.slow
def test_ids_of_all_real_documents(data: Path, tokenizer: Tokenizer) -> None:
    """Of 24,393 texts, not one differs."""
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(tokenizer))
    theirs.encode_special_tokens = True
    different, count = [], 0
    for document in real_documents(data):
        count += 1
        ids = theirs.encode(document.text).ids
        if not np.array_equal(ids, tokenizer.encode(document.text, bos=True)):
            different.append(document.id)
    assert different == []
    assert count > 20_000


def test_settings_that_it_cannot_hold_are_refused(
    train_small: TrainSmall, texts: list[str], tmp_path: Path
) -> None:
    """A model without byte fallback would lose characters there."""
    path = train_small(tmp_path / "x.model", texts[0], vocab_size=200, byte_fallback=False)
    with pytest.raises(TokenizerError, match="byte_fallback is False; only True"):
        tokenizer_json(Tokenizer(path))
