"""Answers in LaTeX, and what lm_eval's hendrycks_math (the authors' is_equiv and last_boxed_only_string) says of them.

    pip install lm_eval==0.4.13
    python scripts/golden/make_math_answers.py > test/golden/math-answers.json
"""

import importlib.util
import json
import random
import sys
import types
from pathlib import Path

# The functions alone: importing the whole package wants what they do not need.
package = Path(importlib.util.find_spec("lm_eval").submodule_search_locations[0])
sys.modules.setdefault("datasets", types.SimpleNamespace(Dataset=object))
source = importlib.util.spec_from_file_location("reference", package / "tasks/hendrycks_math/utils.py")
reference = importlib.util.module_from_spec(source)
source.loader.exec_module(reference)
is_equiv, last_boxed_only_string, remove_boxed = (
    reference.is_equiv, reference.last_boxed_only_string, reference.remove_boxed)

random.seed(7)

ATOMS = ["0.5", ".5", "7", "-3", "12", "x", "\\pi", "\\sqrt3", "\\sqrt{3}", "\\frac12", "\\frac{1}{2}", "\\tfrac34",
         "\\dfrac{3}{4}", "\\frac1{72}", "\\frac{1}72", "\\frac a{b}", "1/2", "-6/4", "a/b", "90^\\circ", "90^{\\circ}",
         "50\\%", "50%", "\\$18", "x=4", "k = 5", "area=9", "(1,\\,2)", "(1, 2)", "\\left(1, 2\\right)", "5\\text{ cm}",
         "5 \\text{ m}^2", "\\text{Evelyn}", "1,000", "1000", "2 .5", "{.5}", "\\!3", "3\\\\4", "\\sqrt5+\\sqrt{2}",
         "\\frac{\\sqrt3}2", "\\frac{\\sqrt{3}}{2}", "", "\\frac", "\\sqrt", "\\frac1", "y = \\frac12x", "3 + 4", "3+4"]

pairs = [(a, b) for a in ATOMS for b in ATOMS if random.random() < 0.12 or a == b]
NOISE = [" ", "\\!", "\n", "^\\circ", "\\%", "\\left", "\\right", "\\$", "."]
for _ in range(300):
    a = random.choice(ATOMS)
    b = a
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(b))
        b = b[:at] + random.choice(NOISE) + b[at:]
    pairs.append((a, b))

texts = ["So it is $\\boxed{4}$.", "\\boxed{1} and then \\boxed{\\frac{1}{2}}", "\\boxed 5", "\\fbox{7}", "none here",
         "\\boxed{unclosed", "\\boxed{a{b}c} tail", "First \\boxed{3}, no: \\fbox{4}.", "\\boxed{}", "$\\boxed 12$ is it"]


def boxed(text):
    found = last_boxed_only_string(text)
    if found is None:
        return None
    try:
        return remove_boxed(found)
    except AssertionError:
        return found[len("\\fbox{"):-1]


json.dump({
    "equal": [[a, b, bool(is_equiv(a, b))] for a, b in pairs],
    "boxed": [[text, boxed(text)] for text in texts],
}, sys.stdout, ensure_ascii=False, indent=0)
