/** Finds the system's code of a failure (`ENOSPC`, `ECONNREFUSED`); undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
