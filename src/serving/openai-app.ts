import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { type Access, type AccessLog, accessLog } from "./access-log.ts";
import { jsonBody, requireKey, requireLoopbackName } from "./access.ts";
import type { Answerer } from "./answerer.ts";
import { ApiError, asApiError } from "./api-error.ts";
import { CHAT, COMPLETION } from "./reply.ts";
import {
  type CompletionPrompt,
  type GenerationRequest,
  MOST_CHOICES,
  parseChatRequest,
  parseCompletionRequest,
} from "./request.ts";
import { type Prompt, respond, type Responder } from "./respond.ts";

export interface OpenAiAppOptions {
  /** Undefined: no key is needed, and only requests to a loopback name are answered. */
  readonly apiKey?: string | undefined;
  /** Origins of web pages that may send requests; default: none. */
  readonly allowOrigins?: readonly string[] | undefined;
  /** Of requests that name none; default 0, the likeliest token every time. */
  readonly temperature?: number | undefined;
  /** Its abort cuts off the answers under way. */
  readonly stopping?: AbortSignal | undefined;
  readonly onAccess?: ((access: Access) => void) | undefined;
  /** Gets an error that is a defect of this program, not a mistake of the client. */
  readonly onDefect?: ((error: unknown) => void) | undefined;
}

const MOST_BODY_BYTES = 1 << 20;

/** Makes the endpoints of OpenAI's API that a model answers, as a web-standard handler: `fetch(request)`. */
export function openAiApp(answerer: Answerer, options: OpenAiAppOptions = {}): Hono<AccessLog> {
  const { apiKey, allowOrigins = [], temperature = 0, stopping, onAccess, onDefect } = options;
  const app = new Hono<AccessLog>();
  const created = Math.floor(Date.now() / 1000);
  const [base] = answerer.names;
  const running = new Set<AbortController>();
  const responder: Responder = { answerer, running, onDefect, temperature };
  stopping?.addEventListener("abort", () => {
    for (const each of running) each.abort();
  });

  // Before any check: what asks is a supervisor of processes, which has no key. It is not logged, since it asks for ever.
  app.get("/health", (c) => c.json({ status: "ok" }));
  app.use(accessLog(onAccess));
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
    if (name === answerer.reference) return base;
    const near = nearest(name, answerer.names);
    const guess = near === undefined ? "" : `Did you mean '${near}'? `;
    const message = `there is no model '${excerpt(name)}'. ${guess}There are: ${answerer.names.join(", ")}`;
    throw new ApiError(404, message, { param: "model", code: "model_not_found" });
  };

  app.get("/v1/models", (c) => c.json({ object: "list", data: answerer.names.map(modelObject) }));
  app.get("/v1/models/:id{.+}", (c) => c.json(modelObject(known(c.req.param("id")))));
  app.post("/v1/chat/completions", async (c) => {
    const request = parseChatRequest(await jsonBody(c));
    c.get("noted").model = excerpt(request.model);
    const model = known(request.model);
    const tokens = answerer.encodeConversation(request.prompt);
    return respond(c, CHAT, { ...request, model }, [{ tokens, text: "", tokensBefore: 0 }], responder);
  });
  app.post("/v1/completions", async (c) => {
    const request = parseCompletionRequest(await jsonBody(c));
    c.get("noted").model = excerpt(request.model);
    const model = known(request.model);
    return respond(c, COMPLETION, { ...request, model }, promptsOf(request, answerer), responder);
  });
  for (const [path, method] of Object.entries(ENDPOINTS)) {
    app.all(path, (c) => {
      c.header("allow", method);
      throw new ApiError(405, `${c.req.path} takes ${method}, got ${c.req.method}`);
    });
  }
  app.notFound((c) => {
    const endpoints = Object.entries(ENDPOINTS).map(([path, method]) => `${method} ${path}`);
    const message = `there is no endpoint ${excerpt(c.req.path)}. There are: ${endpoints.join(", ")}`;
    return c.json(new ApiError(404, message, { code: "unknown_url" }).body, 404);
  });
  return app;
}

const ENDPOINTS = { "/health": "GET", "/v1/models": "GET", "/v1/chat/completions": "POST", "/v1/completions": "POST" };

function promptsOf({ prompt, choices }: GenerationRequest<CompletionPrompt>, answerer: Answerer): Prompt[] {
  const list = typeof prompt === "string" || typeof prompt[0] === "number" ? [prompt as string | number[]] : prompt;
  if (list.length * choices > MOST_CHOICES) {
    const message = `${list.length} prompts with ${choices} answers each, expected at most ${MOST_CHOICES} answers`;
    throw new ApiError(400, `${message}. Send several requests`, { param: "prompt" });
  }
  return (list as (string | number[])[]).map((each, i) => {
    const prompt: Prompt =
      typeof each === "string"
        ? { tokens: answerer.encodeText(each), text: each, tokensBefore: answerer.tokensBeforeText }
        : { tokens: answerer.encodeTokens(each), text: answerer.decodeTokens(each), tokensBefore: 0 };
    if (prompt.tokens.length > 0) return prompt;
    throw new ApiError(400, `prompt ${i + 1} is empty, expected at least one token`, { param: "prompt" });
  });
}
