import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { type Bytes, sha256Bytes } from "./bytes.ts";
import { dealShares, maskVector, ownSecrets, publicKeys, roundingNumbers } from "./client.ts";
import { type Cohort, problemWithKeys, publicCoins, roundSalt } from "./cohort.ts";
import { completeGraph, circulantGraph, graphSize, holdersOf, shuffle } from "./graph.ts";
import { fromGrid, gridFor, quantise } from "./grid.ts";
import { addWords, type Bits, newWords } from "./mask.ts";
import { recover, split } from "./shamir.ts";
import { type Answer, recoverSecrets, unmaskSum } from "./unmask.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("Shamir's scheme", () => {
  it("gives the secret from any `threshold` shares and finds the forged ones", async () => {
    const places = fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 5, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(bytes(32), places, bytes(32 * 2), fc.nat(3), async (secret, xs, coefficients, forged) => {
        const shares = split(secret, 3, xs, coefficients).map((y, i) => ({ x: xs[i]!, y }));
        shares[forged]!.y[7]! ^= 1;
        const hash = await sha256Bytes(secret);
        const fits = async (found: Bytes): Promise<boolean> => Buffer.from(await sha256Bytes(found)).equals(hash);
        const found = await recover(shares, 3, fits);
        expect(found?.secret).toEqual(secret);
        expect(found?.wrong).toEqual([xs[forged]]);
        expect(await recover(shares.slice(0, 3), 3, fits)).toEqual(forged < 3 ? undefined : { secret, wrong: [] });
        expect(await recover(shares.slice(0, 2), 3, fits)).toBeUndefined();
      }),
    );
  });

  it("leaves every secret possible below the threshold", () => {
    // For each secret byte there are coefficients that give the same two shares.
    const [first, second] = split(Uint8Array.of(77), 3, [1, 2], Uint8Array.of(5, 9)) as [Bytes, Bytes];
    for (const secret of [0, 77, 255]) {
      const found = [];
      for (let a = 0; a < 256; a++)
        for (let b = 0; b < 256; b++) {
          const [y1, y2] = split(Uint8Array.of(secret), 3, [1, 2], Uint8Array.of(a, b)) as [Bytes, Bytes];
          if (y1[0] === first[0] && y2[0] === second[0]) found.push([a, b]);
        }
      expect(found).toHaveLength(1);
    }
  });
});

describe("the grid", () => {
  const range = fc.double({ min: 1e-4, max: 100, noNaN: true });

  it("never wraps, and is within a step of the number", () => {
    fc.assert(
      fc.property(
        range,
        fc.integer({ min: 3, max: 1000 }),
        fc.integer({ min: 1, max: 20 }),
        (r, clients, weightMax) => {
          const grid = gridFor({ bits: 32, range: r, clients, weightMax });
          const words = newWords(32, 2);
          const sum = newWords(32, 2);
          quantise([r, -r], { weight: weightMax, grid, uniform: [2 ** 32 - 1, 0] }, words);
          for (let client = 0; client < clients; client++) addWords(sum, words, 1);
          const [high, low] = fromGrid(sum, grid) as unknown as [number, number];
          expect(Math.abs(high - clients * weightMax * r)).toBeLessThanOrEqual(clients / grid.scale + 1e-9);
          expect(Math.abs(low + clients * weightMax * r)).toBeLessThanOrEqual(clients / grid.scale + 1e-9);
        },
      ),
    );
  });

  it("with twice the range has half the precision, and nothing else changes", () => {
    const [one, two] = [1, 2].map((r) => gridFor({ bits: 32, range: r, clients: 10, weightMax: 1 }));
    expect(one!.scale / two!.scale).toBeCloseTo(2, 6);
    const words = newWords(32, 3);
    for (const grid of [one!, two!]) {
      quantise([0.25, -0.5, 1], { weight: 1, grid, uniform: [0, 0, 0] }, words);
      for (const [i, x] of [0.25, -0.5, 1].entries()) expect(fromGrid(words, grid)[i]).toBeCloseTo(x, 6);
    }
  });

  it("refuses what would be lost silently", () => {
    const grid = gridFor({ bits: 16, range: 1, clients: 10, weightMax: 1 });
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => quantise([0, bad], { weight: 1, grid, uniform: [0, 0] }, newWords(16, 2))).toThrow(
        `number 1 is ${bad}`,
      );
    }
    expect(() => gridFor({ bits: 16, range: 1, clients: 100, weightMax: 500 })).toThrow(UserError);
  });

  it("rounds without bias", async () => {
    const grid = { bits: 32, range: 1, scale: 10 } as const;
    const uniform = await roundingNumbers(new Uint8Array(32), new Uint8Array(32), "test", 20_000);
    const words = newWords(32, uniform.length);
    quantise(new Float64Array(uniform.length).fill(0.123), { weight: 1, grid, uniform }, words);
    const mean = [...words].reduce((sum, word) => sum + word, 0) / words.length;
    expect(mean).toBeCloseTo(1.23, 1);
    expect(new Set(words)).toEqual(new Set([1, 2]));
  });
});

