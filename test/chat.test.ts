import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, describe, expect, test } from "vitest";
import type { Message } from "../src/data/messages.ts";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { loadAnswerer } from "../src/jobs/load-answerer.ts";
import { nodePlatform } from "../src/node/platform.ts";
import { fitConversation } from "../src/serving/fit-conversation.ts";
import { CLI } from "./support/cli.ts";
import { startServe } from "./support/serving.ts";
import { writeTinyAdapter, writeTinyModel } from "./support/tiny-model.ts";

// chat and serve through the built command line: `npm test` builds first.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-chat-"));
const at = (name: string): string => path.join(folder, name);
const ENV = { ...process.env, OPENFEDLLM_CACHE: at("cache"), HF_HUB_OFFLINE: "1", NO_COLOR: "1" };
delete (ENV as Record<string, string | undefined>)["OPENFEDLLM_API_KEY"];
process.env["OPENFEDLLM_CACHE"] = at("cache");
writeTinyModel(at("tiny"));
await writeTinyAdapter(at("bank"), at("tiny"), { seed: 1 });
await writeTinyAdapter(at("clinic"), at("tiny"), { seed: 2 });
const adapters = ["bank", "clinic"].map((name) => ({ name, folder: at(name) }));
const answerer = await loadAnswerer({ model: at("tiny"), adapters }, nodePlatform({ threads: 1 }));

afterAll(async () => {
  await answerer.dispose();
  rmSync(folder, { recursive: true });
});

const TOKENS = 12;

async function answer(name: string, messages: readonly Message[]): Promise<string> {
  const options = { maxNewTokens: TOKENS, temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, stop: [], seed: 42 };
  const [given] = await answerer.answer(name, [answerer.encodeConversation(messages)], options);
  return given!.text;
}

/** The answers to questions of one conversation. */
async function answers(name: string, questions: readonly string[], before: readonly Message[] = []): Promise<string[]> {
  const messages = [...before];
  const given: string[] = [];
  for (const content of questions) {
    messages.push({ role: "user", content });
    const text = await answer(name, messages);
    messages.push({ role: "assistant", content: text });
    given.push(text);
  }
  return given;
}

function chat(lines: readonly string[], ...flags: string[]) {
  const args = ["chat", "--model", "tiny", "--max-new-tokens", String(TOKENS), "--threads", "1", ...flags];
  return spawnSync(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: ENV,
    input: lines.map((line) => `${line}\n`).join(""),
    encoding: "utf8",
  });
}

const text = (list: readonly string[]): string => list.map((each) => `${each}\n`).join("");

