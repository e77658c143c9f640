export type State = "ok" | "warn" | "fail";

/** What one check found. */
export interface Finding {
  readonly state: State;
  /** What there is. */
  readonly found: string;
  /** What to do about it; absent for `ok`. */
  readonly advice?: string;
}

/** A check of the machine. Whatever it throws becomes a finding of the state `onError`. */
export interface Check {
  readonly name: string;
  /** State of a check that throws. */
  readonly onError: "warn" | "fail";
  readonly run: (signal: AbortSignal) => Finding | Promise<Finding>;
}

export interface NamedFinding extends Finding {
  readonly check: string;
}

export const ok = (found: string): Finding => ({ state: "ok", found });
export const warn = (found: string, advice: string): Finding => ({ state: "warn", found, advice });
export const fail = (found: string, advice: string): Finding => ({ state: "fail", found, advice });
