import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { folderOf } from "../../../test/support/benchmark-data.ts";
import { answered } from "../../../test/support/dialogue-benchmark.ts";
import type { Message } from "../../data/messages.ts";
import { summarise } from "../results.ts";
import { lengthControlledWinRate } from "../metrics/win-rate.ts";
import { alpacaEval, compared } from "./alpaca-eval.ts";

const OPTIONS = { mode: "generation", shots: undefined, fidelity: "paper" } as const;
const REFERENCES = JSON.stringify([
  { dataset: "kitchen", instruction: "How long do eggs boil?", output: "Eight minutes.", generator: "old" },
  { dataset: "kitchen", instruction: "What goes into dough?", output: "Flour and water.", generator: "old" },
  { dataset: "garden", instruction: "When do I sow peas?", output: "In March.", generator: "old" },
]);
const RANKING = `Rank them.\n{instruction}\n[{'model': 'model_1', 'answer': '{output_1}'}, {'model': 'model_2', 'answer': '{output_2}'}]`;
const LETTER = `<|im_start|>system
You choose.
<|im_end|>
<|im_start|>user
{instruction}
m: {output_1}
M: {output_2}
Which is best, m or M?
<|im_end|>`;

async function grading(template: string | undefined, say: (prompt: string) => string, own: string) {
  const files = {
    "old-model_outputs.json": REFERENCES,
    ...(template !== undefined && { "alpaca_eval.txt": template }),
  };
  const [question] = await alpacaEval.load(folderOf(files), OPTIONS);
  const asked: (readonly Message[])[] = [];
  const judge = {
    name: "scripted",
    ask: async (messages: readonly Message[]) => {
      asked.push(messages);
      return say(messages.at(-1)!.content);
    },
  };
  return { verdict: await alpacaEval.grade(question!, answered(own), { judge, fidelity: "paper" }), asked };
}

