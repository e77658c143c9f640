"""What transformers' Jinja set-up makes of expressions and of chat templates.

    python scripts/golden/make_templates.py test/golden/templates

Writes expressions.json (one small template each, in one context), families.json (the templates under families/,
rendered over conversations) and named.json (which of several named templates is taken). A template that ends with an error in Python has `"error": true` in place of `"text"`.
"""

import json
import platform
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import jinja2
import tokenizers
import transformers
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

from template_cases import CONTEXT, CONVERSATIONS, SPECIAL_TOKENS, TEMPLATES



class FixedClock(datetime):
    """The clock of `strftime_now`: 29 November 2026, 09:05:07."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 29, 9, 5, 7)


chat_template_utils.datetime = FixedClock

MADE_WITH = {
    "python": platform.python_version(),
    "jinja2": jinja2.__version__,
    "transformers": transformers.__version__,
}


def rendered(template, **variables):
    try:
        return {"text": _compile_jinja_template(template).render(**variables)}
    except Exception as error:
        return {"error": type(error).__name__}


def expressions():
    context = json.loads(json.dumps(CONTEXT))
    cases = [{"template": template, **rendered(template, **context)} for template in TEMPLATES]
    for case in cases:
        # An address in memory is another one each time: nobody can be equal to it.
        if " at 0x" in case.get("text", ""):
            case["address"] = True
            del case["text"]
    return {"made_with": MADE_WITH, "context": context, "cases": cases}


def families(folder):
    out = []
    for file in sorted(folder.glob("*.jinja")):
        template = file.read_text()
        for name, conversation in CONVERSATIONS.items():
            given = json.loads(json.dumps(conversation))
            case = {"family": file.stem, "conversation": name}
            try:
                marked = "generation" in template and not given.get("continue_final_message", False)
                texts, marks = render_jinja_template(
                    conversations=[given["messages"]],
                    tools=given.get("tools"),
                    documents=None,
                    chat_template=template,
                    add_generation_prompt=given.get("add_generation_prompt", False),
                    continue_final_message=given.get("continue_final_message", False),
                    return_assistant_tokens_mask=marked,
                    **SPECIAL_TOKENS,
                    **given.get("variables", {}),
                )
                case["text"] = texts[0]
                if marks:
                    case["generations"] = marks[0]
            except Exception as error:
                case["error"] = type(error).__name__
            out.append(case)
    return {
        "made_with": MADE_WITH,
        "special_tokens": SPECIAL_TOKENS,
        "conversations": CONVERSATIONS,
        "cases": out,
    }


PLAIN, TOOLS, OTHER = ["{{ messages[0].content }} " + name for name in ("plain", "{{ tools | length }} tools", "other")]


def named():
    """Templates in tokenizer_config.json and in files of their own, with and without tools."""
    as_list = lambda **templates: [{"name": name, "template": text} for name, text in templates.items()]
    configs = [
        None,
        PLAIN,
        as_list(default=PLAIN, tool_use=TOOLS),
        as_list(tool_use=TOOLS, default=PLAIN),
        as_list(tool_use=TOOLS),
        as_list(rag=OTHER),
        as_list(rag=OTHER, tool_use=TOOLS),
        as_list(rag=OTHER, default=PLAIN),
        {"default": PLAIN, "tool_use": TOOLS},
    ]
    files = [{}, {"chatTemplate": OTHER}, {"chatTemplate": OTHER, "toolTemplate": TOOLS}, {"toolTemplate": TOOLS}]
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    cases = []
    for config in configs:
        for given in files:
            with tempfile.TemporaryDirectory() as folder:
                tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
                tokenizer.save(f"{folder}/tokenizer.json")
                settings = {"tokenizer_class": "PreTrainedTokenizerFast"}
                if config is not None:
                    settings["chat_template"] = config
                Path(folder, "tokenizer_config.json").write_text(json.dumps(settings))
                if "chatTemplate" in given:
                    Path(folder, "chat_template.jinja").write_text(given["chatTemplate"])
                if "toolTemplate" in given:
                    Path(folder, "additional_chat_templates").mkdir()
                    Path(folder, "additional_chat_templates", "tool_use.jinja").write_text(given["toolTemplate"])
                opened = transformers.AutoTokenizer.from_pretrained(folder)
            for tools in (None, [], [tool]):
                case = {"chat_template": config, **given, "tools": tools}
                try:
                    messages = [{"role": "user", "content": "hello"}]
                    case["text"] = opened.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True)
                except ValueError as error:
                    case["error"] = type(error).__name__
                cases.append(case)
    return {"made_with": MADE_WITH, "cases": cases}


def write(file, value):
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target / "expressions.json", expressions())
    write(target / "families.json", families(target / "families"))
    write(target / "named.json", named())
