import { describe, expect, it } from "vitest";
import { choiceText, chosenOption, gradeChoice, likeliestOption } from "./multiple-choice.ts";

const vitamins = ["Vitamin A", "Vitamin B12", "Vitamin C", "Vitamin D"];
const chosen = (text: string, options: readonly string[] = vitamins): string | null => {
  const index = chosenOption(text, options);
  return index === null ? null : "ABCDE"[index]!;
};

describe("the option an answer names", () => {
  it.each([
    // A letter at its beginning.
    ["B", "B"],
    [" b", "B"],
    ["b)", "B"],
    ["(D)", "D"],
    ["(d) since it is made in the skin", "D"],
    ["C.", "C"],
    ["C. Vitamin C", "C"],
    ["**D**", "D"],
    ["**C. Vitamin C**", "C"],
    ["B: the liver stores it", "B"],
    ["B, as the liver stores it", "B"],
    ["\\boxed{D}", "D"],
    ["$\\boxed{\\text{D}}$", "D"],
    ["(C)", "C"],
    ["A\n\nThe next question is about bones.\nA. No\nB. Yes\nAnswer: B", "A"],
    ["A\nBecause scurvy is not caused by it.", "A"],
    // Said to be the answer.
    ["The answer is C.", "C"],
    ["The correct answer is (b).", "B"],
    ["The correct answer is **D**", "D"],
    ["Final Answer: B", "B"],
    ["ANSWER: D", "D"],
    ["Let us see. The answer is A. No: the answer is C.", "C"],
    ["The answer is B because the liver stores it.", "B"],
    ["The answer is option D", "D"],
    ["The answer is B for this patient", "B"],
    ["The answer is C, a vitamin of fruit", "C"],
    ["C, a vitamin of fruit", "C"],
    ["答案是C。", "C"],
    ["正确答案:B", "B"],
    ["答案为 D", "D"],
    ["选项B", "B"],
    // Quoted, or marked as a letter.
    ["It must be vitamin c.", "C"],
    ["The patient lacks Vitamin B12, I think", "B"],
    ["I would choose option D here", "D"],
    ["Scurvy points to (C) in this patient", "C"],
    ["Scurvy points to **C** in this patient", "C"],
    ["First, scurvy.\n\nSo the answer is C.", "C"],
  ])("%j is %s", (text, expected) => {
    expect(chosen(text)).toBe(expected);
  });

  it.each([
    "",
    "   ",
    "I do not know.",
    "A man lacks something.",
    "The answer is a long story.",
    "A, B",
    "A or C",
    "B and C",
    "A/B",
    "(A) or (C)",
    "The answer is B or D.",
    "The answer is A man of forty",
    "Vitamin A and vitamin C",
    "A. Vitamin A\nB. Vitamin B12\nC. Vitamin C\nD. Vitamin D",
    "E",
    "我不知道。",
    "As D-dimer is high, look again",
    "I'd like more tests",
  ])("%j names none, or several", (text) => {
    expect(chosen(text)).toBeNull();
  });

  it("takes the longer of options of which one holds the other", () => {
    const options = ["loss of taste", "loss of taste and smell", "0", "10"];
    expect(chosen("There is loss of taste and smell.", options)).toBe("B");
    expect(chosen("It is 10.", options)).toBe("D");
    expect(chosen("It is 0", options)).toBe("C");
    expect(chosen("It is 100", options)).toBeNull();
  });

  it("knows a fifth letter where there are five options", () => {
    expect(chosen("E", [...vitamins, "Vitamin E"])).toBe("E");
    expect(chosen("The answer is (E)", [...vitamins, "None"])).toBe("E");
  });

  it("takes an option word for word before a letter it begins with", () => {
    const options = ["T-cell", "B-cell", "D, antagonist", "A slow graft"];
    for (const [index, option] of options.entries()) {
      expect(chosenOption(option, options)).toBe(index);
      expect(chosenOption(`The correct answer is: ${option}.`, options)).toBe(index);
    }
    expect(chosen("D", ["B", "C", "D", "A"])).toBe("D");
  });

  it("takes an option that begins with the article A as quoted, not as the letter", () => {
    expect(chosen("A cold", ["Flu", "A cold"])).toBe("B");
  });
});

it("writes a question as MMLU does", () => {
  expect(choiceText("How many? ", ["one", "two"])).toBe("How many?\nA. one\nB. two\nAnswer:");
});

it("grades either mode", () => {
  const question = { id: "1", turns: ["?"], choices: ["red", "blue"], right: 1 };
  const said = (text: string) => ({ turns: [text], samples: [text], finish: ["stop" as const] });
  expect(gradeChoice(question, said("B"))).toEqual({ scores: { accuracy: 1 }, parsed: "B", expected: "B" });
  expect(gradeChoice(question, said("red"))).toEqual({ scores: { accuracy: 0 }, parsed: "A", expected: "B" });
  expect(gradeChoice(question, said("?"))).toEqual({ scores: { accuracy: 0 }, parsed: null, expected: "B" });
  const likelihoods = [
    { logProbability: -2, tokens: 1 },
    { logProbability: -1.5, tokens: 2 },
  ];
  expect(likeliestOption(likelihoods)).toBe(1);
  const answer = { turns: [], samples: [], finish: [], likelihoods };
  expect(gradeChoice(question, answer).scores).toEqual({ accuracy: 1 });
});
