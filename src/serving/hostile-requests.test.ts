import { describe, expect, test } from "vitest";
import type { Access } from "./access-log.ts";
import type { Answerer } from "./answerer.ts";
import { openAiApp } from "./openai-app.ts";

/** A model that answers "fine" to every prompt of less than 100 tokens, a token a character. */
const answerer: Answerer = {
  names: ["tiny"],
  maxLength: 100,
  holdsConversations: true,
  encodeConversation: (messages) => Int32Array.from(messages.map(({ content }) => content).join(""), () => 1),
  encodeText: (text) => Int32Array.from(text, () => 1),
  encodeTokens: (tokens) => Int32Array.from(tokens),
  answer: (_, prompts) => Promise.resolve(prompts.map(() => ({ text: "fine", tokens: 1, ended: "stop" }) as never)),
  tokensBeforeText: 0,
  decodeTokens: () => "",
  scorePrompt: () => Promise.resolve([]),
  dispose: () => Promise.resolve(),
};
const accesses: Access[] = [];
const defects: unknown[] = [];
const app = openAiApp(answerer, {
  onAccess: (access) => accesses.push(access),
  onDefect: (error) => defects.push(error),
});

async function ask(body: string | Uint8Array, path = "/v1/chat/completions") {
  const answer = await app.fetch(
    new Request(`http://localhost${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: body as string,
    }),
  );
  const { error } = (await answer.json()) as { error?: { message: string; param: string | null } };
  return { status: answer.status, error };
}

const MESSAGES = `"messages": [{"role": "user", "content": "hi"}]`;
const chat = (more: string): string => `{"model": "tiny", ${MESSAGES}, ${more}}`;
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

describe("a request", () => {
  test("with an unknown key of a million characters is refused, and the answer is short", async () => {
    const { status, error } = await ask(chat(`"${"y".repeat(1_000_000)}": 1`));
    expect(status).toBe(400);
    expect(error!.message.length).toBeLessThan(1000);
    expect(error!.message).toMatch(/^unknown key 'y{79}…'\. Legal here: model, /);
    expect(error!.param).toBe(`${"y".repeat(79)}…`);
  });

  test.each([
    ["messages", `{"role": "user", "content": "hi", "${"y".repeat(500_000)}": 1}`],
    ["stream_options", `"${"y".repeat(500_000)}"`],
    ["temperature", `"${"y".repeat(500_000)}"`],
    ["stream", `{"${"y".repeat(500_000)}": 1}`],
  ])("with a long name or value in %s likewise", async (key, value) => {
    const { status, error } = await ask(
      key === "messages" ? `{"model": "tiny", "messages": [${value}]}` : chat(`"${key}": ${value}`),
    );
    expect(status).toBe(400);
    expect(error!.message.length).toBeLessThan(1000);
  });

  test("for a model or an endpoint with a long name likewise, and in the log it is short", async () => {
    accesses.length = 0;
    const model = await ask(`{"model": "${"m".repeat(900_000)}", ${MESSAGES}}`);
    const path = await ask("{}", `/v1/${"p".repeat(10_000)}`);
    for (const { status, error } of [model, path]) {
      expect(status).toBe(404);
      expect(error!.message.length).toBeLessThan(300);
    }
    expect(accesses.map(({ model: name, path: place }) => [name?.length, place.length])).toEqual([
      [80, "/v1/chat/completions".length],
      [undefined, 80],
    ]);
  });

  test("with metadata 100,000 deep is answered: metadata is not used", async () => {
    expect(await ask(chat(`"metadata": ${nested(100_000)}`))).toEqual({ status: 200, error: undefined });
  });

  test.each(["messages", "tools", "logit_bias", "response_format", "stop", "anything"])(
    "with %s 100,000 deep is refused",
    async (key) => {
      const { status, error } = await ask(
        key === "messages"
          ? `{"model": "tiny", "messages": ${nested(100_000)}}`
          : chat(`"${key}": ${"[".repeat(100_000)}${"]".repeat(100_000)}`),
      );
      expect({ status, message: error!.message }).toEqual({
        status: 400,
        message: "the body is nested more than 32 levels deep",
      });
    },
  );

  test("may be as deep as a request is", async () => {
    const content = '[{"type": "text", "text": "hi"}]';
    expect(await ask(`{"model": "tiny", "messages": [{"role": "user", "content": ${content}}]}`)).toMatchObject({
      status: 200,
    });
  });

  test("with a stop text of more than 1000 characters is refused", async () => {
    expect((await ask(chat(`"stop": "${"s".repeat(1000)}"`))).status).toBe(200);
    for (const stop of [`"${"s".repeat(1001)}"`, `["a", "${"s".repeat(1001)}"]`]) {
      const { status, error } = await ask(chat(`"stop": ${stop}`));
      expect(status).toBe(400);
      expect(error!.message.length).toBeLessThan(300);
    }
  });

  test.each([
    ["bytes that are not UTF-8", Uint8Array.from([...new TextEncoder().encode('{"model": "'), 0xff, 0x22, 0x7d])],
    ["half of a surrogate pair", chat(String.raw`"stop": "\ud800"`)],
  ])("with %s is refused", async (_, body) => {
    expect(await ask(body)).toMatchObject({
      status: 400,
      error: { message: expect.stringMatching(/not (UTF-8|Unicode) text/) },
    });
  });

  test.each([
    ["[-1]", "prompt[0] is -1, expected string or integer >= 0 or list of integers >= 0"],
    [
      "{}",
      "prompt is {}, expected string or list of strings or list of integers >= 0 or list of lists of integers >= 0",
    ],
  ])("with the prompt %s learns what is legal", async (prompt, message) => {
    const { status, error } = await ask(`{"model": "tiny", "prompt": ${prompt}}`, "/v1/completions");
    expect({ status, message: error!.message }).toEqual({ status: 400, message });
  });

  test("is never a defect of the server here", () => {
    expect(defects).toEqual([]);
  });
});
