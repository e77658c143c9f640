import { createHash, type Hash } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { aMoment, type KeptEncodings } from "../../data/encoding/encode-all.ts";
import type { EncodeJob, EncoderSetup } from "../../data/encoding/encoder.ts";
import { encodingBlocks, encodingFrom } from "../../data/encoding/encoding-bytes.ts";
import { cacheFolder } from "../model/cache-folder.ts";
import { writeAtomically } from "../store/durable-file.ts";

/** The function by which a chat template reads the clock. */
const CLOCK = "strftime_now";
/** Entries of a list, or of an object, that are hashed at once. */
const ENTRIES_A_HASH = 64;
/** Longest time without letting anything else happen. */
const SLICE_MS = 12;
const BYTES_A_HASH = 1 << 20;
const HEX = 64;
/** Bytes of all files together; the ones that were not used for longest go first. */
const MOST_BYTES = 1 << 30;
/** A larger result is not kept. */
const LARGEST_BYTES = 1 << 28;

/**
 * Keeps what was encoded in the folder `encodings` of the cache. A file is the hash of its key and content, and the content; one
 * that was damaged, or is of another user, counts as missing. Undefined where OPENFEDLLM_ENCODINGS is `off`: tokens are
 * records, and not every disk may hold them. Undefined, too, for a template that writes the date.
 */
export function encodingCache(
  setup: EncoderSetup,
  options: { readonly cacheDir?: string; readonly mostBytes?: number } = {},
): KeptEncodings | undefined {
  if (process.env["OPENFEDLLM_ENCODINGS"] === "off") return undefined;
  const { mostBytes = MOST_BYTES } = options;
  const { config, chatTemplate, toolTemplate } = setup.definition;
  // A template that writes the date gives another text tomorrow.
  if (JSON.stringify([config, chatTemplate, toolTemplate]).includes(CLOCK)) return undefined;
  let made: Promise<string> | undefined;
  // With the first job: a run of few records needs none.
  const madeWith = async (signal: AbortSignal | undefined): Promise<string> => {
    const hash = createHash("sha256").update(await (code ??= codeHash()));
    await hashJson(hash, setup, signal);
    return hash.digest("hex");
  };
  const fileOf = async (key: string): Promise<string> =>
    path.join(await cacheFolder(options.cacheDir), "encodings", key.slice(0, 2), key);

  return {
    async keyOf({ kind, options: how, units }: EncodeJob, signal) {
      const hash = createHash("sha256").update(JSON.stringify([await (made ??= madeWith(signal)), kind, how]));
      await hashJson(hash, units, signal);
      return hash.digest("hex");
    },

    async read(key) {
      try {
        const file = await fileOf(key);
        const { uid } = await lstat(file);
        if (process.getuid !== undefined && uid !== process.getuid()) return undefined;
        const bytes = await readFile(file);
        const content = new Uint8Array(bytes.buffer, bytes.byteOffset + HEX, Math.max(0, bytes.byteLength - HEX));
        if (bytes.subarray(0, HEX).toString("latin1") !== (await sealOf(key, [content]))) return undefined;
        const encoded = await encodingFrom(content);
        const now = new Date();
        await utimes(file, now, now).catch(() => {});
        return encoded;
      } catch {
        // There is none, or one that cannot be read: it is made again.
        return undefined;
      }
    },

    async write(key, encoded) {
      try {
        const blocks = await encodingBlocks(encoded);
        const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
        if (bytes > Math.min(LARGEST_BYTES, mostBytes)) return;
        const file = await fileOf(key);
        await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        const seal = Buffer.from(await sealOf(key, blocks), "latin1");
        await writeAtomically(file, [seal, ...blocks], 0o600);
        await removeOldest(path.dirname(path.dirname(file)), mostBytes);
      } catch {
        // It saves time only; a full disk is reported where it matters.
      }
    },
  };
}

async function sealOf(key: string, content: readonly Uint8Array[]): Promise<string> {
  const hash = createHash("sha256").update(`${key}\n`);
  for (const block of content) {
    for (let start = 0; start < block.length; start += BYTES_A_HASH) {
      hash.update(block.subarray(start, start + BYTES_A_HASH));
      await aMoment();
    }
  }
  return hash.digest("hex");
}

/** Adds a JSON value to a hash, a part at a time: a vocabulary is large, and so are records. */
async function hashJson(hash: Hash, value: unknown, signal: AbortSignal | undefined): Promise<void> {
  let since = performance.now();
  for (const part of jsonParts(value)) {
    hash.update(part);
    if (performance.now() - since < SLICE_MS) continue;
    await aMoment();
    signal?.throwIfAborted();
    since = performance.now();
  }
}

/** Writes a value as parts of JSON, with the number of entries before them, so that no two values give the same text. */
function* jsonParts(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) {
    yield `${JSON.stringify(value)}\n`;
    return;
  }
  const isList = Array.isArray(value);
  const entries: readonly unknown[] = isList ? value : Object.entries(value);
  yield `${isList ? "list" : "object"} ${entries.length}\n`;
  if (entries.length <= ENTRIES_A_HASH) {
    for (const entry of entries) yield* isList ? jsonParts(entry) : jsonEntry(entry as [string, unknown]);
    return;
  }
  for (let start = 0; start < entries.length; start += ENTRIES_A_HASH) {
    yield `${JSON.stringify(entries.slice(start, start + ENTRIES_A_HASH))}\n`;
  }
}

function* jsonEntry([key, value]: readonly [string, unknown]): Generator<string> {
  yield `${JSON.stringify(key)}\n`;
  yield* jsonParts(value);
}

async function removeOldest(folder: string, mostBytes: number): Promise<void> {
  const files: { file: string; size: number; mtimeMs: number }[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile() === true) files.push({ file, size: found.size, mtimeMs: found.mtimeMs });
  }
  let bytes = files.reduce((sum, { size }) => sum + size, 0);
  for (const { file, size } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (bytes <= mostBytes) return;
    await rm(file, { force: true });
    bytes -= size;
  }
}

let code: Promise<string> | undefined;

/**
 * A hash of the program that encodes: the files of `data/` and `jinja/`, and the library. With any change in them records
 * are encoded again.
 */
async function codeHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const part of ["data", "jinja"]) {
    const folder = fileURLToPath(new URL(`../../${part}`, import.meta.url));
    const files = (await readdir(folder, { recursive: true })).filter((name) => /\.[jt]s$/.test(name));
    for (const name of files.sort()) hash.update(`${name}\n`).update(await readFile(path.join(folder, name)));
  }
  hash.update(await readFile(createRequire(import.meta.url).resolve("@huggingface/tokenizers")));
  return hash.digest("hex");
}
