import { retryAfterMs } from "../../concurrency/retry.ts";
import type { Message } from "../../data/messages.ts";
import { isRow } from "../../data/row.ts";
import { connectionCode, unreachableReason } from "../../diagnostics/connection-error.ts";
import type { JudgeSettings } from "./judge.ts";

/** A failed request to a judge. It holds no header, and so never the key. */
export class JudgeFailure extends Error {
  /** Undefined for no answer, or one that broke off. */
  readonly status: number | undefined;
  /** True where the same request may succeed in a moment. */
  readonly passing: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status, passing, retryAfterMs, cause }: FailureDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "JudgeFailure";
    this.status = status;
    this.passing = passing;
    this.retryAfterMs = retryAfterMs;
  }
}

interface FailureDetails {
  readonly status?: number | undefined;
  readonly passing: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export interface Completion {
  readonly text: string;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** Differences of an endpoint's models from most others. */
export interface Dialect {
  readonly maxTokens: "max_tokens" | "max_completion_tokens";
  readonly temperature: boolean;
}

export const USUAL_DIALECT: Dialect = { maxTokens: "max_tokens", temperature: true };

/** Chooses the dialect for another try, where a refusal says that the endpoint wants one. */
export function otherDialect(dialect: Dialect, { status, message }: JudgeFailure): Dialect | undefined {
  if (status !== 400) return undefined;
  if (dialect.maxTokens === "max_tokens" && message.includes("max_completion_tokens")) {
    return { ...dialect, maxTokens: "max_completion_tokens" };
  }
  const noTemperature = /\btemperature\b.*\b(unsupported|not support|only the default)|unsupported.*\btemperature\b/i;
  return dialect.temperature && noTemperature.test(message) ? { ...dialect, temperature: false } : undefined;
}

export interface JudgeRequest {
  readonly url: string;
  readonly model: string;
  readonly apiKey: string | undefined;
  readonly messages: readonly Message[];
  readonly settings: JudgeSettings;
  readonly dialect: Dialect;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks a judge one question, in one attempt.
 *
 * @throws JudgeFailure, or the signal's reason.
 */
export async function requestJudgement(request: JudgeRequest): Promise<Completion> {
  const { url, model, apiKey, messages, settings, dialect, timeoutMs, signal } = request;
  signal?.throwIfAborted();
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new TimedOut()), timeoutMs);
  const onAbort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body: JSON.stringify({
        model,
        messages: messages.map(({ role, content }) => ({ role, content })),
        [dialect.maxTokens]: settings.maxTokens,
        ...(dialect.temperature && { temperature: settings.temperature }),
      }),
      signal: stop.signal,
    });
    const text = await response.text();
    if (!response.ok) throw refusal(response, text, apiKey);
    return completionOf(text, apiKey);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof JudgeFailure) throw error;
    throw new JudgeFailure(
      stop.signal.reason instanceof TimedOut ? `did not answer within ${timeoutMs / 1000} s` : connectionReason(error),
      { passing: true, cause: error },
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

class TimedOut extends Error {}

function refusal({ status, headers }: Response, body: string, apiKey: string | undefined): JudgeFailure {
  const { said, code } = errorOf(parsed(body), body);
  // A 429 because of an empty account does not pass by waiting.
  const passing = (status === 429 && code !== "insufficient_quota") || status === 408 || status >= 500;
  return new JudgeFailure(`answered ${status}${quoted(said, apiKey)}`, {
    status,
    passing,
    retryAfterMs: retryAfterMs(headers.get("retry-after")),
  });
}

function completionOf(body: string, apiKey: string | undefined): Completion {
  const answer = parsed(body);
  const choices = isRow(answer) ? answer["choices"] : undefined;
  const message: unknown = Array.isArray(choices) && isRow(choices[0]) ? choices[0]["message"] : undefined;
  if (!isRow(answer) || !isRow(message)) {
    // Half a body, a proxy's page, or an error under the status 200.
    const { said } = errorOf(answer, body);
    throw new JudgeFailure(`answered no chat completion${quoted(said, apiKey)}`, { status: 200, passing: true });
  }
  const { content } = message;
  const usage = isRow(answer["usage"]) ? answer["usage"] : {};
  return {
    text: typeof content === "string" ? content : "",
    promptTokens: countOf(usage["prompt_tokens"]),
    completionTokens: countOf(usage["completion_tokens"]),
  };
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads an endpoint's error: OpenAI's `{error: {message, code}}`, others' `{error}`, `{message}`, `{detail}`, or text. */
function errorOf(answer: unknown, body: string): { readonly said: string; readonly code: unknown } {
  if (!isRow(answer)) return { said: body, code: undefined };
  const error = answer["error"] ?? answer;
  const said = isRow(error) ? (error["message"] ?? error["detail"]) : error;
  return { said: typeof said === "string" ? said : body, code: isRow(error) ? error["code"] : undefined };
}

const LONGEST_QUOTE = 200;

function quoted(said: string, apiKey: string | undefined): string {
  const clean = (apiKey ? said.replaceAll(apiKey, "…") : said).replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  if (clean === "") return "";
  return `: ${clean.length > LONGEST_QUOTE ? `${clean.slice(0, LONGEST_QUOTE)}…` : clean}`;
}

function connectionReason(error: unknown): string {
  const reason = unreachableReason(connectionCode(error));
  return reason === undefined ? "broke off the connection" : `cannot be reached: ${reason}`;
}
