"""Instructions as token shards: prompts with responses, packed into windows of a model's context.

No example is cut, and none crosses a window. Beside each shard lies a file of a byte per token, 1
where the token is learned: those of responses, and the EOS after them. Its name ends with the
context that the windows are for.
"""

import bisect
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenizer.corpus import CorpusError
from tokenizer.directory import is_written, write_directory
from tokenizer.files import sha256_of
from tokenizer.manifest import read_manifest, shard_name
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.shards import TokenizedDocument, placement, tokenize_document

LEARNED: Final = "learned"  # ends the name of that file, before the context
HELDOUT: Final = 0.05  # of the examples


class Example(NamedTuple):
    """A prompt with its response, as token ids."""

    document: TokenizedDocument  # [bos] prompt response [eos]; its bytes are the response's
    prompt: int  # BOS and tokens of the prompt: they are not learned


def write_instructions(
    data: str, directory: Path, tokenizer: Tokenizer, context: int
) -> tuple[int, str]:
    """Write examples as shards; give the windows of an epoch, and a line to read.

    Shards of the same examples that are there are kept.

    Raises:
        CorpusError: the file is not as `read_examples` says, or has less than two examples.
        TokenizerError: see `encode_example`.
    """
    settings = {"examples": sha256_of(Path(data)), "tokenizer": tokenizer.sha256}
    settings |= {"context": str(context), "packing": "1"}
    found = ""
    if not is_written(directory, settings):
        examples, left_out = read_examples(data, tokenizer, context)
        if len(examples) < 2:
            raise CorpusError(f"{data}: {len(examples)} examples fit: it takes two, one held out")
        examples.sort(key=lambda e: (placement(0, e.document.id, 1).heldout_rank, e.document.id))
        heldout = max(1, round(HELDOUT * len(examples)))
        splits = {"heldout": examples[:heldout], "train": examples[heldout:]}
        packed = {split: pack(part, context) for split, part in splits.items()}
        shards = {split: lay_out(rows, context, tokenizer.eos_id) for split, rows in packed.items()}
        write_directory(
            directory,
            {split: documents for split, (documents, _) in shards.items()},
            tokenizer,
            settings=settings,
            heldout_fraction=HELDOUT,
            extra={
                f"{shard_name(split, 0, 1)}.{LEARNED}-{context}": learned.tobytes()
                for split, (_, learned) in shards.items()
            },
        )
        found = f"; left out of the file: {left_out}"
    train = read_manifest(directory).splits["train"]
    windows = (train.tokens - 1) // context
    return windows, f"{train.documents:,} examples in {windows:,} windows of {context:,}{found}"


def read_examples(data: str, tokenizer: Tokenizer, context: int) -> tuple[list[Example], str]:
    """Read JSON lines of ``prompt`` and ``response``; say what is left out.

    That is what is longer than the context, and what is there twice. A prompt ends with a line end,
    which no token joins with what follows: at use, the model gets exactly the ids that it was tuned
    with. Raises CorpusError with the line that is wrong.
    """
    examples: dict[str, Example] = {}
    too_long = twice = 0
    try:
        lines = Path(data).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{data}: cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{data}: line {number}"
        try:
            row = json.loads(line)
            made = encode_example(tokenizer, row["prompt"], row["response"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            wanted = '{"prompt": "..", "response": ".."}'
            raise CorpusError(f"{where}: expected {wanted}, found {line[:60]} ({error})") from error
        too_long += len(made.document.tokens) > context
        twice += made.document.id in examples
        if len(made.document.tokens) <= context:
            examples.setdefault(made.document.id, made)
    return [*examples.values()], f"{too_long} longer than the context, {twice} that are there twice"


def encode_example(tokenizer: Tokenizer, prompt: str, response: str) -> Example:
    """Encode a prompt, a line end after it, and a response; raise TypeError for no texts."""
    if not isinstance(prompt, str) or not isinstance(response, str) or not response:
        raise TypeError("both are texts, and the response is not empty")
    prompt = prompt.rstrip("\n") + "\n"
    digest = hashlib.blake2b(f"{len(prompt)} {prompt}{response}".encode(), digest_size=16)
    document = tokenize_document(tokenizer, digest.hexdigest(), prompt + response)
    before = tokenizer.encode(prompt, bos=True)
    if not np.array_equal(document.tokens[: len(before)], before):
        raise TokenizerError(f"{tokenizer.path}: it joins a line end with what follows")
    return Example(replace(document, text_bytes=len(response.encode())), len(before))


def pack(examples: Sequence[Example], context: int) -> list[list[Example]]:
    """Put examples into windows of ``context`` tokens, the longest first, each where it fits."""
    windows: list[list[Example]] = []
    free: list[tuple[int, int]] = []  # tokens left, and the window's number; sorted
    for example in sorted(examples, key=lambda e: (-len(e.document.tokens), e.document.id)):
        size = len(example.document.tokens)
        place = bisect.bisect_left(free, (size, 0))
        room, number = free.pop(place) if place < len(free) else (context, len(windows))
        if number == len(windows):
            windows.append([])
        windows[number].append(example)
        bisect.insort(free, (room - size, number))
    return windows


def lay_out(
    windows: Sequence[Sequence[Example]], context: int, eos_id: int
) -> tuple[list[TokenizedDocument], NDArray[np.bool_]]:
    """Give the documents of a shard in order, and which of its tokens are learned.

    What is left of a window is filled with EOS, as a part of its last document; one more ends the
    shard, since a window reads the token after it. Neither is learned.
    """
    documents, learned = [], []
    for number, window in enumerate(windows, 1):
        room = context - sum(len(example.document.tokens) for example in window)
        room += number == len(windows)
        for place, (document, prompt) in enumerate(window, 1):
            fill = room if place == len(window) else 0
            tokens = np.append(document.tokens, np.full(fill, eos_id, document.tokens.dtype))
            documents.append(replace(document, tokens=tokens))
            where = np.arange(len(tokens))
            learned.append((where >= prompt) & (where < len(tokens) - fill))
    return documents, np.concatenate(learned)
