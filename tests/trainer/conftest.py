"""What tests of the trainer share: a tiny corpus, and a process group of one.

What the trainer promises (docs/rules/trainer.md 13), and where it is tested:

=====================  =============================================================================
counts, widths, FLOPs  test_model ..parameters_are_counted_on_the_meta_device, test_config ..sizes
it is LLaMA            test_model ..later_tokens.., ..rotation.., ..norm..; test_export
                       ..those_of_transformers, ..of_transformers_loads, ..complex_pairs,
                       ..bit_for_bit
initial weights        test_initial; the same for every layout: test_parallel ..begins_with_the..
sampling               test_generate ..kept_keys.., ..cached_equals.., ..a_seed_repeats..
a step's documents     test_trace ..what_the_loader_reads, ..those_of_the_tokens
loss in chunks         test_loss; split over ranks: test_parallel [tensor], [tensor-z]
attention backends     test_attention; documents also test_parallel [tensor-documents]
1 rank = 2 ranks       test_parallel ..every_layout_begins.., ..train_as_one [dp, bfloat16]
accumulation           test_train ..accumulation_is_exact, test_parallel [one-reduction]
HSDP, TP               test_parallel [replicate], [tensor..]; four ranks (slow)
recomputation          test_parallel ..recomputation_changes_no_bit, ..repeats_what_it_says
resume                 test_checkpoint ..resuming_equals_not_stopping, ..asynchronous_save..
kill -9 in a save      test_parallel ..a_kill_during_a_save_loses_nothing
saves change nothing   test_checkpoint ..before_the_first_update.., ..waits_until_weights_are..
cut checkpoint         test_checkpoint ..passed_over.., ..asked_for_or_alone..
other layout           test_parallel ..goes_on_in_another_layout, ..of_two_ranks_loads_on_one
order of the data      test_data ..ten_thousand.., ..does_not_depend_on_ranks, ..reading_ahead..;
                       permutation and shares: tests/mixtures/test_order
learning rate          test_optim ..rates_are_exact, ..half_a_cosine
stop                   test_stop; test_parallel ..a_signal_to_one_rank.., ..torchrun_restarts..
not finite, spikes     test_train ..without_a_finite_loss.., ..too_many_bad_steps.., ..a_spike..
failures               hung rank: test_parallel ..does_not_come..; died rank: ..torchrun_restarts..;
                       memory: test_train ..running_out_of_memory..; full disk, wrong latest, NaN in
                       a checkpoint: test_checkpoint
compile                test_train ..compiled_blocks.., test_parallel ..more_layouts.. (slow)
learning               test_train ..it_learns; test_evaluate ..context_teaches_more..
tasks                  test_scoring ..layouts_of_two_ranks.., test_tasks ..scores_of_its_export
instruction tuning     test_instruct ..prompts_carry_no_loss.., ..it_learns_and_is_a_run_as_others
ablation               test_ablate ..arms_differ_in_data_alone, ..compared_on_the_same_text
on an accelerator      tests/gpu/test_trainer
energy, MFU            test_metrics
what is measured       test_bench: the loop of training, eager and compiled; what auto then does
many ranks             test_environment ..two_thousand_ranks.., ..store_can_serve..;
                       test_initial ..own_rows_only
keys and their page    test_config, test_main ..every_key_is_on_the_page
=====================  =============================================================================
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainer import tiny
from trainer import parallel
from trainer.parallel import World


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """Give the overrides that lead to the corpus of ``write_corpus``."""
    return tiny.write_corpus(tmp_path)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Join a process group of one."""
    torch.set_num_threads(1)
    yield parallel.start()
    parallel.stop()
