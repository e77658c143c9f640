import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { hkdf } from "../privacy/secret-stream.ts";
import { agree, PublicKeyError, publicKeyOf } from "./agreement.ts";
import { type Bytes, fromHex, join, toHex, uint32 } from "./bytes.ts";
import { dealShares, maskVector, openShares, ownSecrets, publicKeys, sealShares } from "./client.ts";
import { type Cohort, roundSalt } from "./cohort.ts";
import { secureCosts } from "./costs.ts";
import { circulantGraph, completeGraph, smallestGraph } from "./graph.ts";
import { fromGrid, gridFor, quantise } from "./grid.ts";
import { addMask, addWords, newWords, pairSeed } from "./mask.ts";
import { interpolate, multiply, split } from "./shamir.ts";
import { type Answer, recoverSecrets, unmaskSum } from "./unmask.ts";

const golden = goldenJson("secagg.json");
const vector = (name: string): string => {
  const found = golden.primitives.find((entry: { name: string }) => entry.name === name);
  if (found === undefined) throw new Error(name);
  return found.value;
};

describe("the RFCs' vectors", () => {
  it("X25519 agrees as RFC 7748 says", async () => {
    const one = fromHex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const other = fromHex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    expect(toHex(await agree(one, other))).toBe(vector("RFC 7748 5.2 vector 1"));
    const two = fromHex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d");
    const another = fromHex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493");
    expect(toHex(await agree(two, another))).toBe(vector("RFC 7748 5.2 vector 2"));
    const alice = fromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    const bob = fromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    expect(toHex(await publicKeyOf(alice))).toBe(vector("RFC 7748 6.1 Alice's public key"));
    expect(toHex(await publicKeyOf(bob))).toBe(vector("RFC 7748 6.1 Bob's public key"));
    expect(toHex(await agree(alice, await publicKeyOf(bob)))).toBe(vector("RFC 7748 6.1 shared secret"));
    expect(toHex(await agree(bob, await publicKeyOf(alice)))).toBe(vector("RFC 7748 6.1 shared secret"));
  });

  it("X25519 iterates as RFC 7748 says", async () => {
    let [k, u] = [fromHex(`09${"00".repeat(31)}`), fromHex(`09${"00".repeat(31)}`)];
    for (let i = 1; i <= 1000; i++) {
      [k, u] = [await agree(k, u), k];
      if (i === 1) expect(toHex(k)).toBe(vector("RFC 7748 5.2 after 1 iteration"));
    }
    expect(toHex(k)).toBe(vector("RFC 7748 5.2 after 1000 iterations"));
  });

  it("X25519 refuses public keys of low order and of another length", async () => {
    const secret = fromHex("77".repeat(32));
    const p = `ed${"ff".repeat(30)}7f`;
    for (const bad of ["00".repeat(32), `01${"00".repeat(31)}`, p, "00".repeat(31), "09"]) {
      await expect(agree(secret, fromHex(bad))).rejects.toThrow(PublicKeyError);
    }
  });

  it("HKDF derives as RFC 5869 says", async () => {
    const range = (from: number, to: number): Bytes => Uint8Array.from({ length: to - from }, (_, i) => from + i);
    const ikm = new Uint8Array(22).fill(11);
    expect(toHex(await hkdf(ikm, range(0, 13), range(0xf0, 0xfa), 42))).toBe(vector("RFC 5869 A.1"));
    expect(toHex(await hkdf(range(0, 80), range(0x60, 0xb0), range(0xb0, 0x100), 82))).toBe(vector("RFC 5869 A.2"));
    expect(toHex(await hkdf(ikm, new Uint8Array(), new Uint8Array(), 42))).toBe(vector("RFC 5869 A.3"));
  });

  it("AES-256 counts as SP 800-38A says, seals as the GCM test case says", async () => {
    const { subtle } = crypto;
    const raw = fromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    const key = await subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
    const counter = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    const block = fromHex("6bc1bee22e409f96e93d7e117393172a");
    const ctr = await subtle.encrypt({ name: "AES-CTR", counter, length: 64 }, key, block);
    expect(toHex(new Uint8Array(ctr))).toBe(vector("SP 800-38A F.5.5 AES-256-CTR, block 1"));
    const zero = await subtle.importKey("raw", new Uint8Array(32), "AES-GCM", false, ["encrypt"]);
    const gcm = await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, zero, new Uint8Array(16));
    expect(toHex(new Uint8Array(gcm))).toBe(vector("GCM test case 14 (AES-256)"));
  });
});

