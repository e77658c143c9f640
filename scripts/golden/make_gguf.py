"""Writes what the Python package gguf of llama.cpp makes of numbers: test/golden/gguf.json.

    python scripts/golden/make_gguf.py test/golden/gguf.json
"""

import json
import sys

import gguf
import numpy as np

BLOCKS = {
    # Multiples of 1/512, which float32 holds exactly.
    "mixed": [((i * 7919) % 2003 - 1001) / 512 for i in range(96)],
    # The scale is 1, and every other number lies half-way between two.
    "ties": [127.0] + [(-1) ** i * (i + 0.5) for i in range(31)],
    "zeros": [0.0] * 32,
    # The scale is a subnormal float16.
    "tiny": [i * 2.0**-20 for i in range(32)],
}

out = {}
for name, values in BLOCKS.items():
    array = np.array(values, dtype=np.float32)
    quantized = gguf.quants.quantize(array, gguf.GGMLQuantizationType.Q8_0)
    out[name] = {"values": values, "q8_0": quantized.tobytes().hex()}
with open(sys.argv[1], "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
