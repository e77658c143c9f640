/** The limits of a program. Each is tested before the first program runs; the report lists those that held. */
export const CODE_LIMITS = {
  time: "a program that does not end is stopped",
  memory: "memory is limited",
  fileSize: "the size of a file is limited",
  processes: "no other process can be started",
  network: "no connection can be opened, and no message sent to a socket",
  files:
    "files outside the program's own folder can be neither read nor changed, except that the libraries of Python and of the system can be read",
  signals: "other processes cannot be stopped",
} as const;

export type CodeLimit = keyof typeof CODE_LIMITS;

/** The result of a limit's test, with the reason where it did not hold. */
export interface LimitFinding {
  readonly held: boolean;
  readonly why?: string;
}

/** Runs programs that a model wrote, in a confined child process. */
export interface CodeRunner {
  /** Name and version of the interpreter, such as `Python 3.11.7`. */
  readonly interpreter: string;
  readonly limits: Readonly<Record<CodeLimit, LimitFinding>>;
  /**
   * Runs a Python program. It passes when its last line was reached; one that exits before (`sys.exit(0)`,
   * `os._exit(0)`) fails. `__name__` in it is `program`, so its code for `__main__` does not run, as HumanEval's authors
   * have it. Many programs may run at once; the caller limits their number.
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
  /** `limit`: it tried to exceed a limit (memory, file size, processes, output). */
  readonly outcome: "passed" | "failed" | "timed-out" | "limit";
  /** The reason why it did not pass, and the end of its output; a few kilobytes. */
  readonly detail: string;
}
