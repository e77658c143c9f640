import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI, { APIError } from "openai";
import { afterAll, describe, expect, test } from "vitest";
import { openInferenceEngine } from "../src/decode/inference-engine.ts";
import { openFittingAdapter } from "../src/jobs/fitting-adapter.ts";
import { type HttpServer, serveOpenAi, type ServeOptions } from "../src/node/http-server.ts";
import { loadAnswerer } from "../src/jobs/load-answerer.ts";
import { nodePlatform } from "../src/node/platform.ts";
import type { Access } from "../src/serving/access-log.ts";
import { writeTinyAdapter, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-serve-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const model = writeTinyModel(path.join(folder, "tiny"));
const adapters = [
  { name: "bank", folder: await writeTinyAdapter(path.join(folder, "bank"), model, { seed: 1 }) },
  { name: "clinic", folder: await writeTinyAdapter(path.join(folder, "clinic"), model, { seed: 2 }) },
  // Of another shape: it has a decoder of its own.
  { name: "workshop", folder: await writeTinyAdapter(path.join(folder, "workshop"), model, { seed: 3, rank: 2 }) },
];
const NAMES = ["tiny", "bank", "clinic", "workshop"];
const WINDOW = 512;

const platform = nodePlatform({ threads: 1 });
const answerer = await loadAnswerer({ model, adapters }, platform);
const accesses: Access[] = [];
const server = await serve({ onAccess: (access) => accesses.push(access) });
const client = clientOf(server);
const stops: (() => Promise<void>)[] = [];

afterAll(async () => {
  await Promise.all([server.stop(), ...stops.map((stop) => stop())]);
  await answerer.dispose();
  rmSync(folder, { recursive: true });
});

async function serve(options: ServeOptions): Promise<HttpServer> {
  return serveOpenAi(answerer, options);
}

function clientOf({ url }: HttpServer, apiKey = "any"): OpenAI {
  return new OpenAI({ baseURL: url, apiKey, maxRetries: 0 });
}

const ask = (content: string) => [{ role: "user" as const, content }];
const greedy = { temperature: 0, max_tokens: 24 };

/** The greedy answer of one model opened for this alone: no server, no other adapter, no neighbour. */
async function alone(name: string, question: string | Int32Array, maxNewTokens = 24): Promise<string> {
  const adapter = adapters.find((each) => each.name === name)?.folder;
  const base = await platform.openModel(model);
  const { runtime } = platform;
  const engine = openInferenceEngine({ runtime, base, template: "chat", maxLength: WINDOW });
  const generator = await engine.withAdapter(
    adapter === undefined ? undefined : await openFittingAdapter(platform, base, adapter),
  );
  const prompt = typeof question === "string" ? generator.encode(ask(question)) : question;
  const [answer] = await generator.generate([prompt], { maxNewTokens, seed: 0 });
  await engine.dispose();
  return answer!.text;
}

async function chat(name: string, question: string, more: object = {}): Promise<string> {
  const reply = await client.chat.completions.create({ model: name, messages: ask(question), ...greedy, ...more });
  return reply.choices[0]!.message.content!;
}

async function failure(work: Promise<unknown>): Promise<APIError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

/** Resolves once so many more requests have ended than had at the call. */
async function ended(count: number): Promise<Access[]> {
  const before = accesses.length;
  while (accesses.length < before + count) await new Promise((resolve) => setTimeout(resolve, 5));
  return accesses.slice(before);
}

describe("models", () => {
  test("are the base and the adapters by name", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(NAMES);
    expect(await client.models.retrieve(model)).toMatchObject({ id: "tiny" });
    expect(await client.models.retrieve("clinic")).toMatchObject({ id: "clinic", object: "model", parent: "tiny" });
  });

  test("that are not there are a 404 with the nearest name", async () => {
    const error = await failure(chat("clinc", "Hello"));
    expect(error).toMatchObject({
      status: 404,
      code: "model_not_found",
      param: "model",
      type: "invalid_request_error",
    });
    expect(error.message).toMatch(
      /no model 'clinc'\. Did you mean 'clinic'\? There are: tiny, bank, clinic, workshop$/,
    );
    expect(await failure(client.models.retrieve("nothing"))).toMatchObject({ status: 404 });
  });
});

