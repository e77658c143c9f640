import { errorCode } from "./error-code.ts";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name cannot be looked up",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "no network path leads to it",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
};

/**
 * Finds the code behind a failed `fetch`, such as `ECONNREFUSED`; undefined for none. `fetch` hides the socket's error, and
 * each of several addresses has its own: the first one counts.
 */
export function connectionCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  return errorCode(inner) ?? errorCode(error);
}

/** Explains why a host cannot be reached: another request at once does not help. Undefined for other failures. */
export function unreachableReason(code: string | undefined): string | undefined {
  return code === undefined ? undefined : REASONS[code];
}