it("a mask in pieces is the stream of one call", async () => {
  const seed = fromHex("0b".repeat(32));
  const key = await crypto.subtle.importKey("raw", seed, "AES-CTR", false, ["encrypt"]);
  const length = (2 << 18) + 5;
  const zeros = new Uint8Array(4 * length);
  const whole = await crypto.subtle.encrypt({ name: "AES-CTR", counter: new Uint8Array(16), length: 128 }, key, zeros);
  const words = newWords(32, length);
  await addMask(words, seed, 1);
  expect(Buffer.from(words.buffer).equals(Buffer.from(whole))).toBe(true);
  await addMask(words, seed, -1);
  expect(words.every((word) => word === 0)).toBe(true);
});

it("splits secrets as the golden shares", () => {
  const { secret, threshold, coefficients, x: xs, shares, products } = golden.shamir_gf256;
  for (const { a, b, ab } of products) expect(multiply(a, b)).toBe(ab);
  const made = split(fromHex(secret), threshold, xs, fromHex(coefficients));
  expect(made.map(toHex)).toEqual(shares);
  const at = (...places: number[]) => places.map((i) => ({ x: xs[i], y: fromHex(shares[i]) }));
  expect(toHex(interpolate(at(0, 3, 4)))).toBe(secret);
  expect(toHex(interpolate(at(0, 1)))).not.toBe(secret);
});

describe("the graph", () => {
  it("is the golden ring", () => {
    const { order, neighbours_of_each: k, neighbours } = golden.graph;
    expect(Object.fromEntries(circulantGraph(order.map(String), k))).toEqual(
      Object.fromEntries(Object.entries(neighbours as Record<string, number[]>).map(([c, of]) => [c, of.map(String)])),
    );
  });

  it("has the golden sizes", () => {
    for (const { clients, corrupt, dropout, neighbours, threshold } of golden.graph_sizes) {
      const expected = neighbours === null ? undefined : { neighbours, threshold };
      expect(smallestGraph(clients, corrupt, dropout)).toEqual(expected);
    }
  });
});

it("costs what the golden table says", () => {
  for (const row of golden.costs) {
    const { clients, neighbours, length, bits } = row;
    const costs = secureCosts({ clients, neighbours, length, bits, lost: 0 });
    expect(costs.clientUp).toBe(row.client_up);
    expect(costs.clientUpBeyondVector).toBe(row.client_up_beyond_vector);
    expect(costs.clientDownBeyondModel).toBe(row.client_down_beyond_model);
    expect(costs.clientMaskBytes).toBe(row.client_prg_bytes);
    expect(costs.serverIn).toBe(row.server_in);
    expect(costs.serverMaskBytes).toBe(row.server_prg_bytes_no_dropout);
    const lost = secureCosts({ clients, neighbours, length, bits, lost: Math.floor(clients / 10) });
    expect(lost.serverMaskBytes).toBe(row.server_prg_bytes_10pct_dropout);
  }
});

