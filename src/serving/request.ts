import { z } from "zod";
import { excerpt } from "../diagnostics/excerpt.ts";
import type { Message } from "../data/messages.ts";
import type { TokenSampling } from "../decode/token-sampling.ts";
import { explainAll } from "../settings/explain.ts";
import type { JsonSchema } from "../settings/json-schema.ts";
import type { AnswerOptions } from "./answerer.ts";
import { ApiError, withHint } from "./api-error.ts";

/** Most answers to one request; each has a row of the cache. */
export const MOST_CHOICES = 8;
/** OpenAI's limit. */
const MOST_STOPS = 4;
/** Each is looked for after each token. */
const MOST_STOP_CHARACTERS = 1000;
/** No parameter is deeper than a few objects and lists. */
const MOST_DEPTH = 32;
/** Likeliest tokens beside each: OpenAI's limit for conversations. */
const MOST_ALTERNATIVES = 20;
/** Each is added at each token. */
const MOST_BIASES = 1024;
/** OpenAI's default for text completions, in tokens. */
const COMPLETION_TOKENS = 16;

/** A request to an endpoint, checked. */
export interface GenerationRequest<Prompt> {
  readonly model: string;
  readonly prompt: Prompt;
  /** Answers to each prompt. */
  readonly choices: number;
  readonly stream: boolean;
  /** True: a stream ends with the count of tokens. */
  readonly streamUsage: boolean;
  /** Undefined: as long as the window allows. */
  readonly maxNewTokens: number | undefined;
  /** Undefined: no scores of tokens. */
  readonly alternatives: number | undefined;
  /** True: the prompt comes before each answer. */
  readonly echo: boolean;
  /** No temperature: the server's default. */
  readonly sampling: Omit<TokenSampling, "temperature"> &
    Pick<AnswerOptions, "stop" | "seed"> & { readonly temperature: number | undefined };
}

/** A text, texts, tokens or lists of tokens. */
export type CompletionPrompt = string | string[] | number[] | number[][];

const text = z.string().min(1);
const stopText = text.max(MOST_STOP_CHARACTERS);

const COMMON = {
  model: text,
  max_tokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).default(1),
  // Not OpenAI's, but other servers' too.
  top_k: z.int().min(0).default(0),
  repetition_penalty: z.number().min(0.01).default(1),
  frequency_penalty: z.number().min(-2).max(2).default(0),
  presence_penalty: z.number().min(-2).max(2).default(0),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, "expected the number of a token"), z.number().min(-100).max(100))
    .default({}),
  seed: z.int().optional(),
  stop: z.union([stopText, z.array(stopText).max(MOST_STOPS)]).default([]),
  n: z.int().min(1).max(MOST_CHOICES).default(1),
  stream: z.boolean().default(false),
  stream_options: z.strictObject({ include_usage: z.boolean().default(false) }).optional(),
};

const contentSchema = z.union([
  z.string(),
  z.array(z.strictObject({ type: z.literal("text"), text: z.string() })).min(1),
]);

const chatSchema = z.strictObject({
  ...COMMON,
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().default(false),
  top_logprobs: z.int().min(0).max(MOST_ALTERNATIVES).optional(),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(["system", "developer", "user", "assistant"]),
        content: contentSchema,
        /** Accepted and ignored. */
        name: z.string().optional(),
      }),
    )
    .min(1),
});

const completionSchema = z.strictObject({
  ...COMMON,
  max_tokens: z.int().min(0).default(COMPLETION_TOKENS),
  logprobs: z.int().min(0).max(MOST_ALTERNATIVES).optional(),
  echo: z.boolean().default(false),
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int().min(0)).min(1),
    z.array(z.array(z.int().min(0)).min(1)).min(1),
  ]),
});

/** Parameters that do not change an answer. */
const HARMLESS = new Set([
  "user",
  "metadata",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "service_tier",
  "parallel_tool_calls",
]);

/** OpenAI's parameters that are not supported, with the values that have no effect. */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  suffix: [""],
  best_of: [1],
  tools: [[]],
  tool_choice: ["none", "auto"],
  functions: [[]],
  function_call: ["none", "auto"],
  response_format: [{ type: "text" }],
  modalities: [["text"]],
  audio: [],
  prediction: [],
  reasoning_effort: ["none"],
  verbosity: [],
  store: [false],
  web_search_options: [],
};