describe("chat", () => {
  test("every name answers as its adapter does when it is opened alone", async () => {
    const answers = await Promise.all(NAMES.map((name) => chat(name, "What is a loan?")));
    expect(answers).toEqual(await Promise.all(NAMES.map((name) => alone(name, "What is a loan?"))));
    expect(new Set(answers).size).toBe(NAMES.length);
  });

  test("requests at once answer as if alone, whatever runs beside them", async () => {
    const asked = Array.from({ length: 12 }, (_, i) => [NAMES[i % 4]!, `Question ${"?".repeat(i * 9)}`] as const);
    const together = await Promise.all(asked.map(([name, question]) => chat(name, question)));
    const each: string[] = [];
    for (const [name, question] of asked) each.push(await alone(name, question));
    expect(together).toEqual(each);
  });

  test("a reply says how long prompt and answer are, and why it ended", async () => {
    const messages = [{ role: "developer" as const, content: "Be kind." }, ...ask("Hi")];
    const reply = await client.chat.completions.create({ model: "bank", messages, ...greedy, max_tokens: 5 });
    const prompt = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    // One token a byte, and one for each special one.
    const length = prompt.replaceAll(/<\|im_\w+\|>/g, "x").length;
    expect(reply.usage).toEqual({ prompt_tokens: length, completion_tokens: 5, total_tokens: length + 5 });
    expect(reply).toMatchObject({ object: "chat.completion", model: "bank", choices: [{ finish_reason: "length" }] });
    expect(reply.choices[0]!.message.role).toBe("assistant");
  });

  test("content in parts is the text they are together", async () => {
    const content = ["What is ", "a loan?"].map((text) => ({ type: "text" as const, text }));
    const messages = [{ role: "user" as const, content }];
    const reply = await client.chat.completions.create({ model: "bank", messages, ...greedy });
    expect(reply.choices[0]!.message.content).toBe(await chat("bank", "What is a loan?"));
  });

  test("an answer that nothing else ends fills the window", async () => {
    const messages = ask("x".repeat(400));
    const reply = await client.chat.completions.create({ model: "clinic", messages, temperature: 0 });
    const [{ finish_reason }] = reply.choices as [OpenAI.ChatCompletion.Choice];
    if (finish_reason === "length") expect(reply.usage!.total_tokens).toBe(WINDOW);
    else expect(reply.usage!.total_tokens).toBeLessThan(WINDOW);
  });
});

describe("a stream", () => {
  test("holds the same text piece by piece, then the reason, then the count where it is asked for", async () => {
    for (const name of NAMES) {
      const request = { model: name, messages: ask("What is a loan?"), ...greedy, stream: true as const };
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      const options = { include_usage: true };
      for await (const chunk of await client.chat.completions.create({ ...request, stream_options: options })) {
        chunks.push(chunk);
      }
      const last = chunks.pop()!;
      expect(last).toMatchObject({ choices: [], usage: { completion_tokens: 24 } });
      expect(chunks[0]!.choices[0]!.delta).toEqual({ role: "assistant", content: "" });
      expect(chunks.at(-1)!.choices[0]).toMatchObject({ delta: {}, finish_reason: "length" });
      expect(chunks.slice(0, -1).every(({ choices }) => choices[0]!.finish_reason === null)).toBe(true);
      expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
      expect(chunks.map(({ choices }) => choices[0]!.delta.content ?? "").join("")).toBe(
        await chat(name, "What is a loan?"),
      );
      const bare: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of await client.chat.completions.create(request)) bare.push(chunk);
      expect(bare).toHaveLength(chunks.length);
    }
  });

  test("of several choices tells them apart", async () => {
    const request = { model: "bank", messages: ask("Count"), max_tokens: 12, temperature: 1.5, seed: 4, n: 3 };
    const whole = await client.chat.completions.create(request);
    const texts = ["", "", ""];
    for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
      for (const { index, delta } of choices) texts[index] += delta.content ?? "";
    }
    expect(texts).toEqual(whole.choices.map(({ message }) => message.content));
    expect(new Set(texts).size).toBe(3);
  });

  test("whose reader leaves ends the generation, and the next request is answered", async () => {
    const noted = ended(1);
    const request = { model: "tiny", messages: ask("Go on"), temperature: 1, seed: 3, stream: true as const };
    const endless = await client.chat.completions.create({ ...request, max_tokens: 400 });
    const seen: string[] = [];
    for await (const { id } of endless) if (seen.push(id) === 3) break;
    endless.controller.abort();
    expect(await noted).toMatchObject([{ left: true, model: "tiny", path: "/v1/chat/completions" }]);
    expect(accesses.at(-1)!.answerTokens).toBeUndefined();
    expect(await chat("tiny", "Still there?")).toBe(await alone("tiny", "Still there?"));
  });
});