describe("a comparison", () => {
  const first = (prompt: string): boolean => prompt.indexOf("Boil") < prompt.indexOf("Eight minutes");
  test.each([
    [
      "AlpacaEval's ranking",
      RANKING,
      (own: boolean) => `[{'model': 'model_1', 'rank': ${own ? 1 : 2}}, {'model': 'model_2', 'rank': ${own ? 2 : 1}}]`,
    ],
    [
      "a ranking as JSON with words around it",
      RANKING,
      (own: boolean) =>
        `My ranking:\n[{"rank": ${own ? 2 : 1}, "model": "model_2"}, {"rank": ${own ? 1 : 2}, "model": "model_1"}]\nAs asked.`,
    ],
    ["AlpacaEval's letter", LETTER, (own: boolean) => `The shorter one.\n${own ? "m" : "M"}`],
    ["our own words", undefined, (own: boolean) => `Not [[${own ? 2 : 1}]] but [[${own ? 1 : 2}]]`],
  ])("by %s is the same whichever place the answer has", async (_, template, say) => {
    const places = new Set<boolean>();
    for (let i = 0; i < 12; i++) {
      const own = `Boil them for ${i} minutes.`;
      const likes = (wins: boolean) => (prompt: string) => say(first(prompt) === wins);
      const { verdict, asked } = await grading(template, likes(true), own);
      expect(verdict).toMatchObject({ scores: { winRate: 1 }, parsed: "won" });
      expect((await grading(template, likes(false), own)).verdict).toMatchObject({ scores: { winRate: 0 } });
      places.add(first(asked[0]!.at(-1)!.content));
    }
    // Both places come up, by the texts.
    expect(places.size).toBe(2);
  });

  test.each([
    ["a tie that was not on offer", RANKING, "[{'model': 'model_1', 'rank': '1.5'}]"],
    ["prose", RANKING, "The first is better."],
    ["another language", LETTER, "Die erste ist besser."],
    ["a word", undefined, "[[first]]"],
  ])("%s cannot be read", async (_, template, text) => {
    const { verdict } = await grading(template, () => text, "Boil.");
    expect(verdict).toEqual({ scores: {}, parsed: null, unreadable: 1, note: text });
  });

  test("of equal outputs is a draw that nobody is asked about", async () => {
    const { verdict, asked } = await grading(RANKING, () => "", "Eight minutes.");
    expect(verdict).toMatchObject({ scores: { winRate: 0.5 }, parsed: "draw" });
    expect(asked).toEqual([]);
  });

  test("takes the messages of a template in ChatML apart", async () => {
    const { asked } = await grading(LETTER, () => "m", "Boil.");
    expect(asked[0]!.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(asked[0]![0]!.content).toBe("You choose.");
  });
});

test.each([
  ["{instruction} {output_1}", "has no placeholder {output_2}"],
  ["{instruction} {output_1} {output_2}: who wins?", "does not ask for a known form of verdict"],
])("the template %j is refused", async (template, message) => {
  await expect(grading(template, () => "", "")).rejects.toThrow(message);
});

test.each([
  [["alpaca_eval.json", "alpaca_eval_all_outputs.json"], 3],
  [["alpaca_eval_gpt4_baseline.json"], 3],
  [["gpt4-model_outputs.json", "alpaca_eval.json", "alpaca_eval_all_outputs.json"], 3],
  [["alpaca_eval_all_outputs.json"], "no file of reference outputs"],
  [["alpaca_eval.json", "alpaca_eval_gpt4_baseline.json"], "several files could be file of reference outputs"],
] as const)("of %j the reference's outputs are taken", async (names, expected) => {
  const isReference = (name: string): boolean => name === names[0];
  const files = Object.fromEntries(names.map((name) => [name, isReference(name) ? REFERENCES : "[]"]));
  const loaded = alpacaEval.load(folderOf(files), OPTIONS);
  if (typeof expected === "string") await expect(loaded).rejects.toThrow(expected);
  else expect(await loaded).toHaveLength(expected);
});

test("a folder without the reference's outputs is refused, and so is the Hub", async () => {
  await expect(alpacaEval.load(folderOf({ "annotations.json": "[]" }), OPTIONS)).rejects.toThrow(
    "no file of reference",
  );
  await expect(alpacaEval.load({ ...folderOf({}), local: undefined }, OPTIONS)).rejects.toThrow(
    "a local folder with its data is needed",
  );
});

/** What AlpacaEval's `describe_head2head` gives for its annotations: counts, and wins with half the draws over all. */
function summarised(annotations: readonly { preference: unknown; output_1: string; output_2: string }[]) {
  const graded = annotations.map(({ preference, output_1, output_2 }, i) => ({
    question: String(i),
    ...compared(preference, output_2, output_1),
  }));
  return summarise(alpacaEval, [], graded, 1).metrics;
}

test("the win rate of annotations is wins and half the draws, over those with a preference", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 1, 2, 1.5, null), { minLength: 1, maxLength: 60 }), (preferences) => {
      const count = (...values: unknown[]): number => preferences.filter((each) => values.includes(each)).length;
      const counted = preferences.length - count(null);
      const metrics = summarised(preferences.map((preference) => ({ preference, output_1: "abc", output_2: "ab" })));
      if (counted === 0) expect(metrics).toEqual({});
      else {
        expect(metrics["winRate"]!.value).toBeCloseTo((count(2) + count(0, 1.5) / 2) / counted, 12);
        expect(metrics["winRate"]!.n).toBe(counted);
      }
    }),
    { numRuns: 40 },
  );
});

test("a judge that likes length only is seen through", () => {
  // Three of four answers are longer by 20; of the longer ones 80 % win, of the shorter ones 20 %.
  const annotations = Array.from({ length: 100 }, (_, i) => {
    const longer = i % 4 !== 0;
    const likely = Math.floor(i / 4) % 5 !== 0;
    return { preference: longer === likely ? 2 : 1, output_1: "x".repeat(50), output_2: "x".repeat(longer ? 70 : 30) };
  });
  const { winRate, lengthControlled } = summarised(annotations);
  expect(winRate!.value).toBeCloseTo(0.65, 12);
  expect(lengthControlled!.value).toBeCloseTo(0.5, 2);
  expect(lengthControlled!.value).toBeCloseTo(
    lengthControlledWinRate(
      annotations.map(({ preference, output_1, output_2 }) => ({
        preference: preference - 1,
        length: output_2.length,
        baselineLength: output_1.length,
      })),
    ),
    12,
  );
});
