"""The commands of ``python -m mixtures``."""

import json as jsons
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from mixtures.chart import write_chart
from mixtures.compare import difference_as_json, render_difference
from mixtures.mixture import Mixture, MixtureError, changed, load
from mixtures.plan import Plan, corpus_order, make_plan
from mixtures.render import as_json, render
from tokenizer.commandline import flags_of
from tokenizer.settings import setting

LLAMA_CONTEXT = 2048  # tokens

MixtureFile = Annotated[
    str, Parameter(help="a TOML file, or a bundled mixture: llama1, llama1_1t, demo")
]
Json = Annotated[bool, Parameter(help="print JSON, with exact fractions", negative="")]


@dataclass(frozen=True)
class RunFlags:
    """The shape of a training run."""

    context: int = setting(LLAMA_CONTEXT, at_least=1, help="tokens in a sequence")
    sequences: int | None = setting(
        None, at_least=1, help="length of the run; by default the mixture's budget"
    )


@dataclass(frozen=True)
class PlanFlags(RunFlags):
    """What a plan is made from."""

    tokens: str = setting(
        "", help="holds SOURCE/manifest.json for each source; by default the sizes of the paper"
    )
    assume: tuple[str, ...] = setting(
        (), help="unique tokens to plan with before they are there, such as books=28.5B"
    )
    set: tuple[str, ...] = setting(
        (), help="another weight, epochs or tokens of a source, as in books=0.06"
    )

    def changed(self, mixture: Mixture) -> Mixture:
        """Return the mixture with the amounts of --set."""
        return changed(mixture, dict(amounts(self.set)))

    def plan(self, mixture: Mixture) -> Plan:
        """Return the plan of a mixture."""
        return make_plan(
            mixture,
            Path(self.tokens) if self.tokens else None,
            context=self.context,
            sequences=self.sequences,
            assumed={name: int(size) for name, size in amounts(self.assume)},
        )


NO_PLAN_FLAGS, NO_RUN_FLAGS = PlanFlags(), RunFlags()


def plan(
    mixture: MixtureFile = "llama1",
    /,
    *,
    json: Json = False,
    flags: flags_of(PlanFlags) = NO_PLAN_FLAGS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Print weight, tokens and epochs of every source, beside the paper's."""
    result = flags.plan(flags.changed(load(mixture)))
    print(jsons.dumps(as_json(result), indent=1) if json else render(result))
    result.check()
    return 0


def diff(
    old: MixtureFile,
    new: MixtureFile = "",
    /,
    *,
    json: Json = False,
    flags: flags_of(PlanFlags) = NO_PLAN_FLAGS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Print what changes between two mixtures, or by changed amounts of one."""
    first = load(old)
    if not new and not flags.set:
        raise MixtureError("nothing to compare: give a second mixture, or --set SOURCE=AMOUNT")
    before = flags.plan(first)
    after = flags.plan(flags.changed(load(new) if new else first))
    if json:
        print(jsons.dumps(difference_as_json(before, after), indent=1))
    else:
        print(render_difference(before, after))
    return 0


def chart(
    mixture: MixtureFile,
    /,
    *,
    out: Annotated[str, Parameter(help="file to write, .svg")],
    flags: flags_of(PlanFlags) = NO_PLAN_FLAGS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Draw tokens and epochs of every source as SVG."""
    write_chart(flags.plan(flags.changed(load(mixture))), Path(out))
    print(f"wrote {out}")
    return 0


def validate(mixture: MixtureFile, /) -> int:
    """Check a mixture file by itself."""
    checked = load(mixture)
    sources = ", ".join(source.name for source in checked.sources)
    budget = "" if checked.tokens is None else f"; {checked.tokens:,} tokens"
    print(f"{checked.name} is valid: {checked.kind} of {sources}{budget}")
    return 0


def order(
    mixture: MixtureFile,
    /,
    *,
    tokens: Annotated[str, Parameter(help="holds SOURCE/manifest.json for each source")],
    first: Annotated[
        int, Parameter(name="--from", help="first sequence", validator=Number(gte=0))
    ] = 0,
    count: Annotated[
        int, Parameter(name=("--count", "-n"), help="lines", validator=Number(gte=1))
    ] = 10,
    flags: flags_of(RunFlags) = NO_RUN_FLAGS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Print where sequences of a run lie."""
    corpus = corpus_order(
        load(mixture), Path(tokens), context=flags.context, sequences=flags.sequences
    )
    corpus.order.locate(first)  # if that is an error, it comes before the heading
    source_width = max(map(len, ("source", *corpus.shards)))
    shard_width = max(len(name) for names in corpus.shards.values() for name in names)
    row = f"{{:>11}}  {{:{source_width}}}  {{:{shard_width}}}  {{:>8}}  {{:>12}}  {{:>5}}"
    print(row.format("sequence", "source", "shard", "window", "token_offset", "epoch"))
    for sequence in range(first, min(first + count, corpus.order.sequences)):
        at = corpus.order.locate(sequence)
        shard = corpus.shards[at.source][at.shard]
        print(row.format(sequence, at.source, shard, at.window, at.token_offset, at.epoch))
    return 0


def amounts(words: Iterable[str]) -> list[tuple[str, Fraction]]:
    """Read words like ``SOURCE=NUMBER``, in which a number may end in k, M, B or T.

    Raises:
        MixtureError: a word is not of this form.

    >>> amounts(["books=28.5B"])
    [('books', Fraction(28500000000, 1))]
    """
    return [_amount(word) for word in words]


def _amount(word: str) -> tuple[str, Fraction]:
    name, equals, number = word.partition("=")
    scale = {"k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(number[-1:], 1)
    try:
        value = Fraction(number[:-1] if scale > 1 else number) * scale
        if not equals or not name or value < 0:
            raise ValueError  # noqa: TRY301 - one message for all
    except (ValueError, ZeroDivisionError):
        raise MixtureError(f"expected SOURCE=NUMBER, such as books=28.5B, found {word!r}") from None
    return name, value
