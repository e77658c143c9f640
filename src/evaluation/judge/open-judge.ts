import { withRetries } from "../../concurrency/retry.ts";
import { Semaphore } from "../../concurrency/semaphore.ts";
import type { Message } from "../../data/messages.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import {
  JudgeFailure,
  otherDialect,
  requestJudgement,
  USUAL_DIALECT,
  type Completion,
  type Dialect,
} from "./judge-request.ts";
import type { Judge, JudgeSettings } from "./judge.ts";
import { judgementKey, memoryJudgements, type JudgementStore } from "./judgement.ts";

/** Questions that a judge is asked at once, unless its options say otherwise. */
export const JUDGE_CONCURRENCY = 4;

export interface JudgeOptions {
  /** Address of an OpenAI-compatible endpoint, such as `https://api.openai.com/v1` or `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** Sent as a bearer token; neither kept nor shown. */
  readonly apiKey?: string | undefined;
  /** The environment variable of the key, for messages. */
  readonly keyVariable?: string | undefined;
  /** Default: in memory. */
  readonly store?: JudgementStore | undefined;
  /** Longest verdict in tokens, for a judge with a window too small for the benchmark's own number. */
  readonly maxTokens?: number | undefined;
  /** Questions under way at once; default `JUDGE_CONCURRENCY`. */
  readonly concurrency?: number | undefined;
  /** Longest time of one attempt; default 120. */
  readonly timeoutSeconds?: number | undefined;
  /** Default 6. */
  readonly attempts?: number | undefined;
  /** Pause before the second attempt, give or take half; each later pause is twice as long. Default 1. */
  readonly firstPauseSeconds?: number | undefined;
  readonly onRetry?: ((retry: JudgeRetry) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface JudgeRetry {
  readonly reason: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly waitSeconds: number;
}

/** The questions to a judge since it was opened. */
export interface JudgeUsage {
  /** Questions that it answered now. */
  readonly asked: number;
  /** Questions that were answered before, and cost nothing. */
  readonly fromRecord: number;
  /** Tokens of the questions asked now, where the endpoint counts them. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface OpenJudge extends Judge {
  /** Tells if the answer is stored, so that the question costs nothing. */
  knows(messages: readonly Message[], settings: JudgeSettings): Promise<boolean>;
  usage(): JudgeUsage;
}

const LONGEST_PAUSE_MS = 60_000;
/** Longest wait that the endpoint may ask for; for a longer one the question fails. */
const LONGEST_WAIT_MS = 300_000;

/**
 * Opens a judge behind an OpenAI-compatible endpoint. Each answer is in the store before `ask` resolves. The same question is
 * asked once, also while it is under way. Requests are repeated where the endpoint is busy or breaks off. After a final
 * failure all further questions fail with the same message, so nobody waits for each of them.
 *
 * @throws UserError("config") for an address, a model or a key that is not valid.
 */
export function openJudge(options: JudgeOptions): OpenJudge {
  const { model, store = memoryJudgements(), signal } = options;
  const client: Client = {
    ...checked(options),
    timeoutMs: (options.timeoutSeconds ?? 120) * 1000,
    attempts: options.attempts ?? 6,
    firstPauseMs: (options.firstPauseSeconds ?? 1) * 1000,
    dialect: USUAL_DIALECT,
  };
  const requests = new Semaphore(options.concurrency ?? JUDGE_CONCURRENCY);
  const underWay = new Map<string, Promise<string>>();
  let usage: JudgeUsage = { asked: 0, fromRecord: 0, promptTokens: 0, completionTokens: 0 };
  let gaveUp: unknown;

  const askNow = async (key: string, messages: readonly Message[], settings: JudgeSettings): Promise<string> => {
    const release = await requests.acquire();
    try {
      signal?.throwIfAborted();
      if (gaveUp !== undefined) throw gaveUp;
      const { temperature, maxTokens } = settings;
      const answer = await request(client, messages, settings, options);
      usage = {
        ...usage,
        asked: usage.asked + 1,
        promptTokens: usage.promptTokens + (answer.promptTokens ?? 0),
        completionTokens: usage.completionTokens + (answer.completionTokens ?? 0),
      };
      await store.append({ key, judge: model, messages, temperature, maxTokens, ...answer });
      return answer.text;
    } catch (error) {
      if (signal?.aborted === true) throw error;
      // An answer that cannot be stored would be paid for again: such a failure is final too.
      gaveUp ??= error instanceof JudgeFailure ? explained(error, client, options) : error;
      throw gaveUp;
    } finally {
      release();
    }
  };

  const capped = (settings: JudgeSettings): JudgeSettings => ({
    ...settings,
    maxTokens: Math.min(settings.maxTokens, options.maxTokens ?? settings.maxTokens),
  });

  return {
    name: model,
    async ask(messages, asked) {
      const settings = capped(asked);
      const key = await judgementKey(model, messages, settings);
      const running = underWay.get(key);
      if (running !== undefined) return running;
      const kept = store.find(key);
      if (kept !== undefined) {
        usage = { ...usage, fromRecord: usage.fromRecord + 1 };
        return kept.text;
      }
      const answer = askNow(key, messages, settings).finally(() => underWay.delete(key));
      underWay.set(key, answer);
      return answer;
    },
    knows: async (messages, asked) => store.find(await judgementKey(model, messages, capped(asked))) !== undefined,
    usage: () => usage,
  };
}

interface Client {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly firstPauseMs: number;
  /** Learnt from the endpoint's refusals. */
  dialect: Dialect;
}

/** Asks until there is an answer or the failure is final. A change of dialect does not count as an attempt. */
async function request(
  client: Client,
  messages: readonly Message[],
  settings: JudgeSettings,
  { model, onRetry, signal }: JudgeOptions,
): Promise<Completion> {
  let attempt = 1;
  const pauseAfter = (error: unknown): number | undefined => {
    if (!(error instanceof JudgeFailure)) return undefined;
    const usual = Math.min(LONGEST_PAUSE_MS, client.firstPauseMs * 2 ** (attempt - 1)) * (0.5 + Math.random());
    const waitMs = Math.max(usual, error.retryAfterMs ?? 0);
    if (!error.passing || attempt >= client.attempts || waitMs > LONGEST_WAIT_MS) return undefined;
    onRetry?.({ reason: error.message, attempt, waitSeconds: waitMs / 1000 });
    attempt++;
    return waitMs;
  };
  const inAnyDialect = async (): Promise<Completion> => {
    for (;;) {
      const { dialect } = client;
      try {
        return await requestJudgement({ ...client, model, messages, settings, signal });
      } catch (error) {
        const other = error instanceof JudgeFailure ? otherDialect(dialect, error) : undefined;
        if (other === undefined) throw error;
        client.dialect = other;
      }
    }
  };
  return withRetries(inAnyDialect, pauseAfter, signal);
}

function explained(failure: JudgeFailure, { url, attempts }: Client, { model, keyVariable }: JudgeOptions): UserError {
  const { message, status, passing, retryAfterMs, cause } = failure;
  const judge = `the judge ${model} at ${url}`;
  const key = keyVariable === undefined ? "the key" : `the key in the environment variable ${keyVariable}`;
  const error = (words: string, hint: string): UserError =>
    new UserError("model", `${judge} ${words}`, { hint: `${hint} The judgements so far are kept.`, cause });
  if (status === 401 || status === 403)
    return error(message, `Check ${key}: it is missing, wrong, or not valid for this model.`);
  if (status === 404) {
    return error(message, "Check the address (most end in /v1) and the name of the model.");
  }
  if (!passing) return error(message, "Correct the problem, then run the same command again.");
  if (retryAfterMs !== undefined && retryAfterMs > LONGEST_WAIT_MS) {
    return error(
      `${message}; it asks to wait ${Math.ceil(retryAfterMs / 60_000)} minutes`,
      "Run the same command again after that time.",
    );
  }
  const times = attempts === 1 ? "" : ` (${attempts} attempts)`;
  return error(`${message}${times}`, "When the judge answers again, run the same command to continue.");
}

function checked({ baseUrl, model, apiKey, keyVariable }: JudgeOptions): { url: string; apiKey: string | undefined } {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    // The address is not quoted: it may contain a password.
    throw new UserError(
      "config",
      "the judge's address is not an http or https address, or contains a user name or password",
      {
        hint: "Give an address such as https://api.openai.com/v1, and the key in an environment variable.",
      },
    );
  }
  if (model.trim() === "") throw new UserError("config", "the judge's model has no name");
  const key = apiKey?.trim();
  if (key !== undefined && !/^[\x21-\x7e]*$/.test(key)) {
    throw new UserError(
      "config",
      `the judge's key${keyVariable === undefined ? "" : ` in ${keyVariable}`} contains characters that cannot be in a key`,
      {
        hint: "Set it to the key alone, without spaces or line breaks.",
      },
    );
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/\/chat\/completions$/, "");
  return { url: `${url.origin}${path}/chat/completions${url.search}`, apiKey: key === "" ? undefined : key };
}
