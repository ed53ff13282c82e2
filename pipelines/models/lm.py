"""Train the language model of Wikipedia whose perplexity separates good and bad web pages.

``python -m pipelines lm --input WIKIPEDIA_RUN --lang en --out MODELS`` trains SentencePiece and an
n-gram model as cc_net does (docs/rules/web.md 6.1), and writes ``en.sp.model``, ``en.arpa.bin`` and
the card ``en.json``. Which perplexity is good depends on the pages of Common Crawl: with
``--cutoffs-from`` the same command measures a sample of them and writes ``cutoffs.csv``.

Finished steps are skipped when the command is run again. Unfinished work is in ``MODELS/work-en``.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import sentencepiece

from filters.commoncrawl.perplexity import NORMALIZATION, normalize_for_lm
from pipelines.engine.config import to_bytes, versions
from pipelines.engine.errors import RunError
from pipelines.models.cards import ModelFiles, is_made, local_folder, write_card
from pipelines.models.lm_cutoffs import FAIR_SAMPLE, CutoffSample, has_cutoffs, make_cutoffs
from pipelines.models.lm_text import LmText, find_lm_text
from pipelines.models.lm_train import train_ngrams, train_pieces
from pipelines.setup.kenlm import find_tools
from pipelines.storage.files import write_bytes, writing
from tokenizer.files import sha256_of
from tokenizer.settings import setting

MAX_ORDER = 6  # the highest order that our KenLM programs and the package ``kenlm`` support


@dataclass(frozen=True)
class LmConfig:
    """Settings of the command, as flags."""

    lang: str = setting(help="language of the model, e.g. en")
    input: tuple[str, ...] = setting(
        (), help="complete runs of Wikipedia, or search dumps (*-cirrussearch-content.json.gz)"
    )
    text: Literal["opening", "whole"] = setting(
        "opening", help="part of each article: its introduction, or the whole text"
    )
    documents: int = setting(
        1_000_000, at_least=1, help="articles to train on, at most; the first of the inputs"
    )
    vocab_size: int = setting(65_536, at_least=16, help="pieces, at most; a small text gives fewer")
    character_coverage: float = setting(
        0.9995, at_least=0, at_most=1, help="share of characters that get a piece"
    )
    order: int = setting(5, at_least=2, at_most=MAX_ORDER, help="pieces in an n-gram")
    structure: Literal["probing", "trie"] = setting(
        "probing", help="data structure of the model; trie is half as large and slower"
    )
    memory: str = setting(
        "50%", help="memory for lmplz: a size such as 8G, or a share of the machine's"
    )
    temp: str = setting(
        "", help="folder for files of lmplz, a few times the text (default: in --out)"
    )
    cutoffs_from: tuple[str, ...] = setting(
        (), help="runs of Common Crawl, or WET files, whose pages of the language give the cutoffs"
    )
    cutoff_documents: int = setting(
        FAIR_SAMPLE,
        at_least=1,
        help="pages to sample, at most; a WET file has about 20,000 English ones",
    )
    per_line: bool = setting(False, help="make the cutoffs for `commoncrawl --per-line`")
    langid: str = setting("", help="fastText model for WET files (default: lid.176.ftz of set-up)")
    min_language_score: float = setting(
        0.5, at_least=0, at_most=1, help="score of the language in WET files, 0 to 1"
    )
    seed: int = setting(0, help="seed of the sample for the cutoffs")


def lm(config: LmConfig, out: str, say: Callable[[str], None] = print) -> None:
    """Train the model of a language if --input is given, and its cutoffs if --cutoffs-from is.

    Raises:
        RunError, StorageError, SetupError: the message says what went wrong and what to do.
    """
    files = ModelFiles(local_folder(out), config.lang)
    if config.input or not files.exist():
        files = train_language_model(config, out, say)
    if config.cutoffs_from:
        sample = CutoffSample(
            inputs=config.cutoffs_from,
            documents=config.cutoff_documents,
            langid=config.langid,
            min_language_score=config.min_language_score,
            seed=config.seed,
            per_line=config.per_line,
        )
        make_cutoffs(files, sample, say)
    elif not has_cutoffs(files):
        say(
            f"{config.lang}: there are no cutoffs yet, which say what perplexity is good. `python "
            "-m pipelines commoncrawl` measures them on its inputs; or give --cutoffs-from WET."
        )


def train_language_model(config: LmConfig, out: str, say: Callable[[str], None]) -> ModelFiles:
    """Train the model of a language in ``out``, or resume; a finished model is left alone.

    Returns:
        the paths of the model.

    Raises:
        RunError, StorageError, SetupError: the message says what went wrong and what to do.
    """
    if not config.input:
        raise RunError(
            "--input is missing: name a complete run of Wikipedia (make one with `python -m "
            "pipelines wikipedia --input DUMP --run RUN`), or a search dump."
        )
    target = ModelFiles(local_folder(out), config.lang)
    text = find_lm_text(config.input, config.lang, config.text)
    identity = {
        "lang": config.lang,
        "input": text.identity(),
        "text": config.text,
        "documents": config.documents,
        "normalization": NORMALIZATION,
        "vocab_size": config.vocab_size,
        "character_coverage": config.character_coverage,
        "order": config.order,
        "structure": config.structure,
    }
    if is_made(target.card, identity):
        say(f"{config.lang}: the model is there already: {target.ngrams}")
        return target
    for path in (target.pieces, target.ngrams):
        if path.exists() and not _work(target).exists():
            raise RunError(
                f"{path} was not made by this command (there is no {target.card.name}). Name "
                "another --out, or leave out --input to use it as it is."
            )
    find_tools()  # raises before the work if the programs are missing
    work = _open_work(target, identity, say)
    if not work.card.exists():
        _train(config, text, identity, work, say)
    for path in (work.pieces, work.ngrams, work.card):  # the card, which commits, comes last
        if path.exists():
            path.replace(target.folder / path.name)
    shutil.rmtree(work.folder)
    return target


def _work(target: ModelFiles) -> Path:
    return target.folder / f"work-{target.lang}"


def _open_work(
    target: ModelFiles, identity: dict[str, Any], say: Callable[[str], None]
) -> ModelFiles:
    """Return the folder of unfinished work, emptied if it was made with other options."""
    folder = _work(target)
    wanted = to_bytes({"config": identity, "versions": versions()})
    config = folder / "config.json"
    if folder.exists() and not (config.exists() and config.read_bytes() == wanted):
        say(f"{target.lang}: {folder} was made with other options; it is removed")
        shutil.rmtree(folder)
    write_bytes(str(config), wanted)
    return ModelFiles(folder, target.lang)


def _train(
    config: LmConfig,
    text: LmText,
    identity: dict[str, Any],
    work: ModelFiles,
    say: Callable[[str], None],
) -> None:
    """Write the text, train the pieces and the n-grams, and write the card."""
    lines, counts = work.folder / "lines.txt", work.folder / "counts.json"
    if not counts.exists():
        say(f"{config.lang}: text of {config.documents:,} articles at most")
        write_bytes(str(counts), to_bytes(_write_lines(config, text, lines)))
    counted = json.loads(counts.read_bytes())
    told = f"{counted['documents']:,} articles, {counted['characters']:,} characters"
    if not work.pieces.exists():
        say(f"{config.lang}: pieces of {told}")
        content = train_pieces(
            _read_lines(lines),
            vocab_size=config.vocab_size,
            character_coverage=config.character_coverage,
        )
        write_bytes(str(work.pieces), content)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(work.pieces))
    say(f"{config.lang}: {config.order}-grams of {len(pieces):,} pieces")
    temporary = Path(config.temp) / f"corpusmill-{config.lang}" if config.temp else work.folder
    temporary.mkdir(parents=True, exist_ok=True)
    ngrams = train_ngrams(
        _read_lines(lines),
        pieces,
        work.ngrams,
        tools=find_tools(),
        order=config.order,
        vocab_estimate=config.vocab_size,
        structure=config.structure,
        memory=config.memory,
        temporary=temporary,
    )
    if config.temp:
        shutil.rmtree(temporary)
    card = {
        "config": identity,
        "text": counted,
        "pieces": len(pieces),
        "ngrams": ngrams,
        "sha256": {path.name: sha256_of(path) for path in (work.pieces, work.ngrams)},
        "bytes": {path.name: path.stat().st_size for path in (work.pieces, work.ngrams)},
        "versions": versions(),
    }
    write_card(work.card, card)


def _write_lines(config: LmConfig, text: LmText, path: Path) -> dict[str, int]:
    """Write the normalised articles, one per line.

    Raises:
        RunError: there is no article.
    """
    documents = characters = 0
    with writing(str(path)) as stream:
        normalized = (line for line in map(normalize_for_lm, text) if line)
        for line in islice(normalized, config.documents):
            stream.write(f"{line}\n".encode())
            documents += 1
            characters += len(line)
        if not documents:
            raise RunError(
                f"no text in the language '{config.lang}' in {', '.join(config.input)}. Is --lang "
                "the language of the inputs?"
            )
    return {"documents": documents, "characters": characters, "bad_records": text.bad_records}


def _read_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line[:-1]
