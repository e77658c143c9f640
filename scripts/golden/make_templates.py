"""What transformers' Jinja set-up makes of expressions and of chat templates.

    python scripts/golden/make_templates.py test/golden/templates

Writes expressions.json (one small template each, in one context) and families.json (the templates under families/,
rendered over conversations). A template that ends with an error in Python has `"error": true` in place of `"text"`.
"""

import json
import platform
import sys
from datetime import datetime
from pathlib import Path

import jinja2
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


def write(file, value):
    file.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target / "expressions.json", expressions())
    write(target / "families.json", families(target / "families"))
