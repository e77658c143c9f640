import { UserError } from "../diagnostics/user-error.ts";

/** The part of a setting that a mistake is in. */
export type Part = "key" | "value";

/** Names the origin of a setting for an error message. `path` is undefined if a mistake is in several settings. */
export type Origin = (path: readonly PropertyKey[] | undefined, part?: Part) => string;

/** Finds the line and the column of a setting in its file, or of what is around it; undefined where it is not known. */
export type PlaceOf = (path: readonly PropertyKey[], part: Part) => { line: number; column: number } | undefined;

/**
 * The origin of settings of a file that `--set` settings were applied to: the last one that set it, or else the place in the
 * file.
 */
export function originIn(file: string, settings: readonly string[], placeOf: PlaceOf = () => undefined): Origin {
  return (path, part = "value") => {
    if (path === undefined) return settings.length === 0 ? file : `${file} with --set`;
    const wanted = path.map(String).join(".");
    const last = settings.findLast((setting) => {
      const key = setting.slice(0, setting.indexOf("="));
      return wanted === key || wanted.startsWith(`${key}.`) || key.startsWith(`${wanted}.`);
    });
    if (last !== undefined) return `--set ${last}`;
    const place = placeOf(path, part);
    return place === undefined ? file : `${file}, line ${place.line}, column ${place.column}`;
  };
}

/**
 * Applies `--set a.b=value` to a configuration before it is checked. The value is YAML, which `parse` reads; null removes
 * a setting, so that its default holds. `a.0.b` is a setting of the first entry of a list.
 *
 * @throws UserError of kind `config` for a setting without `=` or without a value, and for a key inside a plain value or
 * beyond the end of a list.
 */
export function applySetting(config: Record<string, unknown>, setting: string, parse: (text: string) => unknown): void {
  const fail = (problem: string, hint?: string): UserError =>
    new UserError("config", `--set ${setting}: ${problem}`, { hint });
  const at = setting.indexOf("=");
  if (at < 1) throw fail("expected key=value", "For example: --set training.learningRate=1e-4");
  const text = setting.slice(at + 1).trim();
  if (text === "")
    throw fail("there is no value after =", "The value null removes a setting, so that its default holds.");
  let value: unknown;
  try {
    value = parse(text) ?? undefined;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const [problem] = (cause as Error).message.split(/ at line |\n/);
    throw fail(`the value is not YAML: ${problem}`, "Quote a text with : # { or [ in it: --set 'key=\"a: b\"'.");
  }
  setAt(config, setting.slice(0, at), value, fail);
}

/**
 * Puts a value under a dotted key; undefined removes the setting. `fail` makes the error for a key inside a plain value or
 * beyond the end of a list.
 */
export function setAt(
  config: Record<string, unknown>,
  dotted: string,
  value: unknown,
  fail: (problem: string, hint: string) => UserError,
): void {
  const keys = dotted.split(".");
  let object: object = config;
  for (const [depth, key] of keys.entries()) {
    const path = keys.slice(0, depth).join(".");
    if (Array.isArray(object) && !(Number(key) <= object.length && String(Number(key)) === key)) {
      const entries = `${path} is a list of ${object.length}`;
      throw fail(
        `${entries}, expected a number from 0 to ${object.length} after it, got '${key}'`,
        "0 is the first entry.",
      );
    }
    const last = depth === keys.length - 1;
    const found = Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
    const next = last ? value : (found ?? {});
    if (!last && typeof next !== "object") {
      const reached = [...keys.slice(0, depth), key].join(".");
      throw fail(
        `${reached} is ${JSON.stringify(next)} and has no settings inside`,
        "openfedllm run --help-all lists all settings.",
      );
    }
    // An assignment to `__proto__` would not make a key.
    Object.defineProperty(object, key, { value: next, writable: true, enumerable: true, configurable: true });
    object = next as object;
  }
}
