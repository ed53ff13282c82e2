"""A language model of some real text, for tests on real pages: how good it is does not matter."""

from pathlib import Path

import sentencepiece

from filters.commoncrawl.cutoffs import Cutoffs, cutoffs_of, fingerprint_of, write_cutoffs
from filters.commoncrawl.langid import identify
from filters.commoncrawl.perplexity import load_language_model, normalize_for_lm
from pipelines.models.lm_train import train_ngrams, train_pieces
from pipelines.models.load import classifier
from pipelines.readers.wet import WetPage, read_wet
from pipelines.setup.kenlm import find_tools

EVERY = 3  # of the English pages, one in three is trained on, and the others give the cutoffs


def train_models(folder: Path, files: list[Path], langid: Path, lang: str = "en") -> Path:
    """Train SentencePiece and KenLM on pages of WET files; return the folder, with cutoffs."""
    pages = []
    model = classifier(str(langid))
    for path in files:
        with path.open("rb") as stream:
            texts = [page.text for page in read_wet(stream, str(path)) if isinstance(page, WetPage)]
        pages += [text for text in texts if identify(model, text, max_characters=1000).code == lang]
    lines = [normalize_for_lm(line) for text in pages[::EVERY] for line in text.split("\n")]
    lines = [line for line in lines if len(line) > 40]
    pieces, ngrams = folder / f"{lang}.sp.model", folder / f"{lang}.arpa.bin"
    pieces.write_bytes(train_pieces(lines, vocab_size=4000, character_coverage=0.9995))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    train_ngrams(
        lines,
        processor,
        ngrams,
        tools=find_tools(),
        order=5,
        vocab_estimate=4000,
        structure="probing",
        memory="512M",
        temporary=folder,
    )
    scored = load_language_model(pieces, ngrams)
    perplexities = [scored.perplexity(text) for text in pages[1::EVERY]]
    column = cutoffs_of([value for value in perplexities if value is not None])
    table = Cutoffs({lang: column}, {lang: fingerprint_of(pieces, ngrams)})
    write_cutoffs(folder / "cutoffs.csv", table)
    return folder
