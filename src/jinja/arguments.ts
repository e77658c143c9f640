import { fail } from "./fault.ts";
import { indexOf } from "./numbers.ts";
import { type Args, textOf, typeName, type Value } from "./values.ts";

/**
 * Puts the arguments of a call in the order of the parameters. A parameter is written `name` (required), `name=` (may be
 * left out, then undefined); those before `/` have no name, those after `*` only a name.
 *
 * @throws TemplateFault where Python raises a TypeError.
 */
export function bind(called: string, signature: string, given: Args): (Value | undefined)[] {
  const parsed = parsedSignature(signature);
  const { positional, named } = given;
  if (positional.length > parsed.positions) {
    fail(`${called}() takes at most ${parsed.positions} arguments (${positional.length} given)`);
  }
  const used = new Set<string>();
  const bound = parsed.parameters.map(({ name, required, nameless }, i) => {
    if (i < positional.length) {
      if (!nameless && named.has(name)) fail(`${called}() got two values for argument '${name}'`);
      return positional[i];
    }
    const value = nameless ? undefined : named.get(name);
    if (value !== undefined) used.add(name);
    else if (required) fail(`${called}() missing the argument '${name}'`);
    return value;
  });
  for (const name of named.keys())
    if (!used.has(name)) fail(`${called}() got an unexpected keyword argument '${name}'`);
  return bound;
}

interface Signature {
  readonly positions: number;
  readonly parameters: readonly { readonly name: string; readonly required: boolean; readonly nameless: boolean }[];
}

const signatures = new Map<string, Signature>();

function parsedSignature(signature: string): Signature {
  const known = signatures.get(signature);
  if (known !== undefined) return known;
  const parts = signature.split(" ").filter((part) => part !== "");
  const named = parts.indexOf("*");
  const list = parts.filter((part) => part !== "*");
  const nameless = list.indexOf("/");
  const parameters = list
    .filter((part) => part !== "/")
    .map((part, i) => ({ name: part.replace("=", ""), required: !part.endsWith("="), nameless: i < nameless }));
  const positions = named === -1 ? parameters.length : named - (nameless === -1 ? 0 : 1);
  const result = { positions, parameters };
  signatures.set(signature, result);
  return result;
}

/** An argument that has to be a text; None and left out are undefined where `optional`. */
export function textArgument(value: Value | undefined, called: string): string {
  const text = value === undefined ? undefined : textOf(value);
  return text ?? fail(`${called}() takes a str, not ${value === undefined ? "nothing" : typeName(value)}`);
}

export function optionalText(value: Value | undefined, called: string): string | undefined {
  return value === undefined || value === null ? undefined : textArgument(value, called);
}

/** An argument that has to be an integer, as a JavaScript number (huge ones are cut to 2**53). */
export function intArgument(value: Value | undefined, missing: number, called: string): number {
  if (value === undefined) return missing;
  const index = Number(indexOf(value, `an argument of ${called}()`));
  return Math.min(Math.max(index, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
