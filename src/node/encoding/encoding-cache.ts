import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { aMoment, type KeptEncodings } from "../../data/encoding/encode-all.ts";
import type { EncodeJob, EncoderSetup } from "../../data/encoding/encoder.ts";
import { encodingBytes, encodingFrom } from "../../data/encoding/encoding-bytes.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { cacheFolder } from "../model/cache-folder.ts";
import { writeAtomically } from "../store/durable-file.ts";

/** The function by which a chat template reads the clock. */
const CLOCK = "strftime_now";
/** Records hashed at once. */
const UNITS_A_HASH = 64;
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
  const defined = JSON.stringify(setup);
  // A template that writes the date gives another text tomorrow.
  if (defined.includes(CLOCK)) return undefined;
  const made = hashOf(`${codeHash()}\n${defined}`);
  const fileOf = async (key: string): Promise<string> =>
    path.join(await cacheFolder(options.cacheDir), "encodings", key.slice(0, 2), key);

  return {
    async keyOf({ kind, options: how, units }: EncodeJob, signal) {
      const hash = createHash("sha256").update(JSON.stringify([made, kind, how, units.length]));
      for (let start = 0; start < units.length; start += UNITS_A_HASH) {
        signal?.throwIfAborted();
        hash.update(`\n${JSON.stringify(units.slice(start, start + UNITS_A_HASH))}`);
        if (start % (16 * UNITS_A_HASH) === 0) await aMoment();
      }
      return hash.digest("hex");
    },

    async read(key) {
      try {
        const file = await fileOf(key);
        const { uid } = await lstat(file);
        if (process.getuid !== undefined && uid !== process.getuid()) return undefined;
        const bytes = await readFile(file);
        const content = new Uint8Array(bytes.buffer, bytes.byteOffset + HEX, Math.max(0, bytes.byteLength - HEX));
        if (bytes.subarray(0, HEX).toString("latin1") !== (await sealOf(key, content))) return undefined;
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
        const content = await encodingBytes(encoded);
        if (content.length > Math.min(LARGEST_BYTES, mostBytes)) return;
        const file = await fileOf(key);
        await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
        await writeAtomically(file, Buffer.concat([Buffer.from(await sealOf(key, content), "latin1"), content]), 0o600);
        await removeOldest(path.dirname(path.dirname(file)), mostBytes);
      } catch {
        // It saves time only; a full disk is reported where it matters.
      }
    },
  };
}

async function sealOf(key: string, content: Uint8Array): Promise<string> {
  return hashOf(`${key}\n${await sha256(content)}`);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
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

let code: string | undefined;

/**
 * A hash of the program that encodes: the files of `data/` and `jinja/`, and the library. With any change in them records
 * are encoded again.
 */
function codeHash(): string {
  if (code !== undefined) return code;
  const hash = createHash("sha256");
  for (const part of ["data", "jinja"]) {
    const folder = fileURLToPath(new URL(`../../${part}`, import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.[jt]s$/.test(name));
    for (const name of files.sort()) hash.update(`${name}\n`).update(readFileSync(path.join(folder, name)));
  }
  hash.update(readFileSync(createRequire(import.meta.url).resolve("@huggingface/tokenizers")));
  code = hash.digest("hex");
  return code;
}
