"""Inverse frequencies and factors of cosines and sines as transformers computes them: test/golden/rotary.json.

  python scripts/golden/make_rotary.py test/golden/rotary.json

Each case has the keys of config.json that a model with heads of 16 gets, the frequencies and the factor, and for longrope the
frequencies of sequences longer than the original length too.
"""
import json, sys
import transformers as tf
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

tf.logging.set_verbosity_error()
sizes = dict(vocab_size=96, hidden_size=64, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
lists = dict(short_factor=[1 + 0.05 * i for i in range(8)], long_factor=[1.5 + 1.7 * i for i in range(8)])
CASES = {
    "linear": dict(rope_scaling=dict(type="linear", factor=2.5)),
    "dynamic": dict(rope_scaling=dict(rope_type="dynamic", factor=4.0), rope_theta=5e5),
    "yarn": dict(rope_theta=1e6, max_position_embeddings=131072,
                 rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32768)),
    "yarn with every key": dict(max_position_embeddings=4096, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=8.0, original_max_position_embeddings=512, beta_fast=20, beta_slow=2,
        mscale=0.7, mscale_all_dim=1.3, truncate=False)),
    "yarn with its factor": dict(max_position_embeddings=4096, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=8.0, original_max_position_embeddings=512, attention_factor=0.8)),
    "yarn whose original length stands outside": dict(max_position_embeddings=4096, original_max_position_embeddings=1024,
        rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=256)),
    "longrope": dict(max_position_embeddings=8192, original_max_position_embeddings=2048,
                     rope_scaling=dict(rope_type="longrope", **lists)),
    "longrope with factors": dict(max_position_embeddings=8192, rope_parameters=dict(
        rope_type="longrope", rope_theta=2e4, factor=3.0, original_max_position_embeddings=1024, **lists)),
}
out = {}
for name, keys in CASES.items():
    config = tf.LlamaConfig(**sizes, **json.loads(json.dumps(keys)))
    config.standardize_rope_params()
    make = ROPE_INIT_FUNCTIONS[config.rope_parameters["rope_type"]]
    frequencies, factor = make(config, "cpu")
    out[name] = dict(config=keys, frequencies=frequencies.tolist(), factor=factor)
    if "longrope" in name:
        original = config.rope_parameters["original_max_position_embeddings"]
        out[name] |= dict(long=make(config, "cpu", seq_len=original + 1)[0].tolist(), beyond=original)
with open(sys.argv[1], "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
