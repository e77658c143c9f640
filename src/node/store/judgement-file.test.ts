import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { JudgeServer } from "../../../test/support/judge-server.ts";
import { memoryJudgements, type Judgement } from "../../evaluation/judge/judgement.ts";
import { openJudge } from "../../evaluation/judge/open-judge.ts";
import { openJudgements } from "./judgement-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "judgements-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function made(key: string): Judgement {
  return {
    key,
    judge: "strict",
    messages: [{ role: "user", content: `Is ${key} good?\nReally?` }],
    temperature: 0,
    maxTokens: 10,
    text: `${key}: [[5]]`,
    promptTokens: null,
    completionTokens: 3,
  };
}

describe.each([
  ["memory", async () => ({ ...memoryJudgements(), close: async () => {} })],
  ["file", async () => openJudgements(path.join(folder, "deep", "judgements.jsonl"))],
])("judgements in %s", (_, open) => {
  test("are found once they are kept", async () => {
    const store = await open();
    expect(store.find("one")).toBeUndefined();
    await Promise.all(["one", "two", "three"].map((key) => store.append(made(key))));
    expect(store.find("two")).toEqual(made("two"));
    expect(store.find("four")).toBeUndefined();
    await store.close();
  });
});

describe("a file of judgements", () => {
  test("is read again, whole lines only", async () => {
    const file = path.join(folder, "judgements.jsonl");
    const first = await openJudgements(file);
    await first.append(made("one"));
    await first.append(made("two"));
    await first.close();
    const whole = readFileSync(file, "utf8");
    appendFileSync(file, '{"key":"three","te');
    const second = await openJudgements(file);
    expect([second.find("one"), second.find("two"), second.find("three")]).toEqual([
      made("one"),
      made("two"),
      undefined,
    ]);
    await second.append(made("three"));
    await second.close();
    expect(readFileSync(file, "utf8")).toBe(`${whole}${JSON.stringify(made("three"))}\n`);
  });

  test("that is damaged in the middle is named with the line", async () => {
    const file = path.join(folder, "judgements.jsonl");
    writeFileSync(file, `${JSON.stringify(made("one"))}\n{"key":\n${JSON.stringify(made("two"))}\n`);
    await expect(openJudgements(file)).rejects.toThrow(`${file}, line 2, is damaged`);
  });

  test("that cannot be written is a sentence", async () => {
    writeFileSync(path.join(folder, "occupied"), "");
    await expect(openJudgements(path.join(folder, "occupied", "judgements.jsonl"))).rejects.toThrow("Cannot write");
  });
});

test("after a break nothing is asked again, and no key is in the file", async () => {
  const server = await JudgeServer.start((_asked, number) => (number < 3 ? `[[${number}]]` : { status: 401 }));
  const file = path.join(folder, "judgements.jsonl");
  const options = { baseUrl: server.baseUrl, model: "strict", apiKey: "sk-secret-of-the-test", concurrency: 1 };
  const questions = ["a", "b", "c", "d", "e"].map((content) => [{ role: "user" as const, content }]);
  const settings = { temperature: 0, maxTokens: 10 };
  const run = async () => {
    const store = await openJudgements(file);
    const judge = openJudge({ ...options, store });
    const results = await Promise.allSettled(questions.map((messages) => judge.ask(messages, settings)));
    await store.close();
    return results.filter(({ status }) => status === "fulfilled").length;
  };
  try {
    expect(await run()).toBe(3);
    expect(server.asked).toHaveLength(4);
    server.script = () => "[[9]]";
    expect(await run()).toBe(5);
    const said = server.asked.map(({ body }) => body.messages[0]!.content);
    expect(said).toHaveLength(6);
    expect([...said.slice(0, 3), ...said.slice(4)].sort()).toEqual(["a", "b", "c", "d", "e"]);
    expect(await run()).toBe(5);
    expect(server.asked).toHaveLength(6);
    expect(readFileSync(file, "utf8")).not.toContain("sk-secret");
  } finally {
    await server.stop();
  }
});