test("a client that does not wait for a whole answer ends it too", async () => {
  const noted = ended(1);
  const leaving = new AbortController();
  const request = { model: "tiny", messages: ask("Go on"), temperature: 1, seed: 3, max_tokens: 400 };
  const reply = client.chat.completions.create(request, { signal: leaving.signal });
  setTimeout(() => leaving.abort(), 50);
  await expect(reply).rejects.toThrow(/abort/i);
  expect(await noted).toMatchObject([{ left: true }]);
  expect(await chat("bank", "Still there?")).toBe(await alone("bank", "Still there?"));
});

describe("completions", () => {
  test("go on from a text, from tokens, and from several at once", async () => {
    const want = await alone("clinic", Int32Array.from(answerer.encodeText("Once upon a")));
    const complete = (prompt: string | string[] | number[] | number[][], more: object = {}) =>
      client.completions.create({ model: "clinic", prompt, ...greedy, ...more });
    const tokens = [...answerer.encodeText("Once upon a")];
    for (const prompt of ["Once upon a", tokens, ["Once upon a"], [tokens]]) {
      expect((await complete(prompt)).choices.map(({ text }) => text)).toEqual([want]);
    }
    const other = await alone("clinic", answerer.encodeText("Twice"));
    const both = await complete(["Once upon a", "Twice"], { n: 2 });
    expect(both.choices.map(({ text, index }) => [index, text])).toEqual(
      [want, want, other, other].map((t, i) => [i, t]),
    );
    expect(both.usage).toMatchObject({ prompt_tokens: tokens.length + 5 });
    let streamed = "";
    const request = { model: "clinic", prompt: "Once upon a", ...greedy, stream: true as const };
    for await (const { choices } of await client.completions.create(request)) streamed += choices[0]!.text;
    expect(streamed).toBe(want);
  });

  test("have OpenAI's 16 tokens where nothing is said", async () => {
    const { usage } = await client.completions.create({ model: "bank", prompt: "a", temperature: 0 });
    expect(usage!.completion_tokens).toBeLessThanOrEqual(16);
    expect(usage!.completion_tokens).toBe(
      (await client.completions.create({ model: "bank", prompt: "a", temperature: 0, max_tokens: 16 })).usage!
        .completion_tokens,
    );
  });
});

