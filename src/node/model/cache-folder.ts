import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, lstat, mkdir, readFile, realpath, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import envPaths from "env-paths";
import { UserError } from "../../diagnostics/user-error.ts";
import { storageReason, writeAtomically } from "../store/durable-file.ts";

/**
 * Finds or makes the folder for files that can be made again: `cacheDir`, or $OPENFEDLLM_CACHE, or `openfedllm` where
 * the system keeps caches ($XDG_CACHE_HOME or `~/.cache` on Linux). Where that cannot be written, it is one under the system's temporary folder, which must be
 * this user's alone: files of a cache are believed.
 */
export async function cacheFolder(cacheDir?: string): Promise<string> {
  const wanted = cacheDir || process.env["OPENFEDLLM_CACHE"] || envPaths("openfedllm", { suffix: "" }).cache;
  const fallback = path.join(os.tmpdir(), `openfedllm-${process.getuid?.() ?? "cache"}`);
  const reasons: string[] = [];
  let cause: unknown;
  for (const folder of [path.resolve(wanted), fallback]) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (folder === fallback) await checkOwn(folder);
      await access(folder, constants.W_OK);
      return folder;
    } catch (error) {
      cause ??= error;
      reasons.push(`${folder}: ${storageReason(error)}`);
    }
  }
  throw new UserError("storage", `no folder for the cache can be used (${reasons.join("; ")})`, {
    hint: "Set OPENFEDLLM_CACHE to a folder that can be written.",
    cause,
  });
}

/** Refuses a folder that another user made or may write: anybody can make a folder of any name in the temporary folder. */
async function checkOwn(folder: string): Promise<void> {
  const found = await lstat(folder);
  if (!found.isDirectory()) throw new Error("it is not a folder");
  // Windows has a temporary folder for each user.
  if (process.getuid === undefined) return;
  if (found.uid !== process.getuid() || (found.mode & 0o022) !== 0) {
    throw new Error("another user owns it, or may write in it");
  }
}

async function hashFile(file: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    onBytes((chunk as Buffer).length);
  }
  return hash.digest("hex");
}

async function keepHash(memo: string, text: string): Promise<void> {
  await mkdir(path.dirname(memo), { recursive: true });
  await writeAtomically(memo, text);
}

/**
 * Computes the sha256 of a file's content. The cache keeps it by path, size and times of change, so that gigabytes are read once.
 * `onBytes` gets the numbers of bytes as they are hashed, or the whole size where the hash was known.
 */
export async function contentHash(cache: string, file: string, onBytes: (bytes: number) => void): Promise<string> {
  const real = await realpath(file);
  const { size, mtimeMs, ctimeMs } = await stat(real);
  const memo = path.join(cache, "hashes", `${createHash("sha256").update(real).digest("hex")}.json`);
  const identity = JSON.stringify([real, size, mtimeMs, ctimeMs]);
  try {
    const known = JSON.parse(await readFile(memo, "utf8")) as { identity?: unknown; sha256?: unknown };
    if (known.identity === identity && typeof known.sha256 === "string") {
      onBytes(size);
      return known.sha256;
    }
  } catch {
    // There is no cached hash, or a damaged one.
  }
  const sha256 = await hashFile(real, onBytes);
  await keepHash(memo, JSON.stringify({ identity, sha256 })).catch(() => {
    // The cached hash saves time only; a full disk is reported where it matters.
  });
  return sha256;
}
