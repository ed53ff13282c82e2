"""A rank that scores and generates in several layouts, for `test_scoring`.

    python score_worker.py DIRECTORY

Rank 0 writes what it got to ``result.json`` in the directory.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch

from tests.trainer import tiny
from tokenizer.model import Tokenizer
from trainer import parallel
from trainer.checkpoint import load_weights
from trainer.generate import Sampling
from trainer.parallel import World, build_model
from trainer.scoring import Prompt, Row, asking
from trainer.sections import Config

CHECKPOINT = "run/ckpt/step-00000008"
LAYOUTS = {
    "dp": [],
    "documents": ["data.doc_mask=true"],
    "replicate": ["parallel.replicate=2"],
    "tensor": ["parallel.tensor=2"],
    "tensor-documents": ["parallel.tensor=2", "data.doc_mask=true"],
}
GREEDY = Sampling(temperature=0)


def rows() -> list[Row]:
    """Make more rows than fit into a request, of 2 ids to all that the model can see."""
    return [
        Row([1, *((7 * number + place) % 500 for place in range(1 + number % 32))], 1 + number % 2)
        for number in range(1, 90)
        if number % 32
    ]


def prompts() -> list[Prompt]:
    """Make prompts of several lengths, greedy and drawn; their number is odd."""
    texts = [[1], [1, 40, 50, 60, 70, 80], [1, 44, 55], [1, *range(20, 44)], [1, 99, 98]]
    drawn = Sampling(temperature=1.0, seed=3)
    return [Prompt(ids, 6, (), drawn if len(ids) == 3 else GREEDY) for ids in texts]


def answers(config: Config, world: World, checkpoint: Path) -> dict[str, Any]:
    """Score and generate with a checkpoint; rank 0 gets the answers."""
    model, _ = build_model(config, world)
    load_weights(checkpoint, model)
    found: dict[str, Any] = {}
    with asking(model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        if scorer:
            found = {"scores": scorer.score(rows()), "texts": scorer.generate(prompts())}
    assert model.training
    return found


def main() -> None:
    """Go through the layouts."""
    root = Path(sys.argv[1])
    torch.set_num_threads(1)
    world = parallel.start()
    overrides = json.loads((root / "overrides.json").read_text())
    result = {}
    for name, layout in LAYOUTS.items():
        config = tiny.small([*overrides, *layout])
        arranged = parallel.arrange(config.parallel)
        result[name] = answers(config, arranged, root / CHECKPOINT)
    if world.rank == 0:
        (root / "result.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # gloo's threads outlive the group


if __name__ == "__main__":
    main()