describe("scores of tokens", () => {
  const prompt = "A vault, é.";
  const complete = (more: object) =>
    client.completions.create({ model: "clinic", prompt, temperature: 0, max_tokens: 6, ...more });

  /** The log-probability of each token after those before it: one call a token, by the way that benchmarks take. */
  async function scoresOf(tokens: Int32Array): Promise<number[]> {
    const base = await platform.openModel(model);
    const engine = openInferenceEngine({ runtime: platform.runtime, base, template: "none", maxLength: WINDOW });
    const folder = adapters.find(({ name }) => name === "clinic")!.folder;
    const generator = await engine.withAdapter(await openFittingAdapter(platform, base, folder));
    const scores: number[] = [];
    for (let i = 1; i < tokens.length; i++) {
      const [score] = await generator.likelihoods(tokens.slice(0, i), [[tokens[i]!]]);
      scores.push(score!.logProbability);
    }
    await engine.dispose();
    return scores;
  }

  test("of a prompt and its answer, echoed", async () => {
    const { choices } = await complete({ echo: true, logprobs: 2 });
    const { text, logprobs } = choices[0]!;
    expect(text).toBe(prompt + (await complete({})).choices[0]!.text);
    const { tokens, token_logprobs, top_logprobs, text_offset } = logprobs!;
    // A token a byte: é has two, which are no text alone.
    expect(tokens!.slice(0, 12)).toEqual([...Array.from("A vault, "), "\uFFFD", "\uFFFD", "."]);
    expect(text_offset!.slice(0, 13)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11]);
    const want = await scoresOf(answerer.encodeText(prompt));
    expect(token_logprobs![0]).toBeNull();
    expect(top_logprobs![0]).toBeNull();
    token_logprobs!.slice(1, 12).forEach((score, i) => expect(score).toBeCloseTo(want[i]!, 4));
    tokens!.slice(12).forEach((token, i) => {
      // Greedy: the chosen token is the likeliest.
      const top = top_logprobs![12 + i]!;
      expect(Math.max(...Object.values(top))).toBeCloseTo(top[token]!, 6);
      expect(Object.keys(top).length).toBeLessThanOrEqual(2);
    });
  });

  test("of a prompt alone", async () => {
    const { choices, usage } = await complete({ echo: true, logprobs: 0, max_tokens: 0 });
    expect(choices[0]).toMatchObject({ text: prompt, finish_reason: "length" });
    expect(choices[0]!.logprobs!.tokens).toHaveLength(12);
    expect(usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 0 });
  });

  test("of an answer in a conversation", async () => {
    const request = { model: "bank", messages: ask("What is a loan?"), temperature: 0, max_tokens: 5 };
    const { choices } = await client.chat.completions.create({ ...request, logprobs: true, top_logprobs: 3 });
    const { content } = choices[0]!.logprobs!;
    expect(
      content!
        .map(({ token }) => token)
        .join("")
        .replaceAll("\uFFFD", ""),
    ).toBe(choices[0]!.message.content!.replaceAll("\uFFFD", ""));
    for (const { token, logprob, bytes, top_logprobs } of content!) {
      expect(top_logprobs).toHaveLength(3);
      expect(top_logprobs[0]!.logprob).toBe(logprob);
      expect(logprob).toBeLessThan(0);
      if (!token.includes("\uFFFD")) expect(new TextDecoder().decode(Uint8Array.from(bytes!))).toBe(token);
    }
  });

  test("are the model's own, whatever penalties and biases choose", async () => {
    const [plain] = (await complete({ logprobs: 1, max_tokens: 1 })).choices;
    const [id] = answerer.encodeText("Q");
    const [forced] = (await complete({ logprobs: 1, max_tokens: 1, logit_bias: { [id!]: 100 } })).choices;
    expect(forced!.text).toBe("Q");
    const likeliest = plain!.logprobs!.tokens![0]!;
    expect(forced!.logprobs!.top_logprobs![0]![likeliest]).toBeCloseTo(plain!.logprobs!.token_logprobs![0]!, 5);
    expect(forced!.logprobs!.token_logprobs![0]!).toBeLessThan(plain!.logprobs!.token_logprobs![0]!);
  });
});

test("a token that was written is less likely again under a penalty", async () => {
  const [id] = answerer.encodeText("Q");
  const [other] = answerer.encodeText("Z");
  const logit_bias = { [id!]: 60, [other!]: 50 };
  const write = async (more: object): Promise<string> => {
    const request = { model: "bank", prompt: "a", temperature: 0, max_tokens: 12, logit_bias, ...more };
    return (await client.completions.create(request)).choices[0]!.text;
  };
  expect(await write({})).toBe("Q".repeat(12));
  expect(await write({ presence_penalty: 2 })).toBe("Q".repeat(12));
  // Each Q costs 2, until Z is likelier.
  expect(await write({ frequency_penalty: 2 })).toMatch(/^Q{3,8}Z/);
});

