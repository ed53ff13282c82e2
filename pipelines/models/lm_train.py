"""Train SentencePiece and KenLM on normalised lines, as cc_net does (docs/rules/web.md 6.1).

The same text gives the same bytes. SentencePiece reads all of it, since its own sampling cannot be
repeated, and has a fixed number of threads, since it adds up floats per thread. ``lmplz`` and
``build_binary`` gave equal bytes with every amount of memory that was tried.
"""

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import sentencepiece

from pipelines.engine.errors import RunError
from pipelines.setup.kenlm import Tools

MAX_LINE_BYTES = 4192  # SentencePiece skips longer lines, so they are cut
SENTENCEPIECE_THREADS = 16  # on every machine: another number gives other bytes
_LINES_A_BATCH = 1000
_COUNTS = re.compile(r"^(\d) (\d+) D1=", re.MULTILINE)


def train_pieces(lines: Iterable[str], *, vocab_size: int, character_coverage: float) -> bytes:
    """Train a unigram model and return the bytes of its file.

    cc_net asks for 65,536 pieces, or for 40,000 if the text is too small for them. Here the limit
    is soft: the model has as many pieces as the text gives, up to ``vocab_size``.

    Raises:
        RunError: SentencePiece refuses the text.
    """
    writer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_cut(lines),
            model_writer=writer,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            max_sentence_length=MAX_LINE_BYTES,
            num_threads=SENTENCEPIECE_THREADS,
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"SentencePiece cannot be trained on this text ({reason}). If it is too short, name "
            "more --input."
        ) from error
    return writer.getvalue()


def _cut(lines: Iterable[str]) -> Iterator[str]:
    """Cut lines that are too long, at a space if there is one."""
    for line in lines:
        rest = line
        while len(rest.encode()) > MAX_LINE_BYTES:
            # A character has at most 4 bytes, so this part always fits.
            part = rest[: MAX_LINE_BYTES // 4]
            end = part.rfind(" ")
            end = end if end > 0 else len(part)
            yield rest[:end]
            rest = rest[end:].lstrip(" ")
        if rest:
            yield rest


def train_ngrams(
    lines: Iterable[str],
    pieces: sentencepiece.SentencePieceProcessor,
    target: Path,
    *,
    tools: Tools,
    order: int,
    vocab_estimate: int,
    structure: str,
    memory: str,
    temporary: Path,
) -> list[int]:
    """Encode lines, and train an n-gram model on them that is written to ``target``.

    The ARPA text goes through a pipe, since a file of it would take 10 GB for a million
    introductions.

    Args:
        lines: normalised documents, one per line.
        pieces: the SentencePiece model that encodes them.
        target: path of the binary model.
        tools: KenLM's programs.
        order: the longest n-grams, 2 to 6 pieces.
        vocab_estimate: expected number of pieces.
        structure: ``probing`` or ``trie``; readers map both into memory.
        memory: memory for ``lmplz``: a size (``4G``) or a share of this machine's (``50%``).
        temporary: folder for temporary files of ``lmplz``.

    Returns:
        the number of n-grams of each order, from order 1 on.

    Raises:
        RunError: one of the programs failed; the message holds its error.
    """
    log = temporary / "lmplz.log"
    options = {
        "--order": order,
        "--memory": memory,
        "--temp_prefix": f"{temporary}{os.sep}",
        "--vocab_estimate": vocab_estimate,
    }
    lmplz = [str(tools.lmplz), "--discount_fallback", "--skip_symbols"]
    lmplz += [str(word) for option in options.items() for word in option]
    binary = [str(tools.build_binary), "-T", f"{temporary}{os.sep}", structure, "/dev/stdin"]
    with (
        log.open("wb") as told,
        subprocess.Popen(
            lmplz, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told
        ) as first,
        subprocess.Popen(
            [*binary, str(target)],
            stdin=first.stdout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as second,
    ):
        assert first.stdin is not None
        assert first.stdout is not None
        assert second.stderr is not None
        first.stdout.close()  # so that lmplz ends when build_binary does
        try:
            with contextlib.suppress(BrokenPipeError):  # lmplz ended, and its log says why
                _write_pieces(lines, pieces, first.stdin)
        except BaseException:
            first.kill()  # otherwise it would make a model of part of the text
            second.kill()
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):  # the buffered bytes cannot be written
                first.stdin.close()
        first.wait()
        second.wait()
        binary_told = second.stderr.read().decode("utf-8", "replace")
    lmplz_told = log.read_text("utf-8", "replace")
    if first.returncode:
        raise RunError(f"lmplz failed: {_last_words(lmplz_told)}")
    if second.returncode:
        raise RunError(f"build_binary failed: {_last_words(binary_told)}")
    statistics = lmplz_told.partition("Statistics:")[2]
    return [int(count) for _, count in _COUNTS.findall(statistics)]


def _write_pieces(
    lines: Iterable[str], pieces: sentencepiece.SentencePieceProcessor, out: IO[bytes]
) -> None:
    waiting = iter(lines)
    while batch := list(islice(waiting, _LINES_A_BATCH)):
        encoded = pieces.encode(batch, out_type=str)
        out.write("".join([" ".join(words) + "\n" for words in encoded]).encode())


def _last_words(told: str) -> str:
    """Return the lines of a KenLM program's log that say why it failed."""
    lines = [" ".join(line.split()) for line in told.splitlines() if line.strip()]
    found = [line for line in lines if "because" in line or "rror" in line]
    return " ".join(found or lines[-2:]) or "its log is empty; is the disk full?"
