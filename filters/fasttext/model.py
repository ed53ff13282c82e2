"""fastText models: load, predict, train.

The only module that imports fasttext, and it goes around two parts of that package: `load_model`
prints a warning, and `predict` fails on numpy 2.

Language identification took half of the time of English Common Crawl. An extension module
(`filters/fasttext/predictor.py`) does the same sums several times faster. It answers where it can,
and only after it gave fastText's own answers, bit for bit, on some lines when the model was loaded;
otherwise fastText answers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import fasttext
import fasttext.FastText

from filters.characters import without_surrogates
from filters.fasttext.predictor import Top, agrees, load_top

LABEL_PREFIX: Final = "__label__"

# What the `fasttext supervised` command does when nothing is said (docs/rules/web.md 8.2, item 4).
SUPERVISED_DEFAULTS: Final[Mapping[str, Any]] = {
    "lr": 0.1,
    "dim": 100,
    "epoch": 5,
    "minCount": 1,
    "wordNgrams": 1,
    "minn": 0,
    "maxn": 0,
    "loss": "softmax",
}


class FastTextModel:
    """A supervised fastText model; made by `load_fasttext`."""

    def __init__(self, model: Any, fast_top: Top | None = None) -> None:
        self._predict = model.f.predict
        self._fast_top = fast_top
        self.labels: tuple[str, ...] = tuple(
            label.removeprefix(LABEL_PREFIX) for label in model.f.getLabels("strict")[0]
        )

    def top(self, line: str) -> tuple[str, float] | None:
        r"""Return the best label of a line, without its prefix, and its probability.

        fastText adds 1e-5 before it takes a logarithm: a probability may be 1.00001.

        Returns:
            None when the model knows no word of the line, and not the line end either.

        Raises:
            ValueError: the line has a "\n": fastText would silently read no further.
        """
        if "\n" in line:
            raise ValueError("fastText reads one line: replace line ends first")
        if self._fast_top is None:
            return self.slow_top(line)
        try:
            best = self._fast_top(line.encode("utf-8"))
        except (UnicodeEncodeError, FloatingPointError):  # rare: fastText knows what to do
            return self.slow_top(line)
        return None if best is None else (self.labels[best[0]], best[1])

    def slow_top(self, line: str) -> tuple[str, float] | None:
        """Return what `top` does, from fastText itself."""
        predictions = self._predict(without_surrogates(line) + "\n", 1, 0.0, "strict")
        if not predictions:
            return None
        [(probability, label)] = predictions
        return label.removeprefix(LABEL_PREFIX), probability


def load_fasttext(path: str | Path) -> FastTextModel:
    """Load a supervised model, ``.bin`` or ``.ftz``.

    Raises:
        ValueError: the file cannot be read as such a model.
    """
    try:
        # `fasttext.load_model` is this and a warning about its return type.
        model = fasttext.FastText._FastText(model_path=str(path))  # noqa: SLF001
        loaded = FastTextModel(model)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path}: no supervised fastText model ({error}); give the path of a file such as "
            "lid.176.bin"
        ) from None
    fast_top = load_top(path)
    if fast_top is not None and agrees(fast_top, loaded.labels, loaded.slow_top):
        return FastTextModel(model, fast_top)
    return loaded


def train_fasttext(
    examples: str | Path, model: str | Path, *, seed: int = 0, **settings: Any
) -> None:
    """Train a supervised model and write it to a file, the same bytes each time.

    Args:
        examples: a file with an example a line, ``__label__NAME`` and text, in UTF-8.
        model: the file to write.
        seed: of the initial vectors and of negative sampling.
        settings: instead of `SUPERVISED_DEFAULTS`, by fastText's names.

    Raises:
        ValueError: a setting that fastText does not have, or examples that it cannot learn from.
    """
    if unknown := sorted(settings.keys() - SUPERVISED_DEFAULTS.keys()):
        raise ValueError(
            f"unknown setting {unknown[0]!r}; known: {', '.join(sorted(SUPERVISED_DEFAULTS))}"
        )
    values = {**SUPERVISED_DEFAULTS, **settings}
    try:
        # More threads write to the same vectors at the same time, and no two runs are equal.
        trained = fasttext.train_supervised(
            input=str(examples), thread=1, seed=seed, verbose=0, label=LABEL_PREFIX, **values
        )
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{examples}: fastText cannot learn from it ({error})") from None
    if len(trained.labels) < 2:
        raise ValueError(
            f"{examples}: fewer than two labels; give lines such as '{LABEL_PREFIX}NAME some text'"
        )
    trained.save_model(str(model))