test("a request that names no temperature gets the server's", async () => {
  const plain = { model: "workshop", messages: ask("Say something"), max_tokens: 24 };
  const answerOf = async (one: OpenAI, more: object = {}) =>
    (await one.chat.completions.create({ ...plain, seed: 5, ...more })).choices[0]!.message.content!;
  expect(await answerOf(client)).toBe(await chat("workshop", "Say something"));
  const warm = await serve({ temperature: 1.5 });
  stops.push(() => warm.stop());
  expect(await answerOf(clientOf(warm))).toBe(await answerOf(client, { temperature: 1.5 }));
});

describe("stop strings", () => {
  test("end an answer before the first of them, streamed or not", async () => {
    const whole = await chat("bank", "What is a loan?");
    const characters = Array.from(whole);
    const stop = characters.slice(6, 8).join("");
    const want = whole.slice(0, whole.indexOf(stop));
    for (const given of [stop, [stop], ["never in an answer", stop]]) {
      const request = { model: "bank", messages: ask("What is a loan?"), ...greedy, stop: given };
      const { choices } = await client.chat.completions.create(request);
      expect(choices[0]).toMatchObject({ message: { content: want }, finish_reason: "stop" });
      let streamed = "";
      for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
        streamed += chunk.choices[0]!.delta.content ?? "";
      }
      expect(streamed).toBe(want);
    }
  });
});

describe("seeds", () => {
  const sampled = (more: object) => chat("workshop", "Say something", { temperature: 1.5, ...more });

  test("give the same answer again, and others another", async () => {
    expect(await sampled({ seed: 1 })).toBe(await sampled({ seed: 1 }));
    expect(await sampled({ seed: 1 })).not.toBe(await sampled({ seed: 2 }));
    expect(await sampled({})).not.toBe(await sampled({}));
  });

  test("do not depend on what runs at once", async () => {
    const want = await sampled({ seed: 7 });
    const all = await Promise.all([7, 8, 7, 9].map((seed) => sampled({ seed })));
    expect([all[0], all[2]]).toEqual([want, want]);
  });
});

