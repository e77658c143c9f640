"""Golden numbers for records as other programs write them.

    python scripts/golden/make_records.py test/golden/chatml

Each case is a row of a file, and what the model should be shown of it: the text that transformers' apply_chat_template
writes (or the plain text), the log-probability of the learnt tokens (float32), and their number. Which turns are learnt is
written here by hand, from the documentation of the program that the form is named after. A turn is learnt from the end of
its generation prompt through its end-of-turn token.
"""

import json
import pathlib
import sys

import torch
import transformers

folder = pathlib.Path(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

TOOL_TEMPLATE = (
    "{% if place %}{{ '<|im_start|>place\n' + place + '<|im_end|>\n' }}{% endif %}"
    "{% if tools %}<|im_start|>tools{% for tool in tools %}{{ '\n' + tool | tojson }}{% endfor %}{{ '<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.name %}[{{ message.name }}] {% endif %}"
    "{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}"
    "{% if message.content %}{{ message.content }}{% endif %}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}"
    "<call>{{ call.function.name }} {{ call.function.arguments | tojson }}</call>{% endfor %}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def say(role, content, **more):
    return {"role": role, "content": content, **more}


WEATHER = {"name": "weather", "description": "The weather of a city.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
FUNCTION = {"type": "function", "function": WEATHER}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Bern"}}}
ASK = say("user", "Is it wet in Bern?")

# name: (row, messages as transformers gets them, indices of the learnt turns, further arguments)
CASES = {
    "openai weight": (
        {"messages": [say("user", "2+2?"), say("assistant", "Five.", weight=0), say("user", "No."), say("assistant", "Four.", weight=1)]},
        [say("user", "2+2?"), say("assistant", "Five."), say("user", "No."), say("assistant", "Four.")], [3], {}),
    "axolotl train": (
        {"conversations": [{"from": "system", "value": "Count.", "train": False}, {"from": "human", "value": "2+2?", "train": False}, {"from": "gpt", "value": "Four.", "train": True}, {"from": "human", "value": "And 3?"}, {"from": "gpt", "value": "Nine.", "train": "False"}]},
        [say("system", "Count."), say("user", "2+2?"), say("assistant", "Four."), say("user", "And 3?"), say("assistant", "Nine.")], [2], {}),
    "llama-factory alpaca": (
        {"system": "You are terse.", "history": [["Which country has no coast?", "Switzerland."]], "instruction": "And its capital?", "input": "", "output": "Bern."},
        [say("system", "You are terse."), say("user", "Which country has no coast?"), say("assistant", "Switzerland."), say("user", "And its capital?"), say("assistant", "Bern.")], [2, 4], {}),
    "llama-factory sharegpt": (
        {"system": "Speak like a pirate.", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Arr."}]},
        [say("system", "Speak like a pirate."), say("user", "Hi"), say("assistant", "Arr.")], [2], {}),
    "trl prompt-completion": (
        {"prompt": [say("user", "Hi"), say("assistant", "Hello."), say("user", "The sky is")], "completion": [say("assistant", "blue.")]},
        [say("user", "Hi"), say("assistant", "Hello."), say("user", "The sky is"), say("assistant", "blue.")], [3], {}),
    "trl text": ({"text": "A river is water that flows to the sea."}, "A river is water that flows to the sea.", None, {}),
    "openai tools": (
        {"messages": [ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", **CALL}]}, say("tool", "Rain.", tool_call_id="c1", name="weather"), say("assistant", "Yes, rain.", reasoning_content="The tool says so.")], "tools": [FUNCTION]},
        [ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", **CALL}]}, say("tool", "Rain.", tool_call_id="c1", name="weather"), say("assistant", "Yes, rain.", reasoning_content="The tool says so.")], [1, 3],
        {"tools": [FUNCTION], "chat_template": TOOL_TEMPLATE}),
    "sharegpt tools": (
        {"conversations": [{"from": "human", "value": "Is it wet in Bern?"}, {"from": "function_call", "value": json.dumps(CALL["function"])}, {"from": "observation", "value": "Rain."}, {"from": "gpt", "value": "Yes."}], "tools": json.dumps([WEATHER])},
        [ASK, say("assistant", "", tool_calls=[CALL]), say("tool", "Rain."), say("assistant", "Yes.")], [1, 3],
        {"tools": [FUNCTION], "chat_template": TOOL_TEMPLATE}),
    "trl tools and template variables": (
        {"prompt": [say("developer", "Be quick."), ASK], "completion": [say("assistant", "", tool_calls=[CALL])], "tools": json.dumps([FUNCTION]), "chat_template_kwargs": {"place": "Bern"}},
        [say("developer", "Be quick."), ASK, say("assistant", "", tool_calls=[CALL])], [2],
        {"tools": [FUNCTION], "chat_template": TOOL_TEMPLATE, "place": "Bern"}),
    "openai old functions": (
        {"messages": [ASK, say("function", "Rain.", name="weather"), say("assistant", "Yes.")]},
        [ASK, say("function", "Rain.", name="weather"), say("assistant", "Yes.")], [2], {"chat_template": TOOL_TEMPLATE}),
}


def spans(messages, text, learnt, options):
    for turn in learnt:
        before = tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True, **options)
        assert text.startswith(before), turn
        yield len(before), text.index("<|im_end|>", len(before)) + len("<|im_end|>")


def score(text, learnt):
    ids = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens = torch.tensor([ids["input_ids"]])
    with torch.no_grad():
        logprobs = torch.log_softmax(model(tokens).logits[0].double(), -1)
    total, count = 0.0, 0
    for i, (start, end) in enumerate(ids["offset_mapping"]):
        if i > 0 and any(start < b and end > a for a, b in learnt):
            total += logprobs[i - 1, tokens[0, i]].item()
            count += 1
    return {"logprob": round(total, 6), "tokens": count}


results = []
for name, (row, messages, learnt, options) in CASES.items():
    if learnt is None:
        text = messages + tokenizer.eos_token
        assert tokenizer(text)["input_ids"] == tokenizer(text, add_special_tokens=False)["input_ids"]
        marked = [(0, len(text))]
    else:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
        marked = list(spans(messages, text, learnt, options))
    template = options.get("chat_template")
    results.append({"name": name, "row": row, **({"tools_template": True} if template else {}), "text": text, **score(text, marked)})

made_with = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
out = {"made_with": made_with, "tools_template": TOOL_TEMPLATE, "cases": results}
(folder / "records.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
