"""Makes test/golden/shuffles.json: shuffles of CPython's random and of NumPy, and the split of `datasets`.

    python scripts/golden/make_shuffles.py     (NumPy 2.4, datasets 5.0; older NumPy gives the same)
"""

import json
import random
from pathlib import Path

import datasets
import numpy as np

datasets.disable_progress_bars()


def python_shuffles(seed: int) -> list[list[int]]:
    generator = random.Random(seed)
    lists = [list(range(n)) for n in (3, 4, 10, 700, 2)]
    for each in lists:
        generator.shuffle(each)
    return lists


def split(rows: int, share: float, seed: int) -> dict:
    parts = datasets.Dataset.from_dict({"i": list(range(rows))}).train_test_split(share, seed=seed)
    return {"rows": rows, "share": share, "seed": seed, "test": list(parts["test"]["i"]), "train": list(parts["train"]["i"])}


golden = {
    "versions": {"numpy": np.__version__, "datasets": datasets.__version__},
    "python": {str(seed): python_shuffles(seed) for seed in (0, 1, 42, 4294967295)},
    "numpy": [
        {"seed": seed, "order": np.random.default_rng(seed).permutation(n).tolist()}
        for seed, n in ((42, 1), (42, 2), (42, 10), (0, 33), (2023, 257), (4294967295, 64))
    ],
    "splits": [split(11, 0.25, 42), split(53, 0.226, 42), split(40, 0.25, 7)],
    # Of FinGPT's FPB split, its size and beginning are enough.
    "phrasebank": {"size": 1212, "first": split(4846, 0.25, 42)["test"][:12]},
}
path = Path(__file__).parents[2] / "test" / "golden" / "shuffles.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
