import type { Groups } from "../tensor/groups.ts";
import { firstNonFinite, type Params, toFloat32 } from "../tensor/params.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";

function difference(group: string, params: Params, expected: Params): string | undefined {
  for (const name of params.keys()) if (!expected.has(name)) return `${group} has an unknown tensor ${name}`;
  for (const [name, { shape }] of expected) {
    const got = params.get(name)?.shape;
    if (got === undefined) return `${group} lacks the tensor ${name}`;
    if (!sameShape(got, shape)) return `${group}: ${name} is ${formatShape(got)}, expected ${formatShape(shape)}`;
  }
  // As float32, which the aggregate will be: 1e300 is finite only in float64.
  const name = firstNonFinite(toFloat32(params));
  return name === undefined ? undefined : `${group}: ${name} has a value that is not finite`;
}

/** Why an update cannot enter a round, or undefined. `expected` is any update of the right groups, names and shapes. */
export function problemWith(update: Groups, expected: Groups): string | undefined {
  for (const group of Object.keys(update)) if (!Object.hasOwn(expected, group)) return `an unknown group ${group}`;
  for (const [group, params] of Object.entries(expected)) {
    const got = update[group];
    const problem = got === undefined ? `the group ${group} is missing` : difference(group, got, params);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