describe("the graph of a round", () => {
  it("has the thresholds of Bonawitz et al. up to 100 clients, and a ring above", () => {
    expect(graphSize(10, { active: false })).toEqual({ neighbours: 9, threshold: 6 });
    expect(graphSize(10, { active: true })).toEqual({ neighbours: 9, threshold: 7 });
    expect(graphSize(3, { active: false })).toEqual({ neighbours: 2, threshold: 2 });
    expect(graphSize(1000, { active: false })).toEqual({ neighbours: 46, threshold: 26 });
    expect(graphSize(1000, { active: true })).toEqual({ neighbours: 78, threshold: 60 });
  });

  it("refuses a threshold that half of the holders reach, or nobody", () => {
    for (const threshold of [5, 11]) {
      expect(() => graphSize(10, { active: false, threshold })).toThrow(`threshold is ${threshold} with 9 neighbours`);
    }
  });

  it("is symmetric, and its ring follows from everybody's keys", async () => {
    const names = Array.from({ length: 120 }, (_, i) => `c${i}`);
    const order = await shuffle(names, new Uint8Array(32).fill(1));
    expect([...order].sort()).toEqual([...names].sort());
    expect(await shuffle(names, new Uint8Array(32).fill(2))).not.toEqual(order);
    const graph = circulantGraph(order, 20);
    for (const [client, neighbours] of graph) {
      expect(neighbours).toHaveLength(20);
      expect(neighbours).not.toContain(client);
      for (const other of neighbours) expect(graph.get(other)).toContain(client);
      expect(holdersOf(graph, client)).toHaveLength(21);
    }
  });
});

const NAMES = ["a", "b", "c", "d", "e"];

async function cohortOf(names: readonly string[], round: number, threshold: number) {
  const salt = await roundSalt("run", round);
  const secrets = new Map<string, { master: Bytes; own: Awaited<ReturnType<typeof ownSecrets>> }>();
  for (const [i, name] of names.entries()) {
    const master = new Uint8Array(32).fill(10 * round + i);
    secrets.set(name, { master, own: await ownSecrets(master, salt) });
  }
  const keys = new Map<string, Awaited<ReturnType<typeof publicKeys>>>();
  for (const [name, { own }] of secrets) keys.set(name, await publicKeys(own));
  const cohort: Cohort = { run: "run", round, salt, keys, graph: completeGraph(names), threshold, parts: [names] };
  return { cohort, secrets };
}

