import { bind } from "../arguments.ts";
import type { Args, Env, Value } from "../values.ts";

/** A filter: a function of the value before `|` and the arguments in brackets. */
export type Filter = (value: Value, given: Args, env: Env) => Value;

/** Makes a filter with a signature as `bind` reads it. */
export function filter(
  name: string,
  signature: string,
  apply: (value: Value, given: readonly (Value | undefined)[], env: Env) => Value,
): readonly [string, Filter] {
  return [name, (value, given, env) => apply(value, bind(name, signature, given), env)];
}