describe("a chat through a pipe", () => {
  const questions = ["What is a loan?", "And a bond?", "Which is safer?"];

  test("answers line by line, knows what was said before, and writes nothing else", async () => {
    const { stdout, stderr, status } = chat(questions);
    expect([stdout, stderr, status]).toEqual([text(await answers("tiny", questions)), "", 0]);
    const apart = await Promise.all(questions.map((question) => answers("tiny", [question])));
    expect(stdout).not.toBe(text(apart.flat()));
  });

  test("with an adapter and a system message", async () => {
    const { stdout } = chat(questions.slice(0, 2), "--adapter", "bank", "--system", "Be brief.");
    const system = { role: "system" as const, content: "Be brief." };
    expect(stdout).toBe(text(await answers("bank", questions.slice(0, 2), [system])));
  });

  test("commands: /reset forgets, /system changes, a space before a / asks it, /quit ends", async () => {
    const [first, second] = questions as [string, string];
    const { stdout, stderr, status } = chat([
      first,
      "/reset",
      second,
      "",
      "/system Be kind.",
      "/reset",
      second,
      "/reset",
      "/system",
      " /hello",
      "/rset",
      "/help",
      "/quit",
      first,
    ]);
    const system = { role: "system" as const, content: "Be kind." };
    const want = [
      await answers("tiny", [first]),
      await answers("tiny", [second]),
      await answers("tiny", [second], [system]),
      await answers("tiny", ["/hello"]),
    ];
    expect([stdout, status]).toEqual([text(want.flat()), 0]);
    expect(stderr).toMatch(/^there is no command \/rset: did you mean \/reset\?$/m);
    expect(stderr).toMatch(/^\/system {5}TEXT: /m);
  });

  test("a message of several lines, /regenerate and /save", async () => {
    const lines = [
      '"""',
      "What is",
      "",
      "  a loan?",
      '"""',
      "/save talk.jsonl",
      "/regenerate",
      "And a bond?",
      "/save talk.jsonl",
    ];
    const { stdout, stderr, status } = chat([
      "/regenerate",
      "/save",
      "/save talk.jsonl",
      ...lines,
      "/save no/talk.jsonl",
    ]);
    const asked = ["What is\n\n  a loan?", "And a bond?"];
    const [first, second] = await answers("tiny", asked);
    expect([stdout, status]).toEqual([text([first!, first!, second!]), 0]);
    expect(stderr.split("\n").map((line) => line.replace(/ \(.*\)$/, ""))).toEqual([
      "nothing was asked yet",
      "name a file: /save talks.jsonl",
      "nothing was said yet",
      "added 1 conversation to talk.jsonl",
      "at temperature 0 an answer stays the same; chat --temperature 0.8 varies it",
      "added 1 conversation to talk.jsonl",
      "no/talk.jsonl cannot be written",
      "",
    ]);
    const saved = readFileSync(at("talk.jsonl"), "utf8").trimEnd().split("\n");
    const turns = asked.flatMap((question, i) => [
      { role: "user", content: question },
      { role: "assistant", content: [first, second][i] },
    ]);
    expect(saved.map((line) => JSON.parse(line) as object)).toEqual([
      { messages: turns.slice(0, 2) },
      { messages: turns },
    ]);
  });

  test("/regenerate draws anew", async () => {
    const [first, second, third] = chat(["Say something", "/regenerate", "/regenerate"], "--temperature", "1.5")
      .stdout.trimEnd()
      .split("\n");
    expect(new Set([first, second, third]).size).toBe(3);
  });

  test("--compare asks the base and every adapter, each with its own memory", async () => {
    const { stdout, status } = chat(questions.slice(0, 2), "--compare", "bank", "doctor=clinic");
    const each = await Promise.all(["tiny", "bank", "clinic"].map((name) => answers(name, questions.slice(0, 2))));
    const shown = [0, 1].flatMap((turn) =>
      ["tiny", "bank", "doctor"].flatMap((name, i) => [`[${name}]`, each[i]![turn]!]),
    );
    expect([stdout, status]).toEqual([text(shown), 0]);
  });

  test("what does not fit any more is left out from the front, and that is said once", async () => {
    const long = Array.from({ length: 6 }, (_, i) => `${i} ${"long ".repeat(30)}`.trim());
    const { stdout, stderr, status } = chat(long);
    let history: readonly Message[] = [];
    const want: string[] = [];
    for (const content of long) {
      const { messages } = fitConversation([...history, { role: "user", content }], TOKENS, answerer);
      want.push(await answer("tiny", messages));
      history = [...messages, { role: "assistant", content: want.at(-1)! }];
    }
    expect(history.length).toBeLessThan(2 * long.length);
    expect([stdout, status]).toEqual([text(want), 0]);
    expect(stderr).toBe("the conversation is longer than 512 tokens: the model no longer sees its oldest messages\n");
  });

  test("a template for one question asks each by itself, and says so", async () => {
    const { stdout, stderr, status } = chat(questions.slice(0, 2), "--template", "alpaca");
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^the template alpaca has space for one question: every message is answered without the earlier/,
    );
    const [first, second] = questions.slice(0, 2).map((each) => chat([each], "--template", "alpaca").stdout);
    expect(stdout).toBe(first! + second!);
  });

  test("a question beyond the window ends it with a sentence", async () => {
    const { stdout, stderr, status } = chat([questions[0]!, "x".repeat(600), questions[1]!]);
    expect([stdout, status]).toEqual([text(await answers("tiny", questions.slice(0, 1))), EXIT_CODES.config]);
    expect(stderr).toMatch(/^error: the prompt has 6\d\d tokens, expected at most 511\nhint: /m);
  });

  test.each([
    [["--compare", "bank", "--adapter", "bank"], /two models have the name bank\nhint: .*NAME=FOLDER/],
    [["--compare", "nothing"], /no adapter in nothing/],
    [["--context", "4"], /Expected a whole number, 8 or more/],
  ])("%j is one sentence", (flags, message) => {
    const { stdout, stderr } = chat(["Hello"], ...flags);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
  });

  test("Ctrl-C ends it", async () => {
    const args = ["chat", "--model", "tiny", "--threads", "1"];
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: ENV });
    child.stdin.write("Hello\n");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([EXIT_CODES.interrupted, null]);
  });
});

