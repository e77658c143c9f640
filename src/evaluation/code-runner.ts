/** What a program is kept from. Each is tried out before the first program runs; the report says which held. */
export const CODE_LIMITS = {
  time: "a program that does not end is stopped",
  memory: "memory is limited",
  fileSize: "the size of a file is limited",
  processes: "no other process can be started",
  network: "no connection can be opened",
  files: "files outside the program's own folder can be neither read nor written, the Python library read only",
  signals: "other processes cannot be stopped",
} as const;

export type CodeLimit = keyof typeof CODE_LIMITS;

/** Whether a limit held when it was tried, and if not, why not. */
export interface LimitFinding {
  readonly held: boolean;
  readonly why?: string;
}

/** Runs programs that a model wrote, in a confined child process. */
export interface CodeRunner {
  /** What runs them, such as `Python 3.11.7`. */
  readonly interpreter: string;
  readonly limits: Readonly<Record<CodeLimit, LimitFinding>>;
  /**
   * Runs a Python program. It passes when its last line was reached: one that leaves before (`sys.exit(0)`,
   * `os._exit(0)`) fails. `__name__` in it is `program`, so what it does as `__main__` is left out, as HumanEval's authors
   * run it. Many may run at once; how many is the caller's affair.
   *
   * @param options.timeoutSeconds from its first line on; default 10
   * @throws the signal's reason where it is aborted
   */
  run(
    program: string,
    options?: { readonly timeoutSeconds?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<CodeOutcome>;
}

export interface CodeOutcome {
  /** `limit`: it asked for more than it may have (memory, file size, processes, output). */
  readonly outcome: "passed" | "failed" | "timed-out" | "limit";
  /** Why not, and the last of what it wrote; a few kilobytes. */
  readonly detail: string;
}
