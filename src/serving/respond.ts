import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { ScoredText } from "../decode/scored-text.ts";
import type { GeneratedText } from "../decode/text-generator.ts";
import type { AccessLog } from "./access-log.ts";
import { type Answerer, tooLong } from "./answerer.ts";
import { ApiError, asApiError, withHint } from "./api-error.ts";
import { CHAT, COMPLETION, Reply, type ReplyForm, type Usage, usageOf } from "./reply.ts";
import type { GenerationRequest } from "./request.ts";

/** Requests that are answered or wait; more are refused. */
const MOST_REQUESTS = 128;

/** The model and the requests that it works on. */
export interface Responder {
  readonly answerer: Answerer;
  readonly running: Set<AbortController>;
  /** Gets an error that is a defect of this program, not a mistake of the client. */
  readonly onDefect: ((error: unknown) => void) | undefined;
  /** Of requests that name none. */
  readonly temperature: number;
}

/** A prompt, as tokens and as the text that an echo shows. */
export interface Prompt {
  readonly tokens: Int32Array;
  readonly text: string;
  /** Number of its first tokens that are no part of the text. */
  readonly tokensBefore: number;
}

/** Generates all answers to a request; `onText` gets each piece of them. */
type Generate = (
  onText?: (piece: string, choice: number) => void,
) => Promise<readonly [answers: GeneratedText[], usage: Usage]>;

/**
 * Answers prompts, as one object or as a stream of pieces. The generation stops when the client leaves.
 *
 * @throws ApiError for a prompt that is too long, and where too many requests wait.
 */
export async function respond(
  c: Context<AccessLog>,
  form: ReplyForm,
  { model, choices, maxNewTokens, alternatives, sampling, ...request }: GenerationRequest<unknown>,
  given: readonly Prompt[],
  { answerer, running, onDefect, temperature }: Responder,
): Promise<Response> {
  const prompts = given.map(({ tokens }) => tokens);
  checkLengths(prompts, answerer.maxLength, form);
  // Refuses tokens that are not there.
  answerer.encodeTokens([...sampling.logitBias.keys()]);
  if (running.size >= MOST_REQUESTS) {
    throw new ApiError(503, "too many requests at once; try again", { code: "overloaded" });
  }
  const noted = c.get("noted");
  const controller = new AbortController();
  const leave = (): void => {
    noted.left = true;
    controller.abort();
  };
  const { signal: left } = c.req.raw;
  left.addEventListener("abort", leave);
  const all = prompts.flatMap((prompt) => Array<Int32Array>(choices).fill(prompt));
  const generate: Generate = async (onText) => {
    running.add(controller);
    try {
      const answers = await answerer.answer(model, all, {
        ...sampling,
        temperature: sampling.temperature ?? temperature,
        alternatives,
        maxNewTokens: maxNewTokens ?? answerer.maxLength,
        continues: form === COMPLETION ? true : undefined,
        onText,
        signal: controller.signal,
      });
      const usage = usageOf(prompts, answers);
      noted.promptTokens = usage.prompt_tokens;
      noted.answerTokens = usage.completion_tokens;
      if (!request.echo) return [answers, usage];
      const { signal } = controller;
      const before = await Promise.all(
        given.map(async (prompt) =>
          alternatives === undefined
            ? undefined
            : scoredPrompt(prompt, await answerer.scorePrompt(model, prompt.tokens, { alternatives, signal })),
        ),
      );
      const echoed = answers.map((answer, i) =>
        withPrompt(answer, given[Math.floor(i / choices)]!, before[Math.floor(i / choices)]),
      );
      return [echoed, usage];
    } catch (thrown) {
      // Nobody reads it where the client has left.
      if (thrown instanceof Error && thrown.name === "AbortError") throw new ApiError(503, "the server is stopping");
      throw thrown;
    } finally {
      running.delete(controller);
      left.removeEventListener("abort", leave);
    }
  };
  const objects = new Reply(form, model);
  if (!request.stream) return c.json(objects.whole(...(await generate())));
  const withUsage = request.streamUsage;
  let end!: () => void;
  c.set("streamed", new Promise<void>((resolve) => (end = resolve)));
  return streamSSE(c, async (stream) => {
    stream.onAbort(leave);
    await writeStream(stream, objects, generate, { choices: all.length, withUsage, onDefect });
    end();
  });
}

/** Places the tokens of a prompt in its text. */
function scoredPrompt({ tokensBefore }: Prompt, scored: ScoredText): ScoredText {
  const start = scored[tokensBefore]?.offset ?? 0;
  return scored.map((each) => ({ ...each, offset: Math.max(0, each.offset - start) }));
}

function withPrompt(answer: GeneratedText, { text }: Prompt, before: ScoredText | undefined): GeneratedText {
  const echoed = { ...answer, text: text + answer.text };
  if (before === undefined || answer.scored === undefined) return echoed;
  const { length } = Array.from(text);
  return {
    ...echoed,
    scored: [...before, ...answer.scored.map((each) => ({ ...each, offset: each.offset + length }))],
  };
}

function checkLengths(prompts: readonly Int32Array[], maxLength: number, form: ReplyForm): void {
  const long = prompts.find(({ length }) => length >= maxLength);
  if (long === undefined) return;
  throw new ApiError(400, withHint(tooLong(long.length, maxLength)), {
    code: "context_length_exceeded",
    param: form === CHAT ? "messages" : "prompt",
  });
}

/** Writes the pieces of answers as server-sent events. A reader that has left gets nothing. */
async function writeStream(
  stream: SSEStreamingApi,
  objects: Reply,
  generate: Generate,
  {
    choices,
    withUsage,
    onDefect,
  }: Pick<Responder, "onDefect"> & { readonly choices: number; readonly withUsage: boolean },
): Promise<void> {
  let written = Promise.resolve();
  const send = (data: object | "[DONE]"): void => {
    written = written.then(() => stream.writeSSE({ data: data === "[DONE]" ? data : JSON.stringify(data) }));
  };
  for (let choice = 0; choice < choices; choice++) {
    const opening = objects.opening(choice);
    if (opening !== undefined) send(opening);
  }
  try {
    const [answers, usage] = await generate((piece, choice) => send(objects.piece(choice, piece)));
    answers.forEach((each, choice) => send(objects.end(choice, each)));
    if (withUsage) send(objects.usage(usage));
    send("[DONE]");
  } catch (thrown) {
    const error = asApiError(thrown);
    if (error.status === 500) onDefect?.(thrown);
    send(error.body);
  }
  await written;
}
