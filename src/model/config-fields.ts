import { shownJson } from "../diagnostics/shown.ts";
import { UserError } from "../diagnostics/user-error.ts";

type Json = Readonly<Record<string, unknown>>;

/** Far more than any model has. The tensors of each layer are listed before the first file of weights is opened. */
export const MOST_LAYERS = 10_000;

/** Reads the keys of one `config.json` by type. An absent key takes the default, and is an error where there is none. */
export class ConfigFields {
  readonly json: Json;
  /** Names the file in errors. */
  readonly where: string;

  constructor(json: Json, where: string) {
    this.json = json;
    this.where = where;
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  fail(key: string, expected: string, hint?: string): UserError {
    const value = this.json[key];
    return new UserError(
      "model",
      `${this.where}: ${key} ${value === undefined ? "is missing" : `is ${shownJson(value)}`}, expected ${expected}`,
      {
        hint: hint ?? "Use a supported base model (docs/own-model.md) with its published config.json.",
      },
    );
  }

  /** Reads a whole number from 1 to `most`: work and memory may be in proportion to it before a weight is read. */
  count(key: string, fallback?: number, most: number = 2 ** 31 - 1): number {
    const value = this.has(key) ? this.json[key] : fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw this.fail(key, "a whole number above 0");
    if (value > most) throw this.fail(key, `at most ${most}`);
    return value;
  }

  positive(key: string, fallback: number): number {
    const value = this.json[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0)) throw this.fail(key, "a number above 0");
    return value;
  }

  flag(key: string, fallback = false): boolean {
    const value = this.json[key] ?? fallback;
    if (typeof value !== "boolean") throw this.fail(key, "true or false");
    return value;
  }

  /** Throws unless the key is absent or one of the names; the error proposes the first. */
  requireOneOf(key: string, names: readonly string[]): void {
    if (this.has(key) && !names.includes(this.json[key] as string)) throw this.fail(key, names[0]!);
  }

  /** Reads token ids: a number, a list, or null for none. */
  tokens(key: string, fallback: number | null): number[] {
    const value = this.json[key] === undefined ? fallback : this.json[key];
    const list = value === null ? [] : Array.isArray(value) ? value : [value];
    if (!list.every((id) => Number.isInteger(id) && id >= 0))
      throw this.fail(key, "a token id, a list of them, or null");
    return list as number[];
  }
}
