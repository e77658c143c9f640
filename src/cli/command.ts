import type { Flag } from "./flag.ts";
import type { Output } from "./output.ts";

/** The streams that a command writes to. */
export interface CommandContext {
  /** Results. */
  readonly stdout: Output;
  /** Progress and errors. */
  readonly stderr: Output;
}

/** Columns that results are laid out for where stdout is no terminal. */
export const DEFAULT_COLUMNS = 80;

export type Flags = Readonly<Record<string, Flag<unknown>>>;

type ValueOf<F> = F extends { readonly value: infer Value } ? Value : never;
type Optional<F> = { [Key in keyof F]: undefined extends ValueOf<F[Key]> ? Key : never }[keyof F];

/** The values of flags, by key; a flag that may be left out is an optional property. */
export type FlagValues<F> = { readonly [Key in Exclude<keyof F, Optional<F>>]: ValueOf<F[Key]> } & {
  readonly [Key in Optional<F>]?: Exclude<ValueOf<F[Key]>, undefined>;
};

/** `<config>` is one text, `<folder...>` several, `[config]` one or none. */
type ArgumentValue<Placeholder> = Placeholder extends `<${string}...>`
  ? readonly string[]
  : Placeholder extends `[${string}]`
    ? string | undefined
    : string;

/** The one thing that a command takes without a flag. */
export interface Argument<Placeholder extends string = string> {
  readonly placeholder: Placeholder;
  readonly description: string;
}

/** A command line to copy, and what it is for. */
export type Example = readonly [line: string, purpose?: string];

interface Texts {
  /** One or two sentences at the top of the command's help. */
  readonly description: string;
  readonly examples: readonly Example[];
  /** Help between the flags and the examples. `all`: for `--help-all`. */
  readonly moreHelp?: (columns: number, all: boolean) => string;
}

/** A command without its name, which `program.ts` lists. */
export interface Command extends Texts {
  readonly argument?: Argument;
  readonly flags: Flags;
  /** `argument` is undefined for a command that takes none. */
  readonly run: (flags: never, context: CommandContext, argument: never) => Promise<void>;
}

interface Definition<F extends Flags, Placeholder extends string> extends Texts {
  readonly argument?: Argument<Placeholder>;
  readonly flags: F;
  readonly run: (flags: FlagValues<F>, context: CommandContext, argument: ArgumentValue<Placeholder>) => Promise<void>;
}

/** A command. `run` gets flags and argument with the types that the definition gives them. */
export function defineCommand<F extends Flags, const Placeholder extends string = never>(
  definition: Definition<F, Placeholder>,
): Command {
  return definition;
}
