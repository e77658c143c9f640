import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseRows, type LearnFrom } from "../src/data/record.ts";
import { TEMPLATES } from "../src/data/template.ts";
import { scoreFile, type RecordScore } from "../src/jobs/score-file.ts";
import { nodePlatform } from "../src/node/platform.ts";

// Rows as other programs write them, against transformers (scripts/golden/make_records.py).
const GOLDEN = path.join(import.meta.dirname, "golden", "chatml");
const golden = JSON.parse(readFileSync(path.join(GOLDEN, "records.json"), "utf8")) as {
  tools_template: string;
  cases: {
    name: string;
    row: Record<string, unknown>;
    tools_template?: true;
    text: string;
    logprob: number;
    tokens: number;
  }[];
};

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-records-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true }));

/** The model, with another chat template. */
function modelWith(template: string): string {
  const model = path.join(folder, "tools");
  cpSync(GOLDEN, model, { recursive: true });
  const file = path.join(model, "tokenizer_config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...config, chat_template: template }));
  return model;
}

test.each([
  ["its own template", GOLDEN, false],
  ["a template that writes tools", modelWith(golden.tools_template), true],
] as const)("learns the tokens that the row marks, by %s", async (_, model, tools) => {
  const cases = golden.cases.filter(({ tools_template }) => (tools_template ?? false) === tools);
  const data = path.join(folder, "rows.jsonl");
  writeFileSync(data, cases.map(({ row }) => JSON.stringify(row)).join("\n"));
  const scores: RecordScore[] = [];
  await scoreFile({ model, data }, nodePlatform({ threads: 1 }), (score) => scores.push(score));
  expect(scores.map(({ index, tokens }) => [cases[index]!.name, tokens])).toEqual(
    cases.map(({ name, tokens }) => [name, tokens]),
  );
  for (const { index, logprob } of scores) expect(logprob).toBeCloseTo(cases[index]!.logprob, 2);
});

test.each(golden.cases.filter(({ name }) => name !== "trl text"))("writes as transformers: $name", (each) => {
  const { chat_template: own } = JSON.parse(readFileSync(path.join(GOLDEN, "tokenizer_config.json"), "utf8")) as {
    chat_template: string;
  };
  const chatTemplate = each.tools_template === true ? golden.tools_template : own;
  const { records, problems, unused } = parseRows([{ source: { file: "a.jsonl", record: 1 }, fields: each.row }]);
  expect([problems, [...unused]]).toEqual([[], []]);
  const { id, content } = records[0]!;
  if (content.kind === "text" || content.kind === "preference" || content.kind === "rated")
    throw new Error(content.kind);
  const { text } = TEMPLATES.chat.render(
    { id, content },
    { chatTemplate, bosToken: "<|im_start|>", eosToken: "<|im_end|>" },
  );
  expect(text).toBe(each.text);
});

test("reads every row of docs/own-data.md", () => {
  const docs = readFileSync(path.join(import.meta.dirname, "..", "docs", "own-data.md"), "utf8");
  const [, forms, preferences] = /### Every accepted form\n(.*?)\n## Preference data\n(.*?)\n## /s.exec(docs)!;
  const blocks = (text: string) =>
    [...text.matchAll(/```jsonl\n(.*?)```/gs)].map((block) => block[1]!.trim().split("\n"));
  const problems = (lines: readonly string[], learnFrom: LearnFrom) => {
    const rows = lines.map((line, i) => ({
      source: { file: "own-data.md", record: i + 1 },
      fields: JSON.parse(line) as Record<string, unknown>,
    }));
    const { problems, unused } = parseRows(rows, {}, learnFrom);
    return [...problems, ...unused];
  };
  const accepted = blocks(forms!);
  expect(accepted).toHaveLength(7);
  for (const lines of accepted) expect(problems(lines, "answers")).toEqual([]);
  const [pairs, rated] = blocks(preferences!);
  expect(problems(pairs!, "preferences")).toEqual([]);
  expect(problems(rated!, "ratings")).toEqual([]);
});
