import type { Command as Program } from "commander";
import type { Flag } from "./flag.ts";
import type { Output } from "./output.ts";

/** The streams that a command writes to. */
export interface CommandContext {
  /** Results. */
  readonly stdout: Output;
  /** Progress and errors. */
  readonly stderr: Output;
}

/** Width of results if stdout is not a terminal. */
export const DEFAULT_COLUMNS = 80;

export type Flags = Readonly<Record<string, Flag<unknown>>>;

type ValueOf<F> = F extends { readonly value: infer Value } ? Value : never;
type Optional<F> = { [Key in keyof F]: undefined extends ValueOf<F[Key]> ? Key : never }[keyof F];

/** The values of flags by key. An optional flag is an optional property. */
export type FlagValues<F> = { readonly [Key in Exclude<keyof F, Optional<F>>]: ValueOf<F[Key]> } & {
  readonly [Key in Optional<F>]?: Exclude<ValueOf<F[Key]>, undefined>;
};

/** `<config>` is one text, `<folder...>` several, `[config]` one or none, `[folder...]` any number. */
type ArgumentValue<Placeholder> = Placeholder extends `<${string}...>` | `[${string}...]`
  ? readonly string[]
  : Placeholder extends `[${string}]`
    ? string | undefined
    : string;

/** The argument of a command without a flag. */
export interface Argument<Placeholder extends string = string> {
  readonly placeholder: Placeholder;
  readonly description: string;
  /** The legal texts. Default: any. */
  readonly choices?: readonly string[];
}

/** A command line to copy, and its purpose. */
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
  readonly run: (flags: never, context: CommandContext, argument: never, program: Program) => Promise<void>;
}

interface Definition<F extends Flags, Placeholder extends string> extends Texts {
  readonly argument?: Argument<Placeholder>;
  readonly flags: F;
  /** `program`: the whole command line, for a command that describes it. */
  readonly run: (
    flags: FlagValues<F>,
    context: CommandContext,
    argument: ArgumentValue<Placeholder>,
    program: Program,
  ) => Promise<void>;
}

/** Defines a command. The types of the flags and of the argument that `run` gets follow from the definition. */
export function defineCommand<F extends Flags, const Placeholder extends string = never>(
  definition: Definition<F, Placeholder>,
): Command {
  return definition;
}
