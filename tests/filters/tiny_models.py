"""Models small enough to be made in a test: SentencePiece trained, ARPA written by hand."""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sentencepiece

from filters.fasttext.model import train_fasttext

TEXT = """\
the quick brown fox jumps over the lazy dog
a page of the web is a page of words
words are pieces and pieces are letters
language models count the pieces of a page
0000 pages and 00 dogs
"""

LANGUAGES = {
    "en": ["the dog and the fox", "this is a page of the web", "words of the language"],
    "de": ["der hund und der fuchs", "das ist eine seite", "worte der sprache"],
    "fr": ["le chien et le renard", "voici une page", "les mots de la langue"],
}


def train_sentencepiece(
    path: Path, text: str = TEXT, *, vocab_size: int = 60, **options: Any
) -> Path:
    """Train a unigram model on the lines of a text and return its path."""
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()),
        model_writer=writer,
        model_type="unigram",
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    path.write_bytes(writer.getvalue())
    return path


def write_arpa(
    path: Path,
    unigrams: Mapping[str, tuple[float, float]],
    bigrams: Mapping[tuple[str, str], float] | None = None,
) -> Path:
    """Write a bigram model, log10 probabilities (and back-offs of unigrams), and return its path.

    A unigram model has a bigram that never occurs: KenLM reads no file of order 1.
    """
    bigrams = bigrams or {("</s>", "</s>"): -9.0}
    lines = ["\\data\\", f"ngram 1={len(unigrams)}", f"ngram 2={len(bigrams)}", "", "\\1-grams:"]
    lines += [f"{value}\t{word}\t{back_off}" for word, (value, back_off) in unigrams.items()]
    lines += ["", "\\2-grams:"]
    lines += [f"{value}\t{first} {second}" for (first, second), value in bigrams.items()]
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), "utf-8")
    return path


def train_languages(folder: Path, examples: Iterable[tuple[str, str]] = ()) -> Path:
    """Train a fastText model on labelled lines, by default of three languages; return its path."""
    lines = list(examples) or [(code, line) for code in LANGUAGES for line in LANGUAGES[code]]
    text = "".join(f"__label__{label} {line}\n" for label, line in lines * 20)
    (folder / "examples.txt").write_text(text, "utf-8")
    train_fasttext(folder / "examples.txt", folder / "model.bin", dim=8, epoch=20, lr=0.5)
    return folder / "model.bin"
