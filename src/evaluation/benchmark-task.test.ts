import { expect, test } from "vitest";
import { jsonLines, readerOf } from "../../test/support/benchmark-data.ts";
import { loadBenchmarkTask } from "./benchmark-task.ts";

const OPTIONS = { data: "data", seed: 1, fidelity: "paper" } as const;

const problem = (task_id: string, name: string): object => ({
  task_id,
  prompt: `def ${name}(n):\n`,
  entry_point: name,
  canonical_solution: "    return n\n",
  test: `def check(candidate):\n    assert candidate(2) == 2\n`,
});

test("questions with the same id get ids of their own", async () => {
  const files = {
    "HumanEval.jsonl": jsonLines(
      problem("HumanEval/1", "first"),
      problem("HumanEval/1", "second"),
      problem("HumanEval/1#2", "third"),
      problem("HumanEval/1", "fourth"),
    ),
  };
  const { questions } = await loadBenchmarkTask("humaneval", readerOf(files), OPTIONS);
  expect(questions.map(({ question }) => [question.id, question.turns[0]])).toEqual([
    ["HumanEval/1", "def first(n):\n"],
    ["HumanEval/1#3", "def second(n):\n"],
    ["HumanEval/1#2", "def third(n):\n"],
    ["HumanEval/1#4", "def fourth(n):\n"],
  ]);
});

test("several samples at temperature 0 are refused, before anything is asked", async () => {
  const files = readerOf({ "HumanEval.jsonl": jsonLines(problem("HumanEval/1", "first")) });
  const load = (options: object) => loadBenchmarkTask("humaneval", files, { ...OPTIONS, ...options });
  await expect(load({ samples: 10 })).rejects.toThrow("humaneval: 10 samples of each answer would be the same");
  await expect(load({ samples: 10, temperature: 0 })).rejects.toThrow("for the temperature is 0");
  expect((await load({ samples: 10, temperature: 0.8 })).samples).toBe(10);
  expect((await load({ samples: 1 })).samples).toBe(1);
});