describe("all fates of five clients", () => {
  it.each([16, 32] as const)("give the sum of the integers, or nothing (%i bits)", async (bits: Bits) => {
    const { cohort, secrets } = await cohortOf(NAMES, 1, 3);
    const vectors = new Map(
      NAMES.map((name, i) => [name, Uint32Array.from({ length: 6 }, (_, j) => (i + 1) * 1000 * j - 7 * i)]),
    );
    const masked = new Map<string, ReturnType<typeof newWords>>();
    for (const name of NAMES) {
      const words = newWords(bits, 6);
      words.set(vectors.get(name)!);
      await maskVector(words, cohort, { name, own: secrets.get(name)!.own, sharers: new Set(NAMES) });
      masked.set(name, words);
    }
    let sums = 0;
    for (let code = 0; code < 3 ** 5; code++) {
      // 0: lost before its vector; 1: sent its vector and no shares; 2: sent both.
      const fates = new Map(NAMES.map((name, i) => [name, Math.floor(code / 3 ** i) % 3]));
      const survivors = new Set(NAMES.filter((name) => fates.get(name)! > 0));
      const parties = { sharers: new Set(NAMES), survivors };
      const answers = new Map<string, Answer>();
      for (const holder of NAMES.filter((name) => fates.get(name) === 2)) {
        const answer = { self: new Map<string, Bytes>(), mask: new Map<string, Bytes>() };
        for (const name of NAMES) {
          const pair = (await dealShares(cohort, name, secrets.get(name)!)).get(holder)!;
          if (survivors.has(name)) answer.self.set(name, pair.self);
          else answer.mask.set(name, pair.mask);
        }
        answers.set(holder, answer);
      }
      const { opened, closed } = await recoverSecrets(cohort, parties, answers);
      if (answers.size < 3) {
        expect(opened).toBeUndefined();
        expect(closed).toEqual(NAMES);
        continue;
      }
      const [sum, plain] = [newWords(bits, 6), newWords(bits, 6)];
      for (const name of survivors) {
        addWords(sum, masked.get(name)!, 1);
        plain.forEach((word, i) => (plain[i] = word + vectors.get(name)![i]!));
      }
      await unmaskSum(sum, cohort, parties, opened!);
      expect([...sum]).toEqual([...plain]);
      sums++;
    }
    // Three or more of five that sent both, whatever the others did: 10·4 + 5·2 + 1.
    expect(sums).toBe(51);
  });

  it("a client that was told another adapter spoils the sum, and nothing is learnt", async () => {
    const { cohort, secrets } = await cohortOf(NAMES, 1, 3);
    const parties = { sharers: new Set(NAMES), survivors: new Set(NAMES) };
    const sum = newWords(32, 4);
    for (const name of NAMES) {
      const words = newWords(32, 4).fill(5);
      const told = name === "c" ? { ...cohort, salt: await roundSalt("run", 1, "another adapter") } : cohort;
      await maskVector(words, told, { name, own: secrets.get(name)!.own, sharers: parties.sharers });
      addWords(sum, words, 1);
    }
    const opened = {
      selfSeeds: new Map(NAMES.map((name) => [name, secrets.get(name)!.own.self])),
      maskSecrets: new Map<string, Bytes>(),
    };
    await unmaskSum(sum, cohort, parties, opened);
    expect([...sum]).not.toEqual([25, 25, 25, 25]);
  });
});

it("names a holder whose share was forged, and does without it", async () => {
  const { cohort, secrets } = await cohortOf(NAMES, 1, 3);
  const parties = { sharers: new Set(NAMES), survivors: new Set(["a", "b", "c", "d"]) };
  const answers = new Map<string, Answer>();
  for (const holder of parties.survivors) {
    const answer = { self: new Map<string, Bytes>(), mask: new Map<string, Bytes>() };
    for (const name of NAMES) {
      const pair = (await dealShares(cohort, name, secrets.get(name)!)).get(holder)!;
      if (parties.survivors.has(name)) answer.self.set(name, pair.self);
      else answer.mask.set(name, pair.mask);
    }
    answers.set(holder, answer);
  }
  answers.get("b")!.mask.get("e")![0]! ^= 1;
  answers.get("b")!.self.get("c")![31]! ^= 128;
  const recovery = await recoverSecrets(cohort, parties, answers);
  expect(recovery.wrong).toEqual(["b"]);
  expect(recovery.opened?.maskSecrets.get("e")).toEqual(secrets.get("e")!.own.mask);
  answers.delete("a");
  const without = await recoverSecrets(cohort, parties, answers);
  expect(without.opened).toBeUndefined();
  expect(without.closed).toEqual(["c", "e"]);
});

it("refuses a key that is there twice", async () => {
  const { cohort } = await cohortOf(NAMES, 1, 3);
  expect(await problemWithKeys(cohort.keys)).toBeUndefined();
  const a = cohort.keys.get("a")!;
  const same = new Map(cohort.keys).set("b", { ...cohort.keys.get("b")!, mask: a.channel });
  expect(await problemWithKeys(same)).toEqual({ client: "b", reason: "it has a key of a" });
  expect((await problemWithKeys(new Map([["a", { ...a, mask: a.channel }]])))?.reason).toBe("its two keys are one");
  for (const channel of [new Uint8Array(32), new Uint8Array(3)]) {
    expect((await problemWithKeys(new Map([["a", { ...a, channel }]])))?.reason).toContain("no point");
  }
  expect(await publicCoins(cohort.salt, cohort.keys)).not.toEqual(await publicCoins(cohort.salt, same));
});
