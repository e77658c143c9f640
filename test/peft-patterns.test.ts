import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { scoreFile, type RecordScore } from "../src/jobs/score-file.ts";
import { nodePlatform } from "../src/node/platform.ts";

// Adapters that PEFT 0.21 saved with patterns, and what PEFT computes with them.
const GOLDEN = path.join(import.meta.dirname, "golden", "chatml");
const ROW = '{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}\n';
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-patterns-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["regex", -29.271],
  ["layers", -35.1403],
  ["rank-pattern", -32.0941],
  ["alpha-pattern", -31.9291],
  ["exclude", -33.6185],
])("computes what PEFT does: %s", async (name, logprob) => {
  const data = path.join(folder, "data.jsonl");
  writeFileSync(data, ROW);
  const scores: RecordScore[] = [];
  const options = { model: GOLDEN, adapter: path.join(GOLDEN, "adapters", name), data };
  await scoreFile(options, nodePlatform({ threads: 1 }), (score) => scores.push(score));
  expect(scores[0]!.tokens).toBe(5);
  expect(scores[0]!.logprob).toBeCloseTo(logprob, 3);
});
