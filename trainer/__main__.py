"""Train a LLaMA on token shards, and use it.

    python -m trainer CONFIG [section.key=value ...]
    torchrun --nproc-per-node 8 -m trainer CONFIG [section.key=value ...]

CONFIG is a TOML file, or the name of a preset, such as debug or llama_7b. The command keys lists
the keys that a CONFIG may have. Without the name of a command it trains.
"""

import os
import re
import sys
from collections.abc import Sequence

from tokenizer.commandline import command_line, run

# Threads of OpenMP that wait for one another spin, which takes the processor from the very thread
# that they wait for if anything else runs beside. The library reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

COMMANDS = (
    ("train", "train a model, or go on with it", "llama_7b data.shards=tokens run.dir=runs/7b"),
    ("inspect", "show which documents a step read", "runs/7b --step 100"),
    ("evaluate", "score a checkpoint on held-out documents or tasks", "runs/7b --tasks mmlu"),
    ("instruct", "tune a model on prompts with responses", "runs/7b examples.jsonl runs/7b-i"),
    ("ablate", "train small models on several data sets, and compare them", "ablation.toml"),
    ("export", "write a checkpoint for transformers, or in Meta's layout", "runs/7b exported"),
    ("generate", "write on after a prompt", "runs/7b --prompt 'The history of'"),
    ("bench", "measure the speed of this device, kernel by kernel", "llama_7b"),
    ("keys", "print every key with its default, unit and meaning", ""),
)


def main(argv: Sequence[str] | None = None, name: str = "python -m trainer") -> int:
    """Run a command and return the exit code; a first word that is no command is a CONFIG.

    A key of a configuration may be set like a flag, as ``--optim.lr=3e-4``.
    """
    words = [
        word.removeprefix("--") if re.match(r"--\w+\.\w+(=|$)", word) else word
        for word in (sys.argv[1:] if argv is None else argv)
    ]
    if words and not words[0].startswith("-") and words[0] not in {c[0] for c in COMMANDS}:
        words.insert(0, "train")
    here = os.environ.get("RANK", "0")
    app = command_line(name, __doc__, "trainer.commands", COMMANDS)
    return run(app, words, where="" if here == "0" else f" on rank {here}")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without finalizing, for the reason that `trainer.parallel.stop` gives
