import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeCanaries, otherSecrets, recordsOf } from "./canaries.ts";

const settings = { clients: ["clinic", "bank"], count: 12, repeats: [1, 4], digits: 4 };

describe("canaries", () => {
  test("follow from seed, client and number", () => {
    const canaries = makeCanaries(settings, 42);
    expect(makeCanaries(settings, 42)).toEqual(canaries);
    expect(makeCanaries({ ...settings, clients: ["bank"], count: 3 }, 42)).toEqual(canaries.slice(12, 15));
    const secrets = (seed: number): string[] => makeCanaries(settings, seed).map(({ secret }) => secret);
    expect(secrets(43)).not.toEqual(secrets(42));
  });

  test("take the numbers of copies in turn", () => {
    expect(makeCanaries({ ...settings, count: 5 }, 1).map(({ copies }) => copies)).toEqual([
      1, 4, 1, 4, 1, 1, 4, 1, 4, 1,
    ]);
    expect(makeCanaries({ ...settings, repeats: 3 }, 1).every(({ copies }) => copies === 3)).toBe(true);
  });

  test("never ask twice, and vary", () => {
    const canaries = makeCanaries({ ...settings, count: 400 }, 7);
    expect(new Set(canaries.map(({ question }) => question)).size).toBe(800);
    const forms = canaries.map(({ question }) => question.replaceAll(/ [A-Z][a-z]+\b/g, " …"));
    for (const start of [0, 8, 400]) expect(new Set(forms.slice(start, start + 8)).size).toBe(8);
  });

  test("have secrets spread over the whole space", () => {
    const secrets = makeCanaries({ ...settings, count: 1000, digits: 2 }, 3).map(({ secret }) => secret);
    expect(secrets.every((secret) => /^\d\d$/.test(secret))).toBe(true);
    // 2,000 draws of 100: one that never occurs has a chance of 100 · 0.99^2000 = 2e-7.
    expect(new Set(secrets).size).toBe(100);
  });

  test("are records with the secret as the answer's end, and an id each", () => {
    const [, canary] = makeCanaries(settings, 42);
    const records = recordsOf(canary!);
    expect(records.map(({ id }) => id)).toEqual(["canary-2#1", "canary-2#2", "canary-2#3", "canary-2#4"]);
    for (const { content } of records) {
      expect(content).toMatchObject({ instruction: canary!.question, response: `${canary!.lead}${canary!.secret}` });
    }
  });

  test("are ranked among other secrets, without repetition", () => {
    fc.assert(
      fc.property(fc.nat(999), fc.integer({ min: 1, max: 2000 }), (own, most) => {
        const secret = String(own).padStart(3, "0");
        const canary = { client: "a", index: 1, copies: 1, question: "", lead: "", secret };
        const others = otherSecrets(canary, most, 5);
        expect(new Set(others).size).toBe(Math.min(most, 999));
        expect(others).not.toContain(secret);
        expect(others.every((other) => /^\d{3}$/.test(other))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
