"""Greedy continuations of the golden models with their adapters, made with transformers and peft.

  python make_generation.py GOLDEN_DIR FAMILY...      (folders that make_golden.py wrote)

Each family gets GOLDEN_DIR/FAMILY/generation.json:
  prompts    three lists of token ids of unequal length; the longest goes past Mistral's window of 8
  greedy     the 24 tokens transformers' generate puts after each, no token ends an answer
  penalized  the same with repetition_penalty 1.3
  margin     the smallest distance between the two largest logits on the way of `greedy`: what rounding must stay below
"""
import json, os, sys
import torch
import transformers as tf
from peft import PeftModel

NEW_TOKENS, PENALTY = 24, 1.3


def main(folder, families):
    for family in families:
        d = os.path.join(folder, family)
        base = tf.AutoModelForCausalLM.from_pretrained(os.path.join(d, "model"), dtype=torch.float32, attn_implementation="eager")
        model = PeftModel.from_pretrained(base, os.path.join(d, "adapter")).eval()
        torch.manual_seed(7 + sum(map(ord, family)))
        prompts = [torch.randint(3, base.config.vocab_size, (n,)).tolist() for n in (5, 13, 2)]
        margin = float("inf")

        def answer(prompt, **options):
            with torch.no_grad():
                out = model.generate(input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                                     do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=None, pad_token_id=0,
                                     return_dict_in_generate=True, output_logits=True, **options)
            return out.sequences[0, len(prompt):].tolist(), out.logits

        greedy, penalized = [], []
        for prompt in prompts:
            tokens, logits = answer(prompt)
            for row in logits:
                top = row[0].topk(2).values
                margin = min(margin, (top[0] - top[1]).item())
            greedy.append(tokens)
            penalized.append(answer(prompt, repetition_penalty=PENALTY)[0])
        json.dump(dict(prompts=prompts, greedy=greedy, penalty=PENALTY, penalized=penalized, margin=margin,
                       made_with=dict(torch=torch.__version__, transformers=tf.__version__)),
                  open(os.path.join(d, "generation.json"), "w"), indent=1)
        print(family, "margin", margin, [len(set(t)) for t in greedy])


main(sys.argv[1], sys.argv[2:])
