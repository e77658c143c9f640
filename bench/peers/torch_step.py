"""The training step of bench/step.mjs in PyTorch with transformers and PEFT; the same line protocol as step-worker.mjs.

  python torch_step.py '{"model": DIR, "batch": 8, "length": 512, "rank": 8, "supervised": 0.3, "threads": 2, "checkpointing": false}'
"""
import json
import resource
import sys
import time

import torch
import transformers
from peft import LoraConfig, get_peft_model

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
torch.manual_seed(1)
transformers.logging.set_verbosity_error()
model = transformers.AutoModelForCausalLM.from_pretrained(options["model"], dtype=torch.float32)
model.config.use_cache = False
if options["checkpointing"]:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.enable_input_require_grads()
rank = options["rank"]
model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
model.train()
batch, length = options["batch"], options["length"]
ids = torch.randint(3, model.config.vocab_size, (batch, length))
labels = ids.clone()
labels[:, : round(length * (1 - options["supervised"]))] = -100
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=1e-4, weight_decay=0.0)


def step():
    started = time.perf_counter()
    optimizer.zero_grad()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    ms = (time.perf_counter() - started) * 1000
    return dict(ms=ms, loss=loss.item(), peakMemoryMB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak(n=2048):
    a, b = torch.randn(n, n), torch.randn(n, n)
    started = time.perf_counter()
    a @ b
    return dict(gflops=2 * n**3 / (time.perf_counter() - started) / 1e9)


print(json.dumps(dict(ready=True, torch=torch.__version__, transformers=transformers.__version__)), flush=True)
for line in sys.stdin:
    command = line.strip()
    if command == "quit":
        break
    print(json.dumps(peak() if command == "peak" else step()), flush=True)
