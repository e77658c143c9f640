import { type Problem, unknownKey } from "./explain.ts";

/** More than any configuration needs. */
const MOST_DEPTH = 50;

/**
 * Finds what no recursive work on a configuration may meet: a value within itself (a YAML alias can name one around it), very
 * deep nesting, and the key `__proto__`, which the schema would pass over.
 */
export function nestingProblem(value: unknown): Problem | undefined {
  const around = new Set<object>();
  const visit = (at: unknown, path: readonly PropertyKey[]): Problem | undefined => {
    if (typeof at !== "object" || at === null) return undefined;
    const name = path.map(String).join(".");
    if (around.has(at)) {
      return { path, message: `${name} holds itself`, hint: "Write the value instead of the alias." };
    }
    if (path.length > MOST_DEPTH) {
      return {
        path,
        message: `${path.slice(0, 3).map(String).join(".")}… is nested more than ${MOST_DEPTH} levels deep`,
      };
    }
    around.add(at);
    for (const [key, inner] of Object.entries(at)) {
      const found = key === "__proto__" ? unknownKey(path, key) : visit(inner, [...path, key]);
      if (found !== undefined) return found;
    }
    around.delete(at);
    return undefined;
  };
  return visit(value, []);
}
