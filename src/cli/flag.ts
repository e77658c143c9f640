import { InvalidArgumentError, Option } from "commander";

interface Form {
  /** `<n>`, `[metric]`, `<name...>`; empty for a switch. */
  readonly placeholder: string;
  readonly description: string;
  readonly parse?: (text: string, earlier: unknown) => unknown;
  readonly choices?: readonly string[];
  readonly fallback?: { readonly value: unknown; readonly shown: string | undefined };
  readonly required?: boolean;
  readonly isAdvanced?: boolean;
  /** `--no-base` for the key `base`, which is true without the flag. */
  readonly negated?: boolean;
}

/** A flag of a command, without its name. The key in the list of flags names it: `maxLength` is `--max-length`. */
export class Flag<Value> {
  /** The type of the flag's value; undefined if the flag is optional. */
  declare readonly value: Value;
  readonly #form: Form;

  constructor(form: Form) {
    this.#form = form;
  }

  /** @param shown the default as the help names it, if not by its value. */
  default(value: NonNullable<Value>, shown?: string): Flag<NonNullable<Value>> {
    return new Flag({ ...this.#form, fallback: { value, shown } });
  }

  required(): Flag<NonNullable<Value>> {
    return new Flag({ ...this.#form, required: true });
  }

  /** Shown by `--help-all` only. */
  advanced(): Flag<Value> {
    return new Flag({ ...this.#form, isAdvanced: true });
  }

  /** The flag as commander takes it. */
  option(key: string): Option {
    const { placeholder, description, parse, choices, fallback, required, isAdvanced: marked, negated } = this.#form;
    const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = new Option(`--${negated === true ? "no-" : ""}${name} ${placeholder}`.trimEnd(), description);
    if (parse !== undefined) option.argParser(parse);
    if (choices !== undefined) option.choices(choices);
    if (fallback !== undefined) option.default(fallback.value, fallback.shown);
    if (required === true) option.makeOptionMandatory();
    return marked === true ? advanced(option) : option;
  }
}

const ADVANCED = Symbol("advanced");

/** Marks an option that only `--help-all` shows. */
export function advanced(option: Option): Option {
  return Object.assign(option, { [ADVANCED]: true });
}

/** True for an option that only `--help-all` shows. */
export function isAdvanced(option: Option): boolean {
  return ADVANCED in option;
}

/** The same flags, shown by `--help-all` only. */
export function allAdvanced<Flags extends Readonly<Record<string, Flag<unknown>>>>(flags: Flags): Flags {
  return Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, flag.advanced()])) as unknown as Flags;
}

/** A flag without a value: true if it is given. */
export function toggle(description: string): Flag<boolean | undefined> {
  return new Flag({ placeholder: "", description });
}

/** `--no-base` for the key `base`: false if it is given. */
export function negated(description: string): Flag<boolean> {
  return new Flag({ placeholder: "", description, negated: true });
}

export function text(placeholder: string, description: string): Flag<string | undefined> {
  return new Flag({ placeholder, description, parse: nonBlank });
}

/** A text, possibly blank. */
export function anyText(placeholder: string, description: string): Flag<string | undefined> {
  return new Flag({ placeholder, description });
}

/** `--matrix`, or `--matrix=loss`: true without a text. */
export function optionalText(placeholder: string, description: string): Flag<string | true | undefined> {
  return new Flag({ placeholder, description });
}

/** Several texts behind one flag: `--only first second`. */
export function texts(placeholder: string, description: string): Flag<readonly string[] | undefined> {
  return new Flag({ placeholder, description });
}

/** A flag that may be given several times. Its texts may hold line breaks. */
export function repeated(placeholder: string, description: string): Flag<readonly string[] | undefined> {
  const parse = (value: string, earlier: unknown): readonly string[] => {
    if (value === "") throw new InvalidArgumentError("Expected a text that is not empty.");
    return [...((earlier as readonly string[] | undefined) ?? []), value];
  };
  return new Flag({ placeholder, description, parse });
}

export function choice<const Name extends string>(
  placeholder: string,
  description: string,
  choices: readonly Name[],
): Flag<Name | undefined> {
  return new Flag({ placeholder, description, choices });
}

export interface NumberRange {
  readonly min: number;
  readonly max?: number;
}

export function number(placeholder: string, description: string, range: NumberRange): Flag<number | undefined> {
  return new Flag({ placeholder, description, parse: inRange("a number", range, Number.isFinite) });
}

export function wholeNumber(placeholder: string, description: string, range: NumberRange): Flag<number | undefined> {
  return new Flag({ placeholder, description, parse: inRange("a whole number", range, Number.isSafeInteger) });
}

/** @param parse throws InvalidArgumentError, which says what was expected. */
export function parsed<Value>(
  placeholder: string,
  description: string,
  parse: (text: string) => Value,
): Flag<Value | undefined> {
  return new Flag({ placeholder, description, parse });
}

/** Refuses a blank text, which a shell variable that is not set would give. */
export function nonBlank(value: string): string {
  if (value.trim() === "") throw new InvalidArgumentError("Expected a text that is not empty.");
  return value;
}

function inRange(
  kind: string,
  { min, max = Infinity }: NumberRange,
  isOfKind: (value: number) => boolean,
): (text: string) => number {
  const range = max === Infinity ? `, ${min} or more` : ` from ${min} to ${max}`;
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!isOfKind(value) || value < min || value > max) throw new InvalidArgumentError(`Expected ${kind}${range}.`);
    return value;
  };
}