export function parseChatRequest(body: unknown): GenerationRequest<Message[]> {
  const given = parse(chatSchema, body);
  const { messages, max_tokens, max_completion_tokens } = given;
  if (max_tokens !== undefined && max_completion_tokens !== undefined && max_tokens !== max_completion_tokens) {
    throw invalid(
      "max_tokens",
      `max_tokens is ${max_tokens} but max_completion_tokens is ${max_completion_tokens}: give only one`,
    );
  }
  if (messages.at(-1)!.role === "assistant") {
    throw invalid("messages", "the last message is from the assistant, expected one from the user");
  }
  const prompt = messages.map(({ role, content }): Message => ({
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map((part) => part.text).join(""),
  }));
  const { logprobs, top_logprobs } = given;
  if (top_logprobs !== undefined && !logprobs) {
    throw invalid("top_logprobs", "top_logprobs is valid only with logprobs: true");
  }
  return {
    prompt,
    maxNewTokens: max_completion_tokens ?? max_tokens,
    ...shared(given),
    ...scoresOf(given, logprobs ? (top_logprobs ?? 0) : undefined),
    echo: false,
  };
}

export function parseCompletionRequest(body: unknown): GenerationRequest<CompletionPrompt> {
  const given = parse(completionSchema, body);
  const { prompt, max_tokens, logprobs, echo, stream } = given;
  if (echo && stream) throw notStreamed("echo");
  return { prompt, maxNewTokens: max_tokens, ...shared(given), ...scoresOf(given, logprobs), echo };
}

function scoresOf({ stream }: Common, alternatives: number | undefined): { alternatives: number | undefined } {
  if (alternatives !== undefined && stream) throw notStreamed("logprobs");
  return { alternatives };
}

function notStreamed(parameter: string): ApiError {
  const message = `${parameter} is not supported in a stream. Leave it out, or ask without stream`;
  return invalid(parameter, message, "unsupported_parameter");
}

type Common = z.output<z.ZodObject<typeof COMMON>>;

function shared(
  given: Common,
): Pick<GenerationRequest<never>, "model" | "choices" | "stream" | "streamUsage" | "sampling"> {
  const { model, n, stream, stream_options, stop, seed, ...sampling } = given;
  if (stream_options !== undefined && !stream) {
    throw invalid("stream_options", "stream_options is valid only with stream: true");
  }
  const biases = Object.entries(sampling.logit_bias);
  if (biases.length > MOST_BIASES) {
    throw invalid("logit_bias", `logit_bias names ${biases.length} tokens, expected at most ${MOST_BIASES}`);
  }
  return {
    model,
    choices: n,
    stream,
    streamUsage: stream_options?.include_usage ?? false,
    sampling: {
      temperature: sampling.temperature,
      topP: sampling.top_p,
      topK: sampling.top_k,
      repetitionPenalty: sampling.repetition_penalty,
      frequencyPenalty: sampling.frequency_penalty,
      presencePenalty: sampling.presence_penalty,
      logitBias: new Map(biases.map(([token, bias]) => [Number(token), bias])),
      stop: [stop].flat(),
      seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
    },
  };
}

function parse<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ApiError(400, "the body is not a JSON object");
  }
  // Ignored ones may hold anything.
  const given = Object.fromEntries(Object.entries(body).filter(([key]) => !HARMLESS.has(key)));
  checkNesting(given);
  const asked = withoutNulls(given) as Record<string, unknown>;
  for (const [key, value] of Object.entries(asked)) {
    if (!Object.hasOwn(UNSUPPORTED, key)) continue;
    const harmless = UNSUPPORTED[key]!.map((each) => JSON.stringify(each));
    if (!harmless.includes(JSON.stringify(value))) {
      const legal = harmless.length === 0 ? "" : `, or set it to ${harmless.join(" or ")}`;
      throw invalid(key, `${key} is not supported by this server. Leave it out${legal}`, "unsupported_parameter");
    }
    delete asked[key];
  }
  const parsed = schema.safeParse(asked);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const problem = explainAll(issues, asked, z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys");
  const path = unknown === undefined ? issues[0]!.path : [...unknown.path, unknown.keys[0]!];
  const param = path.map((part, i) =>
    typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${excerpt(String(part))}`,
  );
  throw invalid(param.join(""), withHint(problem));
}

function invalid(param: string, message: string, code?: string): ApiError {
  return new ApiError(400, message, { param, ...(code === undefined ? {} : { code }) });
}

/**
 * Checks the whole body level by level, so that the work that follows may be recursive.
 *
 * @throws ApiError where it is too deep, or a text holds half of a surrogate pair.
 */
function checkNesting(body: Record<string, unknown>): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEPTH) throw new ApiError(400, `the body is nested more than ${MOST_DEPTH} levels deep`);
    level = level.flatMap((value): unknown[] => {
      if (typeof value === "string" && /\p{Surrogate}/u.test(value)) {
        throw new ApiError(400, "a text of the body holds half of a surrogate pair, so it is not Unicode text");
      }
      return typeof value === "object" && value !== null ? Object.values(value) : [];
    });
  }
}

/** Removes nulls, which OpenAI's clients send for parameters that are not set. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]));
}
