"""Sampling: cached equals uncached, seeds repeat, and text comes in whole characters."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainer import tiny
from tests.trainer.test_export import SHAPE, drawn
from tokenizer.model import Tokenizer
from trainer.generate import (
    GenerateError,
    Sampling,
    complete,
    generate,
    kept_keys,
    pick,
    text_of,
)

GREEDY = Sampling(temperature=0)
PROMPT = [1, 17, 5, 80]


def sample(sampling: Sampling, *, new: int = 20, eos_id: int = -1) -> list[int]:
    """Generate from the model of the export tests."""
    model, _ = drawn()
    return list(generate(model, PROMPT, sampling, max_new_tokens=new, eos_id=eos_id))


def test_kept_keys_give_the_logits_of_the_whole_sequence() -> None:
    """A prompt at once, then token by token, against all at once; and the model is left as it was.

    A position that is off by one, or keys of another text, would move the logits.
    """
    model, _ = drawn()
    tokens = torch.randint(96, (1, 24), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = model(tokens)
        for _ in range(2):
            with kept_keys(model):
                parts = [model(tokens[:, :6])]
                parts += [model(tokens[:, n : n + 1], start=n) for n in range(6, 24)]
            torch.testing.assert_close(torch.cat(parts, 1), expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(model(tokens), expected)


def test_cached_equals_uncached() -> None:
    """The same tokens, greedy and drawn."""
    model, _ = drawn()
    for sampling in (GREEDY, Sampling(temperature=1.0, seed=4)):
        ids, generator = list(PROMPT), torch.Generator().manual_seed(4)
        for _ in range(20):
            with torch.inference_mode():
                ids.append(pick(model(torch.tensor([ids]))[0, -1], sampling, generator))
        assert sample(sampling) == ids[len(PROMPT) :]


def test_greedy_takes_the_likeliest_and_no_seed() -> None:
    """Each token is the argmax after all before it."""
    tokens = sample(GREEDY)
    assert tokens == sample(Sampling(temperature=0, seed=9))
    ids = torch.tensor([PROMPT + tokens])
    with torch.inference_mode():
        likeliest = drawn()[0](ids).argmax(-1)[0, len(PROMPT) - 1 : -1]
    assert likeliest.tolist() == tokens


def test_a_seed_repeats_and_another_does_not() -> None:
    """Twenty tokens of 96, nearly even."""
    assert sample(Sampling(1.0, seed=1)) == sample(Sampling(1.0, seed=1))
    assert sample(Sampling(1.0, seed=1)) != sample(Sampling(1.0, seed=2))


def test_it_ends_at_eos_at_the_limit_or_with_the_context() -> None:
    """EOS is not given; a prompt of 4 leaves 20 tokens of a context of 24."""
    tokens = sample(GREEDY, new=1000)
    assert len(tokens) == SHAPE.context - len(PROMPT)
    assert sample(GREEDY, new=3) == tokens[:3]
    end = tokens[5]
    assert sample(GREEDY, eos_id=end) == tokens[: tokens.index(end)]


def drawn_ids(logits: Tensor, sampling: Sampling) -> set[int]:
    """Draw 500 times."""
    generator = torch.Generator().manual_seed(0)
    return {pick(logits, sampling, generator) for _ in range(500)}


def test_top_k_and_top_p_cut_what_is_unlikely() -> None:
    """Probabilities 0.4, 0.3, 0.2, 0.1 of ids 2, 0, 3, 1."""
    logits = torch.tensor([0.3, 0.1, 0.4, 0.2]).log()
    assert drawn_ids(logits, Sampling(1.0, top_p=1.0)) == {0, 1, 2, 3}
    assert drawn_ids(logits, Sampling(1.0, top_k=2, top_p=1.0)) == {0, 2}
    assert drawn_ids(logits, Sampling(1.0, top_p=0.69)) == {0, 2}
    assert drawn_ids(logits, Sampling(1.0, top_p=0.71)) == {0, 2, 3}
    assert drawn_ids(logits, Sampling(1.0, top_p=0.1)) == {2}
    # Of the three likeliest 0.4 is 0.44, and 0.7 is 0.78: top p looks at what top k left.
    assert drawn_ids(logits, Sampling(1.0, top_k=3, top_p=0.77)) == {0, 2}
    assert drawn_ids(logits, Sampling(0.01, top_p=1.0)) == {2}


@pytest.mark.parametrize(
    "values", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": -1}]
)
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    """NaN and negative values never reach the draw."""
    with pytest.raises(GenerateError, match="temperature and top_k are 0 or more"):
        Sampling(**values)  # type: ignore[arg-type]  # integers and floats by name


@pytest.mark.parametrize("length", [0, 24])
def test_a_prompt_must_leave_room(length: int) -> None:
    """Neither none nor all of the context."""
    with pytest.raises(GenerateError, match=f"a prompt of {length} tokens: it must have 1 to 23"):
        next(generate(drawn()[0], [1] * length, GREEDY, max_new_tokens=1, eos_id=2))


def test_a_prompt_needs_a_tokenizer() -> None:
    """Weights without one say where it is to be given."""
    weights = drawn()[1]
    with pytest.raises(
        GenerateError, match=r"drawn: no tokenizer there: give data\.tokenizer=FILE"
    ):
        next(complete(weights, "x", GREEDY, 1, "float32"))


def test_text_comes_in_whole_characters(tmp_path: Path) -> None:
    """Bytes wait for their character; those that never make one come at the end, replaced."""
    tiny.write_text_corpus(tmp_path)
    tokenizer = Tokenizer(tmp_path / "tokenizer.model")
    prompt = tokenizer.encode("x = ", bos=True).tolist()
    new = tokenizer.encode("x = 😀 é!").tolist()[len(prompt) - 1 :]
    parts = list(text_of(tokenizer, prompt, new))
    assert "".join(parts) == "😀 é!"
    assert "😀" in parts
    half = tokenizer.encode("x = 😀").tolist()[len(prompt) - 1 : -1]
    assert list(text_of(tokenizer, prompt, half)) == ["\ufffd\ufffd\ufffd"]
