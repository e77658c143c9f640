import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { JudgeServer } from "../../../test/support/judge-server.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { memoryJudgements } from "./judgement.ts";
import { openJudge, type JudgeOptions, type JudgeRetry } from "./open-judge.ts";

const SETTINGS = { temperature: 0, maxTokens: 64 };
const KEY = "sk-made-up-for-this-test";

let server: JudgeServer;
beforeEach(async () => {
  server = await JudgeServer.start(() => "Fine. [[7]]");
});
afterEach(() => server.stop());

function judge(options: Partial<JudgeOptions> = {}) {
  return openJudge({ baseUrl: server.baseUrl, model: "strict", firstPauseSeconds: 0.001, ...options });
}

function asking(content: string) {
  return [{ role: "user" as const, content }];
}

async function failure(work: Promise<unknown>): Promise<UserError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

test("a question goes to the endpoint as OpenAI's clients send it, and its tokens are counted", async () => {
  const strict = judge({ apiKey: ` ${KEY}\n` });
  expect(await strict.ask([{ role: "system", content: "Be just." }, ...asking("How good?")], SETTINGS)).toBe(
    "Fine. [[7]]",
  );
  expect(server.asked).toEqual([
    {
      path: "/v1/chat/completions",
      authorization: `Bearer ${KEY}`,
      body: {
        model: "strict",
        messages: [
          { role: "system", content: "Be just." },
          { role: "user", content: "How good?" },
        ],
        temperature: 0,
        max_tokens: 64,
      },
    },
  ]);
  expect(strict.usage()).toEqual({ asked: 1, fromRecord: 0, promptTokens: 20, completionTokens: 5 });
});

test("without a key none is sent, and the whole address may be given", async () => {
  await judge({ baseUrl: `${server.baseUrl}/chat/completions/` }).ask(asking("?"), SETTINGS);
  expect(server.asked[0]).toMatchObject({ path: "/v1/chat/completions", authorization: undefined });
});

describe("what may pass is asked again", () => {
  test.each([
    ["429", { status: 429, body: { error: { message: "slow down" } } }, "answered 429: slow down"],
    ["503", { status: 503, body: "<html>try later</html>" }, "answered 503: <html>try later</html>"],
    ["a cut connection", { fault: "cut" as const }, "broke off the connection"],
    ["half an answer", { fault: "cut in the body" as const }, "broke off the connection"],
    ["silence", { fault: "silence" as const }, "did not answer within 0.2 s"],
    [
      "an error under 200",
      { status: 200, body: { error: { message: "upstream", code: 502 } } },
      "answered no chat completion: upstream",
    ],
  ])("%s", async (_, fault, reason) => {
    const retries: JudgeRetry[] = [];
    server.script = (_asked, number) => (number < 2 ? fault : "[[9]]");
    const strict = judge({ timeoutSeconds: 0.2, onRetry: (retry) => retries.push(retry) });
    expect(await strict.ask(asking("?"), SETTINGS)).toBe("[[9]]");
    expect(server.asked).toHaveLength(3);
    expect(retries.map(({ reason, attempt }) => [reason, attempt])).toEqual([
      [reason, 1],
      [reason, 2],
    ]);
  });

  test("after the pause the endpoint asks for", async () => {
    const retries: JudgeRetry[] = [];
    server.script = (_asked, number) => (number === 0 ? { status: 429, headers: { "retry-after": "0.05" } } : "[[1]]");
    await judge({ onRetry: (retry) => retries.push(retry) }).ask(asking("?"), SETTINGS);
    expect(retries[0]!.waitSeconds).toBe(0.05);
  });

  test("but not where it asks for half an hour", async () => {
    server.script = () => ({ status: 429, headers: { "retry-after": "1800" }, body: { error: "limit of the day" } });
    const { message } = await failure(judge().ask(asking("?"), SETTINGS));
    expect(message).toBe(
      `the judge strict at ${server.baseUrl}/chat/completions answered 429: limit of the day; it asks to wait 30 minutes`,
    );
    expect(server.asked).toHaveLength(1);
  });

  test("and pauses grow", async () => {
    const waits: number[] = [];
    server.script = () => ({ status: 500 });
    await failure(
      judge({ attempts: 5, onRetry: ({ waitSeconds }) => waits.push(waitSeconds * 1000) }).ask(asking("?"), SETTINGS),
    );
    expect(waits).toHaveLength(4);
    waits.forEach((wait, i) => {
      expect(wait).toBeGreaterThanOrEqual(0.5 * 2 ** i);
      expect(wait).toBeLessThan(1.5 * 2 ** i);
    });
  });
});

