import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { nearest } from "../diagnostics/nearest.ts";
import type { GeneratedText } from "../decode/text-generator.ts";
import { jsonBody, requireKey, requireLoopbackName } from "./access.ts";
import { type Answerer, tooLong } from "./answerer.ts";
import { ApiError, asApiError, withHint } from "./api-error.ts";
import { eventStream } from "./event-stream.ts";
import { CHAT, COMPLETION, Reply, type ReplyForm, type Usage, usageOf } from "./reply.ts";
import {
  type CompletionPrompt,
  type GenerationRequest,
  MOST_CHOICES,
  parseChatRequest,
  parseCompletionRequest,
} from "./request.ts";

/** One request that has ended, for a log. Key and text are not in it. */
export interface Access {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** As the client names it, which need not be a model there is. */
  readonly model?: string;
  readonly promptTokens?: number;
  readonly answerTokens?: number;
  /** True: the client left before the end. */
  readonly left: boolean;
  readonly seconds: number;
}

export interface OpenAiAppOptions {
  /** Undefined: no key is needed, and only requests that name this machine are answered. */
  readonly apiKey?: string | undefined;
  /** Origins of web pages that may ask; default: none. */
  readonly allowOrigins?: readonly string[] | undefined;
  /** Aborted, it cuts off what is being answered. */
  readonly stopping?: AbortSignal | undefined;
  readonly onAccess?: ((access: Access) => void) | undefined;
  /** Gets an error that is a defect of this program, not a mistake of the client. */
  readonly onDefect?: ((error: unknown) => void) | undefined;
}

const MOST_BODY_BYTES = 1 << 20;
/** Requests that are answered or wait; more are refused. */
const MOST_REQUESTS = 128;

type Noted = { -readonly [K in keyof Access]: Access[K] };
interface Env {
  Variables: {
    /** The entry of the log, as far as it is known. */
    readonly noted: Noted;
    /** A streamed answer is not at its end when its response is there. */
    streamed: Promise<void> | undefined;
  };
}