describe("openfedllm serve", () => {
  test("says where it listens, logs requests, never the key, and ends well at Ctrl-C", async () => {
    const env = { ...ENV, SECRET_OF_BANK: "k-123456789" };
    const server = await startServe(
      folder,
      env,
      "--model",
      "tiny",
      "--adapter",
      "money=bank",
      "--threads",
      "1",
      "--api-key-env",
      "SECRET_OF_BANK",
    );
    const client = new OpenAI({ baseURL: server.url, apiKey: "k-123456789", maxRetries: 0 });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["tiny", "money"]);
    const messages = [{ role: "user" as const, content: "What is a loan?" }];
    const request = { model: "money", messages, max_tokens: TOKENS, temperature: 0 };
    const { choices } = await client.chat.completions.create(request);
    expect(choices[0]!.message.content).toBe(await answer("bank", messages));
    await expect(client.chat.completions.create({ ...request, model: "a\nb" })).rejects.toThrow(/404/);
    const wrong = new OpenAI({ baseURL: server.url, apiKey: "k-987654321", maxRetries: 0 });
    await expect(wrong.models.list()).rejects.toThrow(/401/);
    server.signal("SIGINT");
    expect(await server.ended).toBe(0);
    const lines = server.log().trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/\d+\.\d\ds/, "0s"))).toEqual([
      "GET /v1/models 200 0s",
      `POST /v1/chat/completions 200 money 34+${TOKENS} tokens 0s`,
      "POST /v1/chat/completions 404 a b 0s",
      "GET /v1/models 401 0s",
      "stopping: unfinished answers have 10 seconds to end; press Ctrl-C again to stop at once",
    ]);
  });

  test.each<[string[], Record<string, string>, RegExp]>([
    [
      ["--host", "0.0.0.0"],
      {},
      /other machines can reach the server at 0\.0\.0\.0, but it has no API key\nhint: .*OPENFEDLLM_API_KEY/,
    ],
    [["--api-key-env", "MY_KEY"], {}, /environment variable MY_KEY, which is not set/],
    [[], { OPENFEDLLM_API_KEY: " " }, /OPENFEDLLM_API_KEY, which is empty/],
    [["--port", "70000"], {}, /Expected a whole number from 0 to 65535/],
    [["--adapter", "tiny=bank"], {}, /two models have the name tiny/],
    [["--adapter", "bank=clnic"], {}, /no adapter in clnic/],
  ])("%j %j is one sentence and exit code", (flags, env, message) => {
    const result = spawnSync(process.execPath, [CLI, "serve", "--model", "tiny", ...flags], {
      cwd: folder,
      env: { ...ENV, ...env },
      encoding: "utf8",
    });
    expect(result.stdout).toBe("");
    expect(result.stderr).toMatch(message);
    expect([EXIT_CODES.config, EXIT_CODES.model]).toContain(result.status);
  });
});
