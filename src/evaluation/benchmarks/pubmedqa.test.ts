import { describe, expect, it } from "vitest";
import { DEFAULTS, folderOf, hubOf, jsonLines, said, TOOLS } from "../../../test/support/benchmark-data.ts";
import { PythonRandom } from "../../tensor/python-random.ts";
import { pubmedqa } from "./pubmedqa.ts";

const study = (decision: string, QUESTION = "Does tea help?") => ({
  QUESTION,
  CONTEXTS: ["We gave tea to 20 people.", "Ten slept longer."],
  LABELS: ["METHODS", "RESULTS"],
  final_decision: decision,
  LONG_ANSWER: "It may.",
});
const original = (truth?: object) => ({
  "ori_pqal.json": JSON.stringify({ 11: study("yes"), 12: study("no", "Does salt?"), 13: study("maybe") }),
  ...(truth === undefined ? {} : { "test_ground_truth.json": JSON.stringify(truth) }),
});

describe("PubMedQA", () => {
  it("asks the test questions with their abstract, and shows the others as examples", async () => {
    const questions = await pubmedqa.load(folderOf(original({ 12: "no" })), { ...DEFAULTS, shots: 1 });
    expect(questions).toEqual([
      {
        id: "12",
        context: {
          shots: ["Abstract: We gave tea to 20 people.\nTen slept longer.\nQuestion: Does tea help?\nAnswer: yes"],
        },
        turns: ["Abstract: We gave tea to 20 people.\nTen slept longer.\nQuestion: Does salt?\nAnswer:"],
        options: ["yes", "no", "maybe"],
        decision: "no",
      },
    ]);
  });

  it("reads MedAgents-Bench's table, whose question is the last line", async () => {
    const table = jsonLines({
      realidx: "12",
      question: "We gave tea to 20 people.\nTen slept longer.\nDoes salt?",
      answer: "no",
      options: { A: "yes", B: "no", C: "maybe" },
      answer_idx: "B",
    });
    const [only] = await pubmedqa.load(folderOf({ "test.jsonl": table }), DEFAULTS);
    const [same] = await pubmedqa.load(folderOf(original({ 12: "no" })), DEFAULTS);
    expect(only).toEqual(same);
  });

  it("finds the authors' 500 test questions among the Hub's 1,000", async () => {
    const labels = ["yes", "no", "yes", "maybe", "yes"];
    const rows = Array.from({ length: 1000 }, (_, i) => ({
      pubid: 5000 + i,
      question: "Does it?",
      context: { contexts: ["So."], labels: ["RESULTS"] },
      final_decision: labels[i % 5]!,
    }));
    const hub = hubOf({ "hf:qiaojin/PubMedQA?config=pqa_labeled&split=train": rows });
    const questions = await pubmedqa.load(hub, { ...DEFAULTS, shots: 3 });
    expect(questions).toHaveLength(500);
    // The second half of each answer's questions, shuffled one after the other.
    const random = new PythonRandom(0);
    const expected = ["yes", "no", "maybe"].flatMap((label) => {
      const ids = rows.filter((row) => row.final_decision === label).map(({ pubid }) => String(pubid));
      random.shuffle(ids);
      return ids.slice(ids.length / 2);
    });
    expect(questions.map(({ id }) => id)).toEqual(expected);
    // The same from the authors' file, whose numbers are in no order.
    const file = Object.fromEntries(rows.map(({ pubid, final_decision }) => [`n${pubid}`, study(final_decision)]));
    const text = JSON.stringify(file).replaceAll(/"n(\d+)":/g, (_, id: string) => `"${6999 - Number(id)}":`);
    const own = await pubmedqa.load(folderOf({ "ori_pqal.json": text }), DEFAULTS);
    expect(own.map(({ id }) => id)).toEqual(expected.map((id) => String(6999 - Number(id))));
    await expect(
      pubmedqa.load(hubOf({ "hf:qiaojin/PubMedQA?config=pqa_labeled&split=train": rows.slice(1) }), DEFAULTS),
    ).rejects.toThrow("999 questions, expected all 1,000");
  });

  it.each([
    ["no", "no"],
    ["No.", "no"],
    ["**No**, it does not", "no"],
    ["NO", "no"],
    ["Maybe", "maybe"],
    ["yes\n\nQuestion: Does it?", "yes"],
    ["The answer is no.", "no"],
    ["Answer: maybe", "maybe"],
    ["Based on the abstract, the answer is yes", "yes"],
    ["There is no difference", null],
    ["yes/no/maybe", null],
    ["Nobody knows", null],
    ["不", null],
    ["", null],
  ])("reads %j as %s", async (text, parsed) => {
    const [only] = await pubmedqa.load(folderOf(original({ 12: "no" })), DEFAULTS);
    expect(await pubmedqa.grade(only!, said(text), TOOLS)).toEqual({
      scores: { accuracy: parsed === "no" ? 1 : 0 },
      parsed,
      expected: "no",
    });
  });

  it("averages F1 over yes, no and maybe: an unreadable answer is wrong but no class", () => {
    const verdict = (expected: string, parsed: string | null) => ({ scores: {}, expected, parsed });
    const verdicts = [verdict("yes", "yes"), verdict("yes", null), verdict("no", "no"), verdict("maybe", "no")];
    const macro = pubmedqa.metrics[1]!.ofAll!;
    // F1: yes 2/3, no 2/3, maybe 0.
    expect(macro(verdicts)).toBeCloseTo(4 / 9, 12);
  });

  it.each([
    [
      "another answer",
      { "ori_pqal.json": JSON.stringify({ 1: study("perhaps") }) },
      '"final_decision" is "perhaps", expected yes, no or maybe',
    ],
    ["a missing column", { "ori_pqal.json": JSON.stringify({ 1: { QUESTION: "?" } }) }, 'no column "CONTEXTS"'],
    ["broken JSON", { "ori_pqal.json": "{" }, "ori_pqal.json: not valid JSON"],
    ["a list", { "ori_pqal.json": "[]" }, "an array, expected an object of records"],
    ["some of the questions without saying which are the test", original(), "3 questions, expected all 1,000"],
    ["a truth of other questions", original({ 99: "yes" }), "ori_pqal.json has no question 99"],
    ["another benchmark", { "test.jsonl": jsonLines({ question: "?", answer: "#### 4" }) }, '"answer" is "#### 4"'],
    ["an empty folder", {}, /no .*test\.jsonl/],
  ])("refuses %s", async (_, files, message) => {
    await expect(pubmedqa.load(folderOf(files as Record<string, string>), DEFAULTS)).rejects.toThrow(message);
  });
});