/** The endpoints of OpenAI's API that a model answers, as a web-standard handler: `fetch(request)`. */
export function openAiApp(answerer: Answerer, options: OpenAiAppOptions = {}): Hono<Env> {
  const { apiKey, allowOrigins = [], stopping, onAccess, onDefect } = options;
  const app = new Hono<Env>();
  const created = Math.floor(Date.now() / 1000);
  const [base] = answerer.names;
  const running = new Set<AbortController>();
  stopping?.addEventListener("abort", () => {
    for (const each of running) each.abort();
  });

  app.use(async (c, next) => {
    const started = performance.now();
    const { method, path } = c.req;
    const noted: Noted = { method, path, status: 0, left: false, seconds: 0 };
    c.set("noted", noted);
    await next();
    const tell = (): void =>
      onAccess?.({ ...noted, status: c.res.status, seconds: (performance.now() - started) / 1000 });
    void (c.get("streamed") ?? Promise.resolve()).then(tell);
  });
  if (allowOrigins.length > 0) app.use(cors({ origin: [...allowOrigins] }));
  app.use(apiKey === undefined ? requireLoopbackName : requireKey(apiKey));
  app.use(
    bodyLimit({
      maxSize: MOST_BODY_BYTES,
      onError: (c) => {
        // The rest of the body is not read, so nothing can follow it.
        c.header("connection", "close");
        throw new ApiError(413, `the body has more than ${MOST_BODY_BYTES} bytes`);
      },
    }),
  );
  app.onError((thrown, c) => {
    const error = asApiError(thrown);
    if (error.status === 500) onDefect?.(thrown);
    return c.json(error.body, error.status);
  });

  const modelObject = (id: string): object => ({
    id,
    object: "model",
    created,
    owned_by: "openfedllm",
    ...(id === base ? {} : { parent: base }),
  });
  const known = (name: string): string => {
    if (answerer.names.includes(name)) return name;
    const near = nearest(name, answerer.names);
    const guess = near === undefined ? "" : `Did you mean '${near}'? `;
    const message = `there is no model '${name}'. ${guess}There are: ${answerer.names.join(", ")}`;
    throw new ApiError(404, message, { param: "model", code: "model_not_found" });
  };

  const reply = async (
    c: Context<Env>,
    form: ReplyForm,
    { model, choices, maxNewTokens = answerer.maxLength, sampling, ...asked }: GenerationRequest<unknown>,
    prompts: readonly Int32Array[],
  ): Promise<Response> => {
    for (const { length } of prompts) {
      if (length < answerer.maxLength) continue;
      const message = withHint(tooLong(length, answerer.maxLength));
      throw new ApiError(400, message, {
        code: "context_length_exceeded",
        param: form === CHAT ? "messages" : "prompt",
      });
    }
    if (running.size >= MOST_REQUESTS)
      throw new ApiError(503, "too many requests at once; try again", { code: "overloaded" });
    const noted = c.get("noted");
    const controller = new AbortController();
    const leave = (): void => {
      noted.left = true;
      controller.abort();
    };
    c.req.raw.signal.addEventListener("abort", leave);
    const all = prompts.flatMap((prompt) => Array<Int32Array>(choices).fill(prompt));
    const answer = async (onText?: (piece: string, choice: number) => void): Promise<[GeneratedText[], Usage]> => {
      running.add(controller);
      try {
        const answers = await answerer.answer(model, all, {
          ...sampling,
          maxNewTokens,
          continues: form === COMPLETION ? true : undefined,
          onText,
          signal: controller.signal,
        });
        const usage = usageOf(prompts, answers);
        noted.promptTokens = usage.prompt_tokens;
        noted.answerTokens = usage.completion_tokens;
        return [answers, usage];
      } catch (thrown) {
        // Nobody reads it where the client has left.
        if (thrown instanceof Error && thrown.name === "AbortError") throw new ApiError(503, "the server is stopping");
        throw thrown;
      } finally {
        running.delete(controller);
        c.req.raw.signal.removeEventListener("abort", leave);
      }
    };
    const objects = new Reply(form, model);
    if (!asked.stream) return c.json(objects.whole(...(await answer())));

    const stream = eventStream(leave);
    const write = async (): Promise<void> => {
      all.forEach((_, choice) => {
        const opening = objects.opening(choice);
        if (opening !== undefined) stream.send(opening);
      });
      try {
        const [answers, usage] = await answer((piece, choice) => stream.send(objects.piece(choice, piece)));
        answers.forEach((each, choice) => stream.send(objects.end(choice, each)));
        if (asked.streamUsage) stream.send(objects.usage(usage));
        stream.send("[DONE]");
      } catch (thrown) {
        const error = asApiError(thrown);
        if (error.status === 500) onDefect?.(thrown);
        stream.send(error.body);
      }
      stream.end();
    };
    c.set("streamed", write());
    return stream.response;
  };

  app.get("/v1/models", (c) => c.json({ object: "list", data: answerer.names.map(modelObject) }));
  app.get("/v1/models/:id{.+}", (c) => c.json(modelObject(known(c.req.param("id")))));
  app.post("/v1/chat/completions", async (c) => {
    const request = parseChatRequest(await jsonBody(c));
    c.get("noted").model = request.model;
    known(request.model);
    return reply(c, CHAT, request, [answerer.encodeConversation(request.prompt)]);
  });
  app.post("/v1/completions", async (c) => {
    const request = parseCompletionRequest(await jsonBody(c));
    c.get("noted").model = request.model;
    known(request.model);
    return reply(c, COMPLETION, request, promptsOf(request, answerer));
  });
  for (const [path, method] of Object.entries(ENDPOINTS)) {
    app.all(path, (c) => {
      c.header("allow", method);
      throw new ApiError(405, `${c.req.path} takes ${method}, got ${c.req.method}`);
    });
  }
  app.notFound((c) => {
    const endpoints = Object.entries(ENDPOINTS).map(([path, method]) => `${method} ${path}`);
    const message = `there is no endpoint ${c.req.path}. There are: ${endpoints.join(", ")}`;
    return c.json(new ApiError(404, message, { code: "unknown_url" }).body, 404);
  });
  return app;
}

const ENDPOINTS = { "/v1/models": "GET", "/v1/chat/completions": "POST", "/v1/completions": "POST" };

function promptsOf({ prompt, choices }: GenerationRequest<CompletionPrompt>, answerer: Answerer): Int32Array[] {
  const list = typeof prompt === "string" || typeof prompt[0] === "number" ? [prompt as string | number[]] : prompt;
  if (list.length * choices > MOST_CHOICES) {
    const message = `${list.length} prompts with ${choices} answers each, expected at most ${MOST_CHOICES} answers`;
    throw new ApiError(400, `${message}. Send several requests`, { param: "prompt" });
  }
  return (list as (string | number[])[]).map((each, i) => {
    const tokens = typeof each === "string" ? answerer.encodeText(each) : answerer.encodeTokens(each);
    if (tokens.length > 0) return tokens;
    throw new ApiError(400, `prompt ${i + 1} is empty, so there is nothing to go on from`, { param: "prompt" });
  });
}
