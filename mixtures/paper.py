"""Table 1 of the LLaMA paper (arXiv:2302.13971v1, section 2.1), and what follows from it.

The paper prints the share of each source in the training tokens, and the epochs that this makes
when training on 1.4 T tokens. Unique tokens follow: share x 1.4 T / epochs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

PAPER_TOKENS = 1_400_000_000_000  # training tokens that Table 1's epochs are for


@dataclass(frozen=True, slots=True)
class PaperSource:
    """A row of Table 1, beside the same source of RedPajama v1."""

    share: Fraction  # "Sampling prop.", of the training tokens
    epochs: Fraction  # "Epochs", at 1.4 T tokens
    redpajama_tokens: int  # GPT-NeoX's tokenizer: the right size, not the same count

    @property
    def unique_tokens(self) -> int:
        """Tokens in one epoch, which the paper does not print (LLaMA's tokenizer)."""
        return round(self.share * PAPER_TOKENS / self.epochs)


def _row(percent: str, epochs: str, redpajama_billions: int) -> PaperSource:
    return PaperSource(Fraction(percent) / 100, Fraction(epochs), redpajama_billions * 10**9)


TABLE_1: Mapping[str, PaperSource] = MappingProxyType(
    {
        "commoncrawl": _row("67.0", "1.10", 878),
        "c4": _row("15.0", "1.06", 175),
        "github": _row("4.5", "0.64", 59),
        "wikipedia": _row("4.5", "2.45", 24),
        "books": _row("4.5", "2.23", 26),
        "arxiv": _row("2.5", "1.06", 28),
        "stackexchange": _row("2.0", "1.03", 20),
    }
)
