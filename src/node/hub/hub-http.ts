import { retryAfterMs, withRetries } from "../../concurrency/retry.ts";
import { connectionCode, unreachableReason } from "../../diagnostics/connection-error.ts";
import type { HubSettings } from "./hub-settings.ts";

/** A failed request to the Hub. It never holds a header, and so never the token. */
export class HubFailure extends Error {
  /** `answer`: an HTTP status other than success; `network`: no answer, or one that broke off; `range`: other bytes than requested. */
  readonly reason: "answer" | "network" | "range";
  readonly status: number | undefined;
  /** The Hub's own name of the failure: RepoNotFound, RevisionNotFound, EntryNotFound, GatedRepo. */
  readonly code: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** True where the same request may succeed in a moment. */
  readonly passing: boolean;

  constructor(
    reason: HubFailure["reason"],
    message: string,
    {
      status,
      code,
      retryAfterMs,
      passing = true,
      cause,
    }: { status?: number; code?: string; retryAfterMs?: number; passing?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = "HubFailure";
    this.reason = reason;
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.passing = passing;
  }
}

const HEADERS_TIMEOUT_MS = 30_000;
/** Longest wait that the Hub may ask for; for a longer one the request fails. */
const LONGEST_WAIT_MS = 120_000;
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 500;

/** Turns any failed request into a `HubFailure`; an abort by the caller is returned unchanged. */
export function asHubFailure(error: unknown): Error {
  if (error instanceof HubFailure) return error;
  if (!(error instanceof Error)) return new HubFailure("network", String(error));
  if (error.name === "AbortError") return error;
  const code = connectionCode(error);
  // A TypeError without a cause is the library's own, about an answer that it could not read.
  if (code === undefined && !(error instanceof TypeError && error.cause !== undefined)) return error;
  const reason = unreachableReason(code);
  const brokenOff = code === undefined || BROKEN_OFF.has(code);
  return new HubFailure("network", reason ?? (brokenOff ? "the connection broke off" : code), {
    passing: reason === undefined,
    cause: error,
  });
}

const BROKEN_OFF = new Set(["ECONNRESET", "UND_ERR_SOCKET"]);

/**
 * Makes `fetch` for the Hub. The token goes to the endpoint's own origin only (fetch itself removes it in a redirect to another).
 * Any answer but a success is a `HubFailure`, and so is one with other bytes than the `Range` of the request.
 */
export function hubFetch(
  { endpoint, token }: HubSettings,
  signal: AbortSignal | undefined,
  headersTimeoutMs: number = HEADERS_TIMEOUT_MS,
): typeof fetch {
  const { origin } = new URL(endpoint);
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    headers.delete("authorization");
    if (token !== undefined && url.origin === origin) headers.set("authorization", `Bearer ${token}`);
    // A file has to arrive as it is stored, with the length in the listing.
    if (url.pathname.includes("/resolve/")) headers.set("accept-encoding", "identity");
    const timer = new AbortController();
    const timeout = setTimeout(
      () => timer.abort(new HubFailure("network", unreachableReason("UND_ERR_CONNECT_TIMEOUT")!)),
      headersTimeoutMs,
    );
    let response: Response;
    try {
      const signals = signal === undefined ? [timer.signal] : [timer.signal, signal];
      response = await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    } catch (error) {
      throw asHubFailure(error);
    } finally {
      clearTimeout(timeout);
    }
    if (!response.ok) throw await failedAnswer(response);
    const range = /^bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1];
    if (range !== undefined && !isRange(response, Number(range))) {
      await response.body?.cancel();
      throw new HubFailure("range", "other bytes came than were requested");
    }
    return response;
  };
}

function isRange(response: Response, first: number): boolean {
  return response.status === 206 && (response.headers.get("content-range") ?? "").startsWith(`bytes ${first}-`);
}

async function failedAnswer(response: Response): Promise<HubFailure> {
  const { status, headers } = response;
  const said = headers.get("x-error-message") ?? (await errorText(response));
  const code = headers.get("x-error-code") ?? undefined;
  const waitMs = retryAfterMs(headers.get("retry-after"));
  return new HubFailure(status === 416 ? "range" : "answer", said, {
    status,
    passing: status === 429 || status === 408 || status >= 500,
    ...(code !== undefined && { code }),
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
  });
}

async function errorText(response: Response): Promise<string> {
  const text = await response.text().catch(() => "");
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Pause before the second attempt; each later one is twice as long. */
  readonly firstPauseMs?: number | undefined;
  /** Default 5. */
  readonly attempts?: number;
  /** Tells if the last attempt got far enough for the count to begin again. */
  readonly gotFurther?: () => boolean;
}

/** Repeats requests to the Hub, after a pause, while they fail in a way that may pass. */
export async function withHubRetries<T>(
  work: () => Promise<T>,
  { signal, firstPauseMs = FIRST_PAUSE_MS, attempts = ATTEMPTS, gotFurther }: RetryOptions = {},
): Promise<T> {
  let attempt = 1;
  const pauseAfter = (failure: unknown): number | undefined => {
    if (gotFurther?.()) attempt = 1;
    if (!(failure instanceof HubFailure) || !failure.passing || failure.reason === "range") return undefined;
    const waitMs = failure.retryAfterMs ?? firstPauseMs * 2 ** (attempt - 1);
    return attempt++ >= attempts || waitMs > LONGEST_WAIT_MS ? undefined : waitMs;
  };
  const failing = (error: unknown): never => {
    throw asHubFailure(error);
  };
  return withRetries(() => work().catch(failing), pauseAfter, signal);
}
