"""Checks that an adapter saved by OpenFedLLM is one that PEFT loads, with the same tensors and the same scale.

  python check_peft_adapter.py MODEL_DIR ADAPTER_DIR

MODEL_DIR is the base model's Hugging Face folder. Fails if PEFT warns about missing or unexpected keys, if any LoRA tensor
in the loaded model differs in a bit from the one in adapter_model.safetensors, if the two do not have the same
tensors, or if the adapter changes no logit although some B is not zero. Needs torch, transformers, peft, safetensors.
"""
import json
import os
import sys
import warnings

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main(model_dir, adapter_dir):
    warnings.simplefilter("error")
    saved = load_file(os.path.join(adapter_dir, "adapter_model.safetensors"))
    config = json.load(open(os.path.join(adapter_dir, "adapter_config.json")))
    base = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    ids = torch.arange(3, 19)[None]
    with torch.no_grad():
        before = base(input_ids=ids).logits
    model = PeftModel.from_pretrained(base, adapter_dir)
    model.eval()
    loaded = {n.replace(".default", ""): p for n, p in model.named_parameters() if "lora_" in n}
    assert loaded.keys() == saved.keys(), sorted(loaded.keys() ^ saved.keys())
    for name, tensor in saved.items():
        assert tensor.dtype == torch.float32 and torch.equal(loaded[name], tensor), name
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"])
    scales = {m.scaling["default"] for m in model.modules() if "default" in (getattr(m, "lora_A", None) or {})}
    assert scales == {scale}, (scales, scale)
    with torch.no_grad():
        change = (model(input_ids=ids).logits - before).abs().max().item()
    trained = any(t.abs().max() > 0 for n, t in saved.items() if "lora_B" in n)
    assert (change > 0) == trained, change
    print(f"{len(saved)} tensors equal, scale {scale}, largest change of a logit {change:.4g}")


main(sys.argv[1], sys.argv[2])
