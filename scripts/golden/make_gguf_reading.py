"""What the Python package gguf of llama.cpp reads: test/golden/gguf-reading.json.

    python scripts/golden/make_gguf_reading.py test/golden/gguf-reading.json

`blocks` has stored bytes of each type and the float32 numbers that gguf.quants.dequantize makes of them, both in hex. The bytes
are random; scales are finite. `file` is a whole small file by GGUFWriter, with a value of every kind in its metadata.
"""

import json
import sys
import tempfile

import gguf
import numpy as np

random = np.random.default_rng(13)
# Type, byte offsets of its float16 scales in a block.
TYPES = {"F16": None, "BF16": None, "Q8_0": [0], "Q4_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}

blocks = {}
for name, scales in TYPES.items():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if scales is None:
        values = (random.standard_normal(64) * 10.0 ** random.integers(-6, 4, 64)).astype(np.float32)
        stored = gguf.quants.quantize(values, kind).view(np.uint8).reshape(-1)
    else:
        stored = random.integers(0, 256, (5, size), dtype=np.uint8)
        for at in scales:
            drawn = (random.standard_normal(5) * 10.0 ** random.integers(-5, 1, 5)).astype(np.float16)
            stored[:, at : at + 2] = drawn.view(np.uint8).reshape(5, 2)
        stored = stored.reshape(-1)
    values = gguf.quants.dequantize(stored, kind).astype(np.float32)
    blocks[name] = {"stored": stored.tobytes().hex(), "values": values.tobytes().hex()}

with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
    writer = gguf.GGUFWriter(file.name, "llama")
    for kind, value in dict(uint8=200, int8=-3, uint16=60000, int16=-300, uint32=4000000000, int32=-70000, uint64=2**40,
                            int64=-(2**40), float32=0.1, float64=0.1, bool=True, string="Größe").items():
        getattr(writer, f"add_{kind}")(f"test.{kind}", value)
    writer.add_array("test.texts", ["a", "bc", ""])
    writer.add_array("test.numbers", [1, 2, 3])
    first = np.arange(12, dtype=np.float32).reshape(3, 4)
    second = gguf.quants.quantize(random.standard_normal((2, 64)).astype(np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("first", first)
    writer.add_tensor("second", second, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    whole = open(file.name, "rb").read()

with open(sys.argv[1], "w") as file:
    json.dump({"blocks": blocks, "file": whole.hex(), "second": second.tobytes().hex()}, file, indent=1)
    file.write("\n")