describe("a request that cannot be answered as it asks", () => {
  const messages = ask("Hello");
  test.each<[object, string | null, RegExp]>([
    [{ messages, max_token: 5 }, "max_token", /unknown key 'max_token'\. Did you mean 'max_tokens'\?/],
    [{ messages, frequency_penalty: 3 }, "frequency_penalty", /frequency_penalty is 3, expected at most 2/],
    [{ messages, logit_bias: { the: 1 } }, "logit_bias.the", /logit_bias/],
    [{ messages, logit_bias: { "259": 1 } }, null, /token 259 is not in the vocabulary/],
    [{ messages, top_logprobs: 3 }, "top_logprobs", /valid only with logprobs: true/],
    [{ messages, logprobs: true, top_logprobs: 21 }, "top_logprobs", /expected at most 20/],
    [{ messages, logprobs: true, stream: true }, "logprobs", /not supported in a stream/],
    [{ messages, response_format: { type: "json_object" } }, "response_format", /not supported.*\{"type":"text"\}$/],
    [{ messages, tools: [{ type: "function", function: { name: "f" } }] }, "tools", /not supported/],
    [{ messages, temperature: 3 }, "temperature", /temperature is 3, expected at most 2/],
    [{ messages, max_tokens: 0 }, "max_tokens", /max_tokens is 0, expected integer >= 1/],
    [{ messages, max_tokens: 5, max_completion_tokens: 6 }, "max_tokens", /give only one/],
    [{ messages, n: 9 }, "n", /n is 9, expected at most 8/],
    [{ messages, stop: "" }, "stop", /stop is ""/],
    [{ messages, stream_options: { include_usage: true } }, "stream_options", /valid only with stream: true/],
    [{ messages: [] }, "messages", /messages is \[\], expected at least one entry/],
    [{}, "messages", /messages is missing/],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].role", /role is "tool", expected one of system,/],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "a" } }] }] },
      "messages[0].content",
      /messages\[0\]\.content is \[\{"type":"image_url"/,
    ],
    [{ messages: [...messages, { role: "assistant", content: "Hi" }] }, "messages", /expected one from the user/],
  ])("%j is refused by name", async (body, param, message) => {
    const error = await failure(client.post("/chat/completions", { body: { model: "bank", ...body } }));
    expect(error).toMatchObject({ status: 400, param, type: "invalid_request_error" });
    expect(error.message).toMatch(message);
  });

  test.each<[object, RegExp]>([
    [{ prompt: "" }, /prompt 1 is empty/],
    [{ prompt: [259] }, /token 259 is not in the vocabulary, which ends at 258/],
    [{ prompt: ["a", "b", "c"], n: 3 }, /at most 8 answers/],
    [{ prompt: "a", echo: true, stream: true }, /echo is not supported in a stream/],
    [{ prompt: "a", logprobs: 21 }, /logprobs is 21, expected at most 20/],
    [{ prompt: "a", best_of: 2 }, /best_of is not supported/],
    [{ prompt: { text: "a" } }, /prompt is \{"text":"a"\}, expected string or list/],
  ])("%j too", async (body, message) => {
    const error = await failure(client.post("/completions", { body: { model: "bank", ...body } }));
    expect(error.status).toBe(400);
    expect(error.message).toMatch(message);
  });

  test("what asks for nothing is taken", async () => {
    const idle = {
      user: "u",
      metadata: { a: "b" },
      frequency_penalty: 0,
      logit_bias: null,
      tools: [],
      logprobs: false,
      stop: null,
    };
    expect(await chat("bank", "Hello", idle)).toBe(await chat("bank", "Hello"));
  });

  test("a prompt beyond the window says how long it is", async () => {
    for (const stream of [false, true]) {
      const error = await failure(chat("bank", "x".repeat(WINDOW), { stream }));
      expect(error).toMatchObject({ status: 400, code: "context_length_exceeded", param: "messages" });
      expect(error.message).toMatch(/the prompt has 5\d\d tokens, expected at most 511/);
    }
  });
});

test("a supervisor asks for its health without a key or a name of this machine", async () => {
  const guarded = await serve({ apiKey: "secret" });
  stops.push(() => guarded.stop());
  const asked = await fetch(new URL("/health", guarded.url));
  expect([asked.status, await asked.json()]).toEqual([200, { status: "ok" }]);
});