describe("the golden round: five clients, one lost before its vector and one before its shares", () => {
  const { round } = golden;
  const clients: readonly any[] = round.clients; // oxlint-disable-line typescript/no-explicit-any -- golden numbers
  const names: string[] = clients.map(({ id }) => id);

  const play = async () => {
    const salt = await roundSalt(round.run, round.round);
    const secrets = new Map<string, { master: Bytes; own: Awaited<ReturnType<typeof ownSecrets>> }>();
    for (const { id, master } of clients) {
      secrets.set(id, { master: fromHex(master), own: await ownSecrets(fromHex(master), salt) });
    }
    const keys = new Map<string, Awaited<ReturnType<typeof publicKeys>>>();
    for (const [id, { own }] of secrets) keys.set(id, await publicKeys(own));
    const graph = completeGraph(names);
    const cohort: Cohort = {
      run: round.run,
      round: round.round,
      salt,
      keys,
      graph,
      threshold: round.threshold,
      parts: [],
    };
    return { secrets, cohort };
  };

  it("derives the golden keys", async () => {
    const { secrets, cohort } = await play();
    expect(toHex(cohort.salt)).toBe(round.salt);
    for (const client of clients) {
      const { own } = secrets.get(client.id)!;
      expect(toHex(own.channel)).toBe(client.channel_sk);
      expect(toHex(own.mask)).toBe(client.mask_sk);
      expect(toHex(own.self)).toBe(client.self_seed);
      expect(toHex(cohort.keys.get(client.id)!.channel)).toBe(client.channel_pk);
      expect(toHex(cohort.keys.get(client.id)!.mask)).toBe(client.mask_pk);
      const signed = join(
        round.run,
        "|",
        uint32(round.round),
        `|${client.id}|`,
        fromHex(client.channel_pk + client.mask_pk),
      );
      expect(toHex(signed)).toBe(client.signed);
      const key = await crypto.subtle.importKey("raw", fromHex(client.identity_pk), "Ed25519", false, ["verify"]);
      expect(await crypto.subtle.verify("Ed25519", key, fromHex(client.signature), signed)).toBe(true);
    }
  });

  it("deals, seals and opens the golden shares", async () => {
    const { secrets, cohort } = await play();
    for (const client of clients) {
      const dealt = await dealShares(cohort, client.id, secrets.get(client.id)!);
      expect([...dealt.values()].map(({ mask }) => toHex(mask))).toEqual(client.shares_mask_sk);
      expect([...dealt.values()].map(({ self }) => toHex(self))).toEqual(client.shares_self);
      const sealed = await sealShares(cohort, client.id, secrets.get(client.id)!);
      expect(Object.fromEntries([...sealed].map(([to, bytes]) => [to, toHex(bytes)]))).toEqual(client.sealed);
      for (const [to, bytes] of sealed) {
        const { own } = secrets.get(to)!;
        expect(await openShares(cohort, { from: client.id, to, own, sealed: bytes })).toEqual(dealt.get(to));
        const replayed = { ...cohort, round: 8 };
        expect(await openShares(replayed, { from: client.id, to, own, sealed: bytes })).toBeUndefined();
      }
    }
  });

  it("masks and unmasks to the golden sum", async () => {
    const { secrets, cohort } = await play();
    const grid = gridFor({ bits: round.bits, range: 1, clients: 5, weightMax: 16 });
    expect(grid.scale).toBe(round.scale);
    const sum = newWords(round.bits, round.length);
    for (const client of clients) {
      const words = newWords(round.bits, round.length);
      const uniform = client.uniform.map((u: number) => u * 2 ** 32);
      quantise(client.delta, { weight: client.records, grid, uniform }, words);
      expect([...words]).toEqual(client.vector);
      const { own } = secrets.get(client.id)!;
      await maskVector(words, cohort, { name: client.id, own, sharers: new Set(names) });
      expect([...words]).toEqual(client.masked);
      if (round.survivors.includes(client.id)) addWords(sum, words, 1);
    }
    for (const [pair, seed] of Object.entries(round.pair_seeds)) {
      const [a, b] = pair.split("|") as [string, string];
      const publicKey = cohort.keys.get(b)!.mask;
      const own = { name: a, secret: secrets.get(a)!.own.mask };
      expect(toHex(await pairSeed(cohort.salt, own, { name: b, publicKey }))).toBe(seed);
    }

    const answers = new Map<string, Answer>();
    for (const holder of round.unmaskers) {
      const answer = { self: new Map<string, Bytes>(), mask: new Map<string, Bytes>() };
      for (const name of names) {
        const { mask, self } = (await dealShares(cohort, name, secrets.get(name)!)).get(holder)!;
        if (round.survivors.includes(name)) answer.self.set(name, self);
        else answer.mask.set(name, mask);
      }
      answers.set(holder, answer);
    }
    const parties = { sharers: new Set(names), survivors: new Set<string>(round.survivors) };
    const { opened, wrong } = await recoverSecrets(cohort, parties, answers);
    expect(wrong).toEqual([]);
    await unmaskSum(sum, cohort, parties, opened!);
    expect([...sum]).toEqual(round.sum_mod);
    const total = clients.filter(({ id }) => parties.survivors.has(id)).reduce((w, { records }) => w + records, 0);
    expect([...fromGrid(sum, { scale: 1 })]).toEqual(round.sum);
    expect([...fromGrid(sum, grid)].map((value) => value / total)).toEqual(round.weighted_mean);
  });
});
