/**
 * The kinds of errors, as a person would sort them. Each kind is one documented exit code of the command line
 * (`docs/errors.md`); the numbers are stable.
 */
export const EXIT_CODES = {
  /** A defect in this program: anything that is not a `UserError`. */
  internal: 1,
  /** The command line or the configuration file. */
  config: 2,
  /** A data file, a record, a partition. */
  data: 3,
  /** A base model, a tokenizer, an adapter, a judge. */
  model: 4,
  /** The run folder or the disk under it. */
  storage: 5,
  /** Training could not go on: too few usable updates, no finite loss. */
  training: 6,
  /** Stopped by Ctrl-C or SIGTERM; the same command continues. */
  interrupted: 130,
} as const;

export type ErrorKind = Exclude<keyof typeof EXIT_CODES, "internal">;

/**
 * An error that a person can act on. `message` is one sentence: the problem, its place, the value got and the value
 * expected. `hint` says what to do. The command line prints both and no stack trace (`--debug` shows it).
 */
export class UserError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UserError";
    this.kind = kind;
    this.hint = options.hint;
  }
}
