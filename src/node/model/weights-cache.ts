import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { ModelConfig } from "../../model/config.ts";
import { byteSize, convertWeights, weightsLayout, type WeightsLayout } from "../../model/convert.ts";
import { expectedTensors } from "../../model/names.ts";
import type { Weights } from "../../model/weights.ts";
import { cacheFolder, contentHash } from "./cache-folder.ts";
import { storageReason } from "../store/durable-file.ts";
import { findWeights, type WeightsSource } from "./weights-source.ts";

/** Bytes of the sources read (`hash`) or of float32 written (`convert`). */
export interface WeightsProgress {
  readonly stage: "hash" | "convert";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface WeightsOptions {
  /** Default: $OPENFEDLLM_CACHE, or `openfedllm` where the system keeps caches. */
  readonly cacheDir?: string;
  readonly onProgress?: (progress: WeightsProgress) => void;
}

/** A part of every key. Raise it when the layout of the cache or the result of the conversion changes. */
const FORMAT = 1;
const DATA = "weights.bin";
const INDEX = "weights.json";
const ABANDONED_MS = 3_600_000;
const READ_BYTES = 1 << 28;

/** The layout of weights.bin, whose size is `bytes`. */
interface CacheIndex extends WeightsLayout {
  readonly format: number;
  readonly fingerprint: string;
}

/**
 * Opens the weights of the model in `dir`, as float32 in one file of the cache. The first time they are converted, tensor by
 * tensor. `fingerprint` is a sha256 over the source files' names, sizes and contents and the tensors that the configuration
 * implies. Several processes may do it at once; a damaged cache is made again. Throws a `UserError` of kind `model` for
 * missing or damaged weights, `storage` where the cache cannot be written.
 */
export async function openWeights(dir: string, config: ModelConfig, options: WeightsOptions = {}): Promise<Weights> {
  const source = await findWeights(dir, config);
  const cache = await cacheFolder(options.cacheDir);
  const fingerprint = await fingerprintOf(dir, config, source, cache, options);
  const folder = path.join(cache, "weights", fingerprint);
  return (await openCached(folder, fingerprint)) ?? (await convert(dir, config, source, folder, fingerprint, options));
}

async function fingerprintOf(
  dir: string,
  config: ModelConfig,
  source: WeightsSource,
  cache: string,
  { onProgress }: WeightsOptions,
): Promise<string> {
  const sizes = await Promise.all(source.files.map(async (file) => (await stat(path.join(dir, file))).size));
  const totalBytes = sizes.reduce((a, b) => a + b, 0);
  const contents: unknown[] = [];
  let doneBytes = 0;
  for (const [i, file] of source.files.entries()) {
    const sha256 = await contentHash(cache, path.join(dir, file), (bytes) => {
      doneBytes += bytes;
      onProgress?.({ stage: "hash", doneBytes, totalBytes });
    });
    contents.push([file, sizes[i], sha256]);
  }
  return createHash("sha256")
    .update(JSON.stringify([FORMAT, contents, [...expectedTensors(config)]]))
    .digest("hex");
}

/** Opens the weights of a whole cache folder; undefined for none, or an incomplete one. */
async function openCached(folder: string, fingerprint: string): Promise<Weights | undefined> {
  const file = path.join(folder, DATA);
  let index: CacheIndex;
  try {
    index = JSON.parse(await readFile(path.join(folder, INDEX), "utf8")) as CacheIndex;
    if (index.format !== FORMAT || index.fingerprint !== fingerprint) return undefined;
    if ((await stat(file)).size !== index.bytes) return undefined;
  } catch {
    return undefined;
  }
  const shapes = new Map(index.tensors.map(({ name, shape }) => [name, shape]));
  const offsets = new Map(index.tensors.map(({ name, offset }) => [name, offset]));
  return {
    fingerprint,
    shapes,
    file: { path: file, offsets },
    async read(name) {
      const shape = shapes.get(name);
      if (shape === undefined) {
        const near = nearest(name, shapes.keys());
        throw new UserError(
          "model",
          `the model has no tensor ${name}`,
          near === undefined ? {} : { hint: `Did you mean ${near}?` },
        );
      }
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      await readInto(file, offsets.get(name)!, new Uint8Array(data.buffer));
      return { dtype: "float32", shape, data };
    },
  };
}

async function readInto(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(file);
  try {
    for (let filled = 0; filled < bytes.length;) {
      const length = Math.min(READ_BYTES, bytes.length - filled);
      const { bytesRead } = await handle.read(bytes, filled, length, offset + filled);
      if (bytesRead === 0) throw new UserError("storage", `${file} ended at byte ${offset + filled} while it was read`);
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

async function convert(
  dir: string,
  config: ModelConfig,
  source: WeightsSource,
  folder: string,
  fingerprint: string,
  options: WeightsOptions,
): Promise<Weights> {
  await removeAbandoned(path.dirname(folder));
  const temporary = `${folder}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    await writeCache(dir, config, source, temporary, fingerprint, options);
    await place(temporary, folder, fingerprint);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError("storage", `the weights of ${dir} cannot be written to ${folder}: ${storageReason(cause)}`, {
      hint: "Set OPENFEDLLM_CACHE to a folder on a disk with enough space for the model as float32.",
      cause,
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const weights = await openCached(folder, fingerprint);
  if (weights === undefined) throw new Error(`${folder} is not readable right after it was written`);
  return weights;
}

/** Converts every tensor in turn into `folder` and writes the index last. */
async function writeCache(
  dir: string,
  config: ModelConfig,
  source: WeightsSource,
  folder: string,
  fingerprint: string,
  { onProgress }: WeightsOptions,
): Promise<void> {
  const layout = weightsLayout(config);
  const totalBytes = layout.tensors.reduce((sum, { shape }) => sum + byteSize(shape), 0);
  let doneBytes = 0;
  const weights = await source.open();
  try {
    const data = await open(path.join(folder, DATA), "w");
    try {
      for await (const { position, bytes } of convertWeights(weights, config, path.join(dir, source.files[0]!))) {
        for (let written = 0; written < bytes.length;) {
          written += (await data.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
        }
        doneBytes += bytes.length;
        onProgress?.({ stage: "convert", doneBytes, totalBytes });
      }
      await data.sync();
      await writeFile(path.join(folder, INDEX), JSON.stringify({ format: FORMAT, fingerprint, ...layout }), {
        flush: true,
      });
    } finally {
      await data.close();
    }
  } finally {
    await weights.close();
  }
}

/** Renames a finished folder into place. Another process's folder that is there first is kept if it is whole. */
async function place(temporary: string, folder: string, fingerprint: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await rename(temporary, folder);
      return;
    } catch (error) {
      if ((await openCached(folder, fingerprint)) !== undefined) return;
      if (attempt === 3) throw error;
      const damaged = `${folder}.${randomUUID()}.tmp`;
      await rename(folder, damaged).catch(() => {});
      await rm(damaged, { recursive: true, force: true });
    }
  }
}

/** Removes folders that killed conversions left. A running conversion writes to its file all the time. */
async function removeAbandoned(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((entry) => entry.endsWith(".tmp"))) {
    const folder = path.join(root, name);
    const touched = await stat(path.join(folder, DATA)).catch(() => stat(folder).catch(() => undefined));
    if (touched !== undefined && Date.now() - touched.mtimeMs > ABANDONED_MS) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