describe("what does not pass is said at once", () => {
  test.each([
    [
      401,
      { error: { message: `Incorrect API key provided: ${KEY}` } },
      /answered 401: Incorrect API key provided: …$/,
      /JUDGE_KEY/,
    ],
    [403, { detail: "not for you" }, /answered 403: not for you$/, /JUDGE_KEY/],
    [404, { error: { message: "no model strict" } }, /answered 404: no model strict$/, /most end in \/v1/],
    [400, { error: { message: "context too long" } }, /answered 400: context too long$/, /Correct the problem/],
    [429, { error: { message: "no money", code: "insufficient_quota" } }, /answered 429: no money$/, /Correct/],
  ])("%d %j", async (status, body, message, hint) => {
    server.script = () => ({ status, body });
    const strict = judge({ apiKey: KEY, keyVariable: "JUDGE_KEY" });
    const error = await failure(strict.ask(asking("?"), SETTINGS));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`the judge strict at ${server.baseUrl}`);
    expect(error.hint).toMatch(hint);
    expect(server.asked).toHaveLength(1);
    // The others need not find out for themselves.
    expect(await failure(strict.ask(asking("another?"), SETTINGS))).toBe(error);
    expect(server.asked).toHaveLength(1);
  });

  test.each(["ftp://example.org", "api.example.org/v1", "https://me:secret@example.org/v1", ""])(
    "address %j",
    (baseUrl) => {
      expect(() => judge({ baseUrl })).toThrow(/address/);
      expect(() => judge({ baseUrl })).not.toThrow(/secret/);
    },
  );

  test("a key that is none", () => {
    expect(() => judge({ apiKey: "two words", keyVariable: "JUDGE_KEY" })).toThrow(/JUDGE_KEY/);
    expect(() => judge({ apiKey: "two words" })).not.toThrow(/two words/);
  });
});

test("an endpoint that is down is a sentence after the attempts, and what it said before is kept", async () => {
  const store = memoryJudgements();
  await judge({ store }).ask(asking("one"), SETTINGS);
  const { baseUrl } = server;
  await server.stop();
  const later = openJudge({ baseUrl, model: "strict", store, attempts: 3, firstPauseSeconds: 0.001 });
  const { message, hint } = await failure(later.ask(asking("two"), SETTINGS));
  expect(message).toBe(
    `the judge strict at ${baseUrl}/chat/completions cannot be reached: the connection is refused (3 attempts)`,
  );
  expect(hint).toContain("kept");
  expect(await later.ask(asking("one"), SETTINGS)).toBe("Fine. [[7]]");
  server = await JudgeServer.start(() => "");
});

test("an endpoint that wants other names is asked by them from then on", async () => {
  server.script = ({ body }) => {
    const refuse = (message: string) => ({ status: 400, body: { error: { message } } });
    if (body.max_tokens !== undefined) {
      return refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.");
    }
    if (body.temperature !== undefined) return refuse("Unsupported value: 'temperature' does not support 0 here.");
    return "[[6]]";
  };
  const strict = judge();
  expect(await strict.ask(asking("one"), SETTINGS)).toBe("[[6]]");
  expect(await strict.ask(asking("two"), SETTINGS)).toBe("[[6]]");
  expect(server.asked.map(({ body }) => [body.max_tokens, body.max_completion_tokens, body.temperature])).toEqual([
    [64, undefined, 0],
    [undefined, 64, 0],
    [undefined, 64, undefined],
    [undefined, 64, undefined],
  ]);
});

test("the same question is asked once, also while it is under way; another setting is another question", async () => {
  server.delayMs = 20;
  const strict = judge();
  const answers = await Promise.all(["a", "b", "a", "a"].map((content) => strict.ask(asking(content), SETTINGS)));
  expect(answers).toHaveLength(4);
  expect(server.asked).toHaveLength(2);
  await strict.ask(asking("a"), SETTINGS);
  expect(server.asked).toHaveLength(2);
  await strict.ask(asking("a"), { ...SETTINGS, temperature: 1 });
  expect(server.asked).toHaveLength(3);
  expect(strict.usage()).toMatchObject({ asked: 3, fromRecord: 1 });
  expect(await strict.knows(asking("b"), SETTINGS)).toBe(true);
  expect(await strict.knows(asking("c"), SETTINGS)).toBe(false);
});

test("a verdict is never longer than the judge has room for", async () => {
  const strict = judge({ maxTokens: 50 });
  await strict.ask(asking("?"), SETTINGS);
  await strict.ask(asking("?"), { ...SETTINGS, maxTokens: 40 });
  expect(server.asked.map(({ body }) => body.max_tokens)).toEqual([50, 40]);
  expect(await strict.knows(asking("?"), SETTINGS)).toBe(true);
});

test("no more questions are under way at once than allowed", async () => {
  server.delayMs = 10;
  const strict = judge({ concurrency: 3 });
  await Promise.all(Array.from({ length: 20 }, (_, i) => strict.ask(asking(String(i)), SETTINGS)));
  expect(server.asked).toHaveLength(20);
  expect(server.most).toBe(3);
});

test("an abort ends a wait and a question under way, with its own reason", async () => {
  server.script = (_asked, number) => (number === 0 ? { fault: "silence" } : { status: 503 });
  const stop = new AbortController();
  const strict = judge({ firstPauseSeconds: 30, signal: stop.signal, onRetry: () => stop.abort(new Error("enough")) });
  const results = await Promise.allSettled(["one", "two"].map((content) => strict.ask(asking(content), SETTINGS)));
  expect(results.map((result) => result.status === "rejected" && String(result.reason))).toEqual([
    "Error: enough",
    "Error: enough",
  ]);
});
