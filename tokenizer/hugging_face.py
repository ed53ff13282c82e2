"""The tokenizer as Hugging Face's ``tokenizer.json``, which gives the same ids (tokens spec, 1).

Their libraries can make it from the ``.model`` themselves, but only beside a protobuf release that
suits sentencepiece's generated code. ``<s>`` and ``</s>`` in a text are text, as here: the
configuration says so to ``transformers``; with ``tokenizers`` alone, set ``encode_special_tokens``.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizer.fast import SPACE
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.spec import PieceKind


def write_tokenizer(model: Path, folder: Path, context: int) -> dict[str, int]:
    """Write what ``AutoTokenizer`` loads, and the ``.model`` itself, beside a model's weights.

    Args:
        model: the ``.model``.
        folder: where the files go.
        context: longest text that the model takes, in tokens.

    Returns:
        ``bos_token_id`` and ``eos_token_id``, which begin and end a text.

    Raises:
        TokenizerError: see `tokenizer_json`.
    """
    tokenizer = Tokenizer(model)
    shutil.copyfile(model, folder / "tokenizer.model")
    (folder / "tokenizer.json").write_text(tokenizer_json(tokenizer), encoding="utf-8")
    ids = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id, "unk": tokenizer.unk_id}
    pieces = {f"{name}_token": tokenizer.spec.pieces[number].text for name, number in ids.items()}
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # takes tokenizer.json as it is
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "split_special_tokens": True,  # "</s>" in a text is no end of a document
        **pieces,
    }
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    return {f"{name}_token_id": ids[name] for name in ("bos", "eos")}


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """Write the tokenizer for the ``tokenizers`` library; texts get ``<s>`` as their first id.

    Raises:
        TokenizerError: not a BPE, or its settings are not LLaMA's.
    """
    spec = tokenizer.spec
    settings = {**spec.trainer, **spec.normalizer}
    for name, value in {
        "model_type": "bpe",
        "byte_fallback": True,
        "precompiled_charsmap": b"",
        "add_dummy_prefix": True,
        "remove_extra_whitespaces": False,
        "escape_whitespaces": True,
        "treat_whitespace_as_suffix": False,
    }.items():
        if settings[name] != value:
            raise TokenizerError(
                f"{tokenizer.path}: {name} is {settings[name]!r}; only {value!r} can be written "
                "as Hugging Face's tokenizer.json"
            )
    special = [
        {
            "id": number,
            "content": piece.text,
            "special": piece.kind != PieceKind.USER_DEFINED,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for number, piece in enumerate(spec.pieces)
        if piece.kind in {PieceKind.UNKNOWN, PieceKind.CONTROL, PieceKind.USER_DEFINED}
    ]
    bos, unk = (spec.pieces[number].text for number in (tokenizer.bos_id, tokenizer.unk_id))
    first = {"SpecialToken": {"id": bos, "type_id": 0}}
    content = {
        "version": "1.0",
        "added_tokens": special,
        "normalizer": _sequence(
            "normalizers",
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ),
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                first,
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {bos: {"id": bos, "ids": [tokenizer.bos_id], "tokens": [bos]}},
        },
        "decoder": _sequence(
            "decoders",
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ),
        "model": {
            "type": "BPE",
            "unk_token": unk,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece.text: number for number, piece in enumerate(spec.pieces)},
            "merges": list(_merges(tokenizer)),
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _sequence(kind: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", kind: list(parts)}


def _merges(tokenizer: Tokenizer) -> Iterator[tuple[str, str]]:
    """List the pairs of pieces that make a piece, those that merge first at the front.

    SentencePiece joins any two neighbours whose text is a piece, and the best score first; so each
    way to cut a piece in two is a merge, and all those of a piece have its rank.
    """
    normal = [piece for piece in tokenizer.spec.pieces if piece.kind == PieceKind.NORMAL]
    known = {piece.text for piece in normal}
    for piece in sorted(normal, key=lambda piece: -piece.score):
        for cut in range(1, len(piece.text)):
            left, right = piece.text[:cut], piece.text[cut:]
            if left in known and right in known:
                yield left, right
