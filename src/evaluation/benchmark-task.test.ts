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
