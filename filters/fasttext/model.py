"""fastText models: load, predict, train.

This is the only module that imports fasttext. It avoids two functions of that package:
`load_model` prints a warning, and `predict` fails on numpy 2.

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

# The defaults of the command `fasttext supervised` (docs/rules/web.md 8.2, item 4).
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
            the label and its probability, or None if the model knows neither a word of the line
            nor the line end.

        Raises:
            ValueError: the line has a "\n", after which fastText would silently read no further.
        """
        if "\n" in line:
            raise ValueError("fastText reads one line: replace line ends first")
        if self._fast_top is None:
            return self.slow_top(line)
        try:
            best = self._fast_top(line.encode("utf-8"))
        except (UnicodeEncodeError, FloatingPointError):  # rare, and fastText handles it
            return self.slow_top(line)
        return None if best is None else (self.labels[best[0]], best[1])

    def slow_top(self, line: str) -> tuple[str, float] | None:
        """Return the answer of fastText itself, in the form of `top`."""
        predictions = self._predict(without_surrogates(line) + "\n", 1, 0.0, "strict")
        if not predictions:
            return None
        [(probability, label)] = predictions
        return label.removeprefix(LABEL_PREFIX), probability


def load_fasttext(path: str | Path) -> FastTextModel:
    """Load a supervised model, ``.bin`` or ``.ftz``.

    Raises:
        ValueError: the file is not such a model.
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
    """Train a supervised model and write it to a file, with the same bytes each time.

    Args:
        examples: a UTF-8 file with one example per line: ``__label__NAME`` and its text.
        model: path of the file to write.
        seed: seed of the initial vectors and of negative sampling.
        settings: replace those of `SUPERVISED_DEFAULTS`, by fastText's names.

    Raises:
        ValueError: fastText does not have a setting, or cannot be trained on the examples.
    """
    if unknown := sorted(settings.keys() - SUPERVISED_DEFAULTS.keys()):
        raise ValueError(
            f"unknown setting {unknown[0]!r}; known: {', '.join(sorted(SUPERVISED_DEFAULTS))}"
        )
    values = {**SUPERVISED_DEFAULTS, **settings}
    try:
        # Several threads would write to the same vectors, and no two runs would be equal.
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
