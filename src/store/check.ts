/** Checks a JSON value that another party wrote and returns it with its type. Throws a `MismatchError`. */
export type Check<T> = (value: unknown, at: string) => T;

/** The type of value that a check returns. */
export type Checked<C> = C extends Check<infer T> ? T : never;

/** A message is not of its type. The text says where, expected and got. */
export class MismatchError extends Error {}

function mismatch(at: string, expected: string, value: unknown): MismatchError {
  const got = value === undefined ? "nothing" : JSON.stringify(value);
  return new MismatchError(`${at} is ${got.length <= 40 ? got : `${got.slice(0, 40)}…`}, expected ${expected}`);
}

export const text: Check<string> = (value, at) => {
  if (typeof value !== "string") throw mismatch(at, "a string", value);
  return value;
};

/** One of these texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Check<T> {
  return (value, at) => {
    if (!(texts as readonly unknown[]).includes(value)) throw mismatch(at, `one of ${texts.join(", ")}`, value);
    return value as T;
  };
}

/** A sha256 as 64 lower-case hexadecimal digits. */
export const hash: Check<string> = (value, at) => {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw mismatch(at, "a sha256", value);
  return value;
};

/** A whole number that is not negative. */
export const count: Check<number> = (value, at) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw mismatch(at, "a whole number", value);
  return value as number;
};

/** A number. JSON has no NaN and no infinities: `null`, which they are written as, comes back as NaN. */
export const measured: Check<number> = (value, at) => {
  if (value === null) return Number.NaN;
  if (typeof value !== "number") throw mismatch(at, "a number", value);
  return value;
};

/** Any JSON value, unchecked. */
export const json: Check<unknown> = (value) => value;

export function list<T>(of: Check<T>): Check<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw mismatch(at, "a list", value);
    return value.map((item, i) => of(item, `${at}[${i}]`));
  };
}

/** An object whose keys are names. */
export function byName<T>(of: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, at) => {
    const fields = Object.entries(asObject(value, at)).map(([key, item]) => [key, of(item, `${at}.${key}`)] as const);
    return Object.fromEntries(fields);
  };
}

export function optional<T>(of: Check<T>): Check<T | undefined> {
  return (value, at) => (value === undefined ? undefined : of(value, at));
}

export function nullable<T>(of: Check<T>): Check<T | null> {
  return (value, at) => (value === null ? null : of(value, at));
}

/** The keys whose check allows nothing become optional. */
type Fields<S> = { readonly [K in keyof S as undefined extends Checked<S[K]> ? never : K]: Checked<S[K]> } & {
  readonly [K in keyof S as undefined extends Checked<S[K]> ? K : never]?: Checked<S[K]>;
};

/** An object of these fields; others are left out. */
export function message<S extends Readonly<Record<string, Check<unknown>>>>(fields: S): Check<Fields<S>> {
  return (value, at) => {
    const given = asObject(value, at);
    const checked = Object.entries(fields)
      .map(([key, check]) => [key, check(given[key], at === "" ? key : `${at}.${key}`)] as const)
      .filter(([, item]) => item !== undefined);
    return Object.fromEntries(checked) as Fields<S>;
  };
}

function asObject(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw mismatch(at === "" ? "the message" : at, "an object", value);
  }
  return value as Record<string, unknown>;
}
