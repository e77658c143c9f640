"""What bench/generate.mjs measures, by transformers' generate with a PEFT adapter; the protocol of generate-worker.mjs.

  python torch_generate.py '{"model": DIR, "prompt": 128, "tokens": 64, "rank": 8, "threads": 1}'
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
rank, tokens = options["rank"], options["tokens"]
model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
model.eval()


class Clock(transformers.StoppingCriteria):
    """Notes when the first token was there."""

    first = None

    def __call__(self, input_ids, scores, **_):
        self.first = self.first or time.perf_counter()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


@torch.inference_mode()
def generate(batch):
    ids = torch.randint(3, model.config.vocab_size, (batch, options["prompt"]))
    clock = Clock()
    started = time.perf_counter()
    model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens,
                   eos_token_id=None, pad_token_id=0, stopping_criteria=transformers.StoppingCriteriaList([clock]))
    ended = time.perf_counter()
    return dict(promptMs=(clock.first - started) * 1000, decodeMs=(ended - clock.first) * 1000,
                peakMemoryMB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


matrix = []


@torch.inference_mode()
def bandwidth(width=8192, height=4096):
    if not matrix:
        matrix.extend([torch.ones(height, width), torch.ones(width)])
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        torch.mv(*matrix)
        best = min(best, time.perf_counter() - started)
    return dict(gbPerSecond=4 * width * height / best / 1e9)


def say(value):
    print(json.dumps(value), flush=True)


say(dict(ready=True, torch=torch.__version__, transformers=transformers.__version__))
for line in sys.stdin:
    command, *arguments = line.split()
    if command == "generate":
        say(generate(int(arguments[0])))
    elif command == "bandwidth":
        say(bandwidth())
    else:
        break
