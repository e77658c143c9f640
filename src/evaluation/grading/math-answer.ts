/**
 * Finds the content of the last `\boxed{…}` or `\fbox{…}` (`\boxed 5` too), braces balanced; undefined where there is none.
 * As last_boxed_only_string and remove_boxed of github.com/hendrycks/math.
 */
export function lastBoxed(text: string): string | undefined {
  // The form without braces wins wherever it stands: the reference program looks for it first.
  const spaced = text.lastIndexOf("\\boxed ");
  if (spaced !== -1) return text.slice(spaced + 7).split("$")[0]!;
  const boxed = text.lastIndexOf("\\boxed");
  const at = boxed === -1 ? text.lastIndexOf("\\fbox") : boxed;
  if (at === -1) return undefined;
  const open = text.indexOf("{", at);
  if (open === -1) return undefined;
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return text.slice(open + 1, i);
  }
  return undefined;
}

/** Tells if two answers in LaTeX are the same in a normal form (is_equiv of github.com/hendrycks/math). */
export function sameMath(a: string, b: string): boolean {
  const [one, other] = [writtenAlike(a), writtenAlike(b)];
  return one === undefined || other === undefined ? a === b : one === other;
}

/**
 * Removes the parts that do not change a value: spaces, units, sizes of brackets, shorthand fractions. Undefined where the
 * reference program gives up (half a command at the end, two units, letters over a slash): such answers are compared as
 * written.
 */
function writtenAlike(answer: string): string | undefined {
  let text = answer.replaceAll("\n", "").replaceAll("\\!", "").replaceAll("\\\\", "\\");
  text = text
    .replaceAll("tfrac", "frac")
    .replaceAll("dfrac", "frac")
    .replaceAll("\\left", "")
    .replaceAll("\\right", "");
  text = text.replaceAll("^{\\circ}", "").replaceAll("^\\circ", "").replaceAll("\\$", "");
  const [value, ...units] = text.split("\\text{ ");
  if (units.length > 1) return undefined;
  text = value!.replaceAll("\\%", "").replaceAll(" .", " 0.").replaceAll("{.", "{0.");
  if (text === "") return "";
  if (text.startsWith(".")) text = `0${text}`;
  const sides = text.split("=");
  if (sides.length === 2 && sides[0]!.length <= 2) text = sides[1]!;
  if (text.endsWith("\\sqrt")) return undefined;
  text = text.replaceAll(/\\sqrt(?=[^{])([^])/g, "\\sqrt{$1}").replaceAll(" ", "");
  if (/\\frac(?:$|\\frac)/.test(text)) return undefined;
  text = withBraces(text);
  if (text === "0.5") text = "\\frac{1}{2}";
  const parts = text.split("/");
  if (parts.length !== 2) return text;
  if (!parts.every((part) => /^\s*[+-]?\d+\s*$/.test(part))) return undefined;
  const [above, below] = parts.map(Number);
  return `${above}/${below}` === text ? `\\frac{${above}}{${below}}` : text;
}

/** Adds the braces to `\frac12`, `\frac1{72}` and `\frac a{b}`; changes nothing where a fraction has a single character only. */
function withBraces(text: string): string {
  const [first, ...rest] = text.split("\\frac");
  if (rest.some((part) => part.length < 2 && !part.startsWith("{"))) return text;
  return rest.reduce((whole, part) => {
    if (part.startsWith("{")) return `${whole}\\frac${part}`;
    const below = part[1] === "{" ? part.slice(1) : `{${part[1]}}${part.slice(2)}`;
    return `${whole}\\frac{${part[0]}}${below}`;
  }, first!);
}