describe("the protocol", () => {
  const request = (where: string, init: RequestInit = {}) => fetch(server.url + where, init);
  const error = async (response: Response) =>
    ((await response.json()) as { error: { message: string; code: unknown } }).error;
  const json = { "content-type": "application/json" };

  test.each<[string, RequestInit, number, RegExp]>([
    ["/chat/completions", { method: "POST", body: "{", headers: json }, 400, /the body is not JSON/],
    ["/chat/completions", { method: "POST", body: "[]", headers: json }, 400, /not a JSON object/],
    ["/chat/completions", { method: "POST", body: "{}" }, 415, /text\/plain, expected application\/json/],
    ["/chat/completions", { method: "GET" }, 405, /takes POST, got GET/],
    ["/embeddings", { method: "POST", body: "{}", headers: json }, 404, /There are: GET \/health, GET \/v1\/models/],
    [
      "/completions",
      { method: "POST", body: JSON.stringify({ model: "bank", prompt: "x".repeat(1 << 20) }), headers: json },
      413,
      /more than 1048576 bytes/,
    ],
  ])("%s %#", async (where, init, status, message) => {
    const response = await request(where, init);
    expect(response.status).toBe(status);
    expect((await error(response)).message).toMatch(message);
    if (status === 413) expect(response.headers.get("connection")).toBe("close");
    if (status === 405) expect(response.headers.get("allow")).toBe("POST");
  });

  test("a body of unsaid length is limited too", async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1 << 16).fill(32)),
    });
    const init = { method: "POST", body, headers: json, duplex: "half" } as RequestInit;
    const response = await request("/chat/completions", init).catch(() => undefined);
    // The connection may break while the rest is still being sent.
    expect(response?.status ?? 413).toBe(413);
  });

  test("without a key only names of this machine are answered", async () => {
    const status = (host: string) =>
      new Promise<number>((resolve, reject) => {
        http
          .get(`${server.url}/models`, { headers: { host } }, (response) => resolve(response.resume().statusCode!))
          .on("error", reject);
      });
    expect(await status("localhost:1234")).toBe(200);
    expect(await status("attacker.example")).toBe(403);
  });

  test("no page of the web may ask unless its origin is allowed", async () => {
    const origin = "https://app.example";
    const closed = await request("/models", { headers: { origin } });
    expect(closed.headers.get("access-control-allow-origin")).toBeNull();
    const open = await serve({ allowOrigins: [origin] });
    stops.push(() => open.stop());
    const allowed = (from: string) =>
      fetch(`${open.url}/models`, { headers: { origin: from } }).then(({ headers }) =>
        headers.get("access-control-allow-origin"),
      );
    expect(await allowed(origin)).toBe(origin);
    expect(await allowed("https://other.example")).toBeNull();
  });
});

test("with a key only those who send it are answered, and it is not in the log", async () => {
  const apiKey = "a-long-secret";
  const noted: Access[] = [];
  const locked = await serve({ apiKey, onAccess: (access) => noted.push(access) });
  stops.push(() => locked.stop());
  const request = { model: "bank", messages: ask("Hello"), ...greedy };
  for (const wrong of ["a-long-secreT", "a-long-secret2", "x"]) {
    const error = await failure(clientOf(locked, wrong).chat.completions.create(request));
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key" });
  }
  const without = await fetch(`${locked.url}/models`);
  expect([without.status, without.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  const { choices } = await clientOf(locked, apiKey).chat.completions.create(request);
  expect(choices[0]!.message.content).toBe(await chat("bank", "Hello"));
  expect(noted.map(({ status }) => status)).toEqual([401, 401, 401, 401, 200]);
  expect(JSON.stringify(noted)).not.toMatch(/secret/i);
});

test("an address that others reach needs a key; a port that is taken is said", async () => {
  await expect(serve({ host: "0.0.0.0" })).rejects.toThrow(/other machines can reach the server at 0\.0\.0\.0/);
  const { port } = new URL(server.url);
  await expect(serve({ port: Number(port) })).rejects.toThrow(`port ${port} of 127.0.0.1 is in use`);
});

describe("a server that stops", () => {
  const request = { model: "tiny", messages: ask("Go on"), temperature: 1, seed: 3, stream: true as const };
  const textOf = async (stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> => {
    let text = "";
    for await (const { choices } of stream) text += choices[0]!.delta.content ?? "";
    return text;
  };

  test("lets answers end, and takes no more", async () => {
    const want = await textOf(await client.chat.completions.create({ ...request, max_tokens: 60 }));
    const ending = await serve({});
    const stream = await clientOf(ending).chat.completions.create({ ...request, max_tokens: 60 });
    const stopped = ending.stop(60_000);
    expect(await textOf(stream)).toBe(want);
    await stopped;
    await expect(clientOf(ending).models.list()).rejects.toThrow(/connection/i);
  });

  test("cuts them off when their time is over, and says so", async () => {
    const ending = await serve({});
    const stream = await clientOf(ending).chat.completions.create({ ...request, max_tokens: 400 });
    const stopped = ending.stop(0);
    await expect(textOf(stream)).rejects.toThrow(/the server is stopping/);
    await stopped;
  });
});
