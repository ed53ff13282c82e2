"""A run in steps, microbatches and sequences, exactly or not at all (trainer spec, section 3)."""

from dataclasses import dataclass

from trainer.config import Config, ConfigError, total_steps


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A step's share for each data rank."""

    data_ranks: int
    micro_batch: int  # sequences
    accumulation: int  # microbatches a rank runs in a step
    batch_sequences: int  # sequences of a step, over all ranks
    steps: int
    context: int  # tokens

    @property
    def sequences(self) -> int:
        """Sequences of the whole run."""
        return self.steps * self.batch_sequences


def plan_batch(config: Config, data_ranks: int) -> BatchPlan:
    """Cut the run into steps, microbatches and sequences for ``data_ranks`` ranks.

    Raises:
        ConfigError: a division leaves a rest; the message gives the nearest values without one.
    """
    context, train = config.model.context, config.train
    unit = context * data_ranks * train.micro_batch  # tokens of one microbatch over all ranks
    if train.batch_tokens % unit:
        below = train.batch_tokens // unit * unit
        legal = " or ".join(f"{tokens:_}" for tokens in (below, below + unit) if tokens)
        sequences, rest = divmod(train.batch_tokens, context * data_ranks)
        micro = [n for n in range(1, sequences + 1) if not rest and sequences % n == 0]
        micro = sorted(sorted(micro, key=lambda n: abs(n - train.micro_batch))[:2])
        either = f", or train.micro_batch = {' or '.join(map(str, micro))}" if micro else ""
        raise ConfigError(
            f"train.batch_tokens = {train.batch_tokens:_} is no multiple of {unit:_} (model.context"
            f" {context} x {data_ranks} data ranks x train.micro_batch {train.micro_batch}); "
            f"nearest: train.batch_tokens = {legal}{either}"
        )
    batch_sequences = train.batch_tokens // context
    return BatchPlan(
        data_ranks=data_ranks,
        micro_batch=train.micro_batch,
        accumulation=train.batch_tokens // unit,
        batch_sequences=batch_sequences,
        steps=total_steps(config),
        context=context,
    )
