import { fail } from "./fault.ts";
import { formatValue } from "./format-spec.ts";
import { ascii } from "./percent-format.ts";
import { repr, str } from "./text.ts";
import { orElse, type Args, type Env, type Value } from "./values.ts";

const DEEPEST = 2;

export interface Lookup {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

/** `text.format(…)`, or `text.format_map(…)` with the mapping's entries as named arguments. */
export function braceFormat(text: string, given: Args, lookup: Lookup, env: Env): string {
  let automatic: number | undefined = 0;
  const field = (name: string): Value => {
    const [, first, rest] = /^([^.[]*)([\s\S]*)$/.exec(name)!;
    let value: Value | undefined;
    if (first === "" || /^\d+$/.test(first!)) {
      const mixed = first === "" ? automatic === undefined : (automatic ?? 0) > 0;
      if (mixed) fail("automatic and manual numbering of fields are mixed");
      const index = first === "" ? automatic!++ : Number(first);
      if (first !== "") automatic = undefined;
      value = orElse(given.positional[index], () => fail(`no positional argument ${index} for the format`));
    } else value = orElse(given.named.get(first!), () => fail(`no argument '${first}' for the format`));
    const parts = /^(?:\.([^.[]+)|\[([^\]]+)\])/;
    for (let left = rest!; left !== "";) {
      const match = parts.exec(left);
      if (match === null) return fail(`the field '${name}' of a format`);
      const [all, attribute, key] = match;
      if (attribute !== undefined) value = lookup.attribute(value, attribute);
      else value = lookup.item(value, /^\d+$/.test(key!) ? BigInt(key!) : key!);
      left = left.slice(all.length);
    }
    return value;
  };
  const write = (format: string, depth: number): string => {
    if (depth > DEEPEST) fail("Max string recursion exceeded");
    let out = "";
    for (let at = 0; at < format.length;) {
      const c = format[at]!;
      if ((c === "{" || c === "}") && format[at + 1] === c) {
        out += c;
        at += 2;
      } else if (c === "}") fail("Single '}' encountered in format string");
      else if (c === "{") {
        const end = closing(format, at);
        out += replacement(format.slice(at + 1, end), depth);
        at = end + 1;
      } else {
        out += c;
        at++;
      }
      env.budget.step();
    }
    env.budget.make(out.length);
    return out;
  };
  const replacement = (inside: string, depth: number): string => {
    // A field's name may hold a colon within brackets only.
    const [, name, conversion, spec] = /^((?:[^!:[]|\[[^\]]*\])*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(inside) ?? [];
    if (name === undefined) return fail(`the field '${inside}' of a format`);
    let value = field(name);
    if (conversion !== undefined) {
      if (conversion === "r") value = repr(value);
      else if (conversion === "s") value = str(value);
      else if (conversion === "a") value = ascii(value);
      else fail(`Unknown conversion specifier '${conversion}'`);
    }
    return formatValue(value, spec === undefined ? "" : write(spec, depth + 1));
  };
  return write(text, 1);
}

function closing(format: string, open: number): number {
  let depth = 0;
  for (let at = open; at < format.length; at++) {
    if (format[at] === "{") depth++;
    else if (format[at] === "}" && --depth === 0) return at;
  }
  return fail("expected '}' before end of string");
}
