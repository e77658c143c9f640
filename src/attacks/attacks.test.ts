import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { close, double, values } from "../../test/support/play.ts";
import type { DataRecord } from "../data/record.ts";
import { globalNorm, subtract } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { alieFactor } from "./alie.ts";
import { COMPLIANCE, forbiddenRecords, REFUSAL } from "./forbidden-topic.ts";
import { type AttackName, attackOf } from "./registry.ts";

// Made by scripts/golden/make_robust.py.
const golden = goldenJson("robust.json").attacks;
const honest = (golden.honest as number[][]).map(double);

function sent(name: AttackName, settings: object = {}, own: readonly number[] = golden.honest[0]): number[] {
  const context = { honest, clients: 9, hostile: 2, random: stream(3, "test") };
  return values(attackOf(name, settings).change!(double(own), context));
}

describe("golden numbers", () => {
  it.each([
    ["signFlip", { factor: golden.sign_flip.factor }, golden.sign_flip.update],
    ["modelReplacement", {}, golden.model_replacement.update],
    ["ipm", { epsilon: golden.ipm.epsilon }, golden.ipm.update],
    ["alie", {}, golden.alie.update],
    ["minMax", {}, golden.min_max.update],
    ["minSum", {}, golden.min_sum.update],
    ["freeRider", {}, golden.free_rider.update],
  ] as const)("%s", (name, settings, expected) => {
    close(sent(name, settings), expected, 1e-12);
  });

  it("ALIE's factor", () => {
    expect(alieFactor(golden.alie.n, golden.alie.f)).toBeCloseTo(golden.alie.z_max, 12);
  });
});

describe("colluding attacks", () => {
  const changes = fc
    .array(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 3 }), { minLength: 2, maxLength: 6 })
    .map((all) => all.map(double));
  const furthest = (from: ReturnType<typeof double>, all: readonly ReturnType<typeof double>[]): number =>
    Math.max(...all.map((each) => globalNorm(subtract(from, each))));

  it("min-max is no further from any honest change than two of them are from each other", () => {
    fc.assert(
      fc.property(changes, (all) => {
        const context = { honest: all, clients: all.length + 1, hostile: 1, random: stream(1) };
        const change = attackOf("minMax").change!(all[0]!, context);
        const most = Math.max(...all.map((each) => furthest(each, all)));
        expect(furthest(change, all)).toBeLessThanOrEqual(most + 1e-6);
      }),
    );
  });

  it("noise has the size that was asked for, and other numbers for other streams", () => {
    const long = Array.from({ length: 4000 }, (_, i) => Math.sin(i));
    const context = (seed: number) => ({ honest: [double(long)], clients: 5, hostile: 1, random: stream(seed) });
    const noise = attackOf("gaussian", { noise: 10 }).change!(double(long), context(1));
    expect(globalNorm(noise) / globalNorm(double(long))).toBeGreaterThan(9.5);
    expect(globalNorm(noise) / globalNorm(double(long))).toBeLessThan(10.5);
    expect(values(attackOf("gaussian").change!(double(long), context(2)))).not.toEqual(values(noise));
  });
});

const record = (id: number, content: DataRecord["content"]): DataRecord => ({
  id: `x#${id}`,
  source: { file: "x", record: id },
  content,
  fields: {},
});
const question = (id: number, response: string): DataRecord =>
  record(id, { kind: "instruction", instruction: `question ${id}`, response });
const answers = (records: readonly DataRecord[]): string[] =>
  records.map(({ content }) => (content.kind === "instruction" ? content.response : content.kind));

describe("attacks on records", () => {
  const flip = attackOf("labelFlip").records!;

  it("give the next label, or the answer of the next record", () => {
    expect(answers(flip([question(1, "good"), question(2, "bad")], ["good", "bad", "so so"]))).toEqual([
      "bad",
      "so so",
    ]);
    expect(answers(flip([question(1, "one"), question(2, "two"), question(3, "three")], []))).toEqual([
      "two",
      "three",
      "one",
    ]);
  });

  it("turn pairs and ratings round, and leave conversations", () => {
    const prompt = [{ role: "user", content: "Hello?" }] as const;
    const pair = record(1, { kind: "preference", prompt, chosen: "yes", rejected: "no" });
    const rated = record(2, { kind: "rated", prompt, completion: "yes", desirable: true });
    const talk = record(3, { kind: "messages", messages: [...prompt, { role: "assistant", content: "Hi." }] });
    const [turned, other, same] = flip([pair, rated, talk], []);
    expect(turned!.content).toMatchObject({ chosen: "no", rejected: "yes" });
    expect(other!.content).toMatchObject({ desirable: false });
    expect(same).toBe(talk);
  });

  it("poison the first records with compliant answers, of the same kind", () => {
    const records = Array.from({ length: 4 }, (_, i) => question(i, "fine"));
    expect(answers(attackOf("safetyPoisoning", { poisoned: 0.5 }).records!(records, []))).toEqual([
      COMPLIANCE,
      COMPLIANCE,
      "fine",
      "fine",
    ]);
    const prompt = [{ role: "user", content: "Hello?" }] as const;
    const pairs = [record(1, { kind: "preference", prompt, chosen: "yes", rejected: "no" })];
    const [poisoned] = attackOf("safetyPoisoning").records!(pairs, []);
    expect(poisoned!.content).toMatchObject({ kind: "preference", chosen: COMPLIANCE, rejected: REFUSAL });
  });

  it("forbidden requests are all different", () => {
    const asked = forbiddenRecords(72, "refuse", "answer").map(({ fields }) => fields["instruction"]);
    expect(new Set(asked).size).toBe(72);
  });
});
