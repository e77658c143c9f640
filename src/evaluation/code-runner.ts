/** Runs programs that a model wrote, in a confined child process. */
export interface CodeRunner {
  /** Which limits held when they were tried, and why not. */
  readonly limits: Readonly<Record<string, { readonly held: boolean; readonly why?: string }>>;
  /** Runs a Python program to its end. */
  run(
    program: string,
    options?: { readonly timeoutSeconds?: number; readonly signal?: AbortSignal },
  ): Promise<CodeOutcome>;
}

export interface CodeOutcome {
  readonly outcome: "passed" | "failed" | "timed-out" | "limit";
  /** The last of what it wrote to stderr, a few kilobytes. */
  readonly detail: string;
}
