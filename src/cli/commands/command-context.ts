import type { Output } from "../output.ts";

/** What a command works with besides its flags. */
export interface CommandContext {
  /** Results. */
  readonly stdout: Output;
  /** Progress and errors. */
  readonly stderr: Output;
}

/** What lines of results are laid out for where stdout is no terminal. */
export const DEFAULT_COLUMNS = 80;
