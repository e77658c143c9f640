import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { FolderInUse, lockFolder } from "../store/folder-lock.ts";
import type { RepositoryCache, RepositoryFile } from "./hub-cache.ts";
import { asHubFailure, HubFailure, withHubRetries } from "./hub-http.ts";

export interface BlobOptions {
  /** Opens the stored bytes from `first` on. */
  readonly open: (first: number) => Promise<ReadableStream<Uint8Array>>;
  /** Gets the number of bytes that have arrived; fewer than before where they were damaged. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
  readonly firstPauseMs?: number | undefined;
}

/** A stream that gives nothing for this time counts as broken. */
const STALL_MS = 30_000;
const LOCK_POLL_MS = 200;
/** After this many bytes in one attempt, the next failure counts as the first: a long download may break off often. */
const FURTHER_BYTES = 1 << 20;
/** Attempts with an endpoint that cannot serve parts of files, each from the beginning. */
const WHOLE_ATTEMPTS = 5;

/**
 * Brings one blob into the cache and continues an earlier download that stopped (`<blob>.incomplete`). The blob gets its name
 * only when its size and hash are those of the listing. One process at a time works on a repository; others wait.
 *
 * @throws UserError("storage") where the cache cannot be written; HubFailure; DamagedFile.
 */
export async function fetchBlob(cache: RepositoryCache, file: RepositoryFile, options: BlobOptions): Promise<void> {
  await cache.writing(() => mkdir(path.dirname(cache.blob(file)), { recursive: true }));
  const unlock = await lockWhenFree(cache, options.signal);
  try {
    // Another process may have fetched it meanwhile.
    if (!(await cache.hasBlob(file))) await fetchWhole(cache, file, options);
  } finally {
    unlock();
  }
  options.onBytes(file.bytes);
}

async function lockWhenFree(cache: RepositoryCache, signal: AbortSignal | undefined): Promise<() => void> {
  await cache.writing(() => mkdir(cache.lockFolder, { recursive: true }));
  for (;;) {
    try {
      return lockFolder(cache.lockFolder);
    } catch (error) {
      if (!(error instanceof FolderInUse)) throw error;
      await pause(LOCK_POLL_MS, undefined, { signal });
    }
  }
}

/** The arrived bytes differ from the Hub's listing. */
export class DamagedFile extends Error {}

async function fetchWhole(cache: RepositoryCache, file: RepositoryFile, options: BlobOptions): Promise<void> {
  const blob = cache.blob(file);
  const incomplete = `${blob}.incomplete`;
  for (let attempt = 1; ;) {
    const kept = await stat(incomplete).then(
      ({ size }) => (size <= file.bytes ? size : 0),
      () => 0,
    );
    const state = await append(cache, incomplete, kept, file, options).catch((error: unknown) => {
      if (error instanceof HubFailure && error.reason === "range" && attempt++ < WHOLE_ATTEMPTS) return "no parts";
      throw error;
    });
    if (state === "whole") break;
    await rm(incomplete, { force: true });
    options.onBytes(0);
    // The bytes of an earlier download may be damaged, for example by a power cut. A file that arrived at once was sent so.
    if (state === "damaged" && kept === 0) throw new DamagedFile(file.path);
  }
  await cache.writing(() => rename(incomplete, blob));
}

/** Completes a file from its first `kept` bytes, and compares its hash with the listed one. */
async function append(
  cache: RepositoryCache,
  incomplete: string,
  kept: number,
  file: RepositoryFile,
  { open: openStream, onBytes, signal, firstPauseMs }: BlobOptions,
): Promise<"whole" | "damaged"> {
  const handle = await cache.writing(() => open(incomplete, kept === 0 ? "w+" : "r+"));
  try {
    const { hash, expected } = listedHash(file);
    let done = await hashStart(handle, kept, hash);
    let attemptStart = done;
    onBytes(done);
    await withHubRetries(
      async () => {
        attemptStart = done;
        if (done === file.bytes) return;
        for await (const bytes of chunksOf(await openStream(done), signal)) {
          if (done + bytes.length > file.bytes) throw new DamagedFile(file.path);
          await cache.writing(() => writeAll(handle, bytes, done));
          hash.update(bytes);
          done += bytes.length;
          onBytes(done);
        }
        if (done < file.bytes) throw new HubFailure("network", "the connection broke off");
      },
      { signal, firstPauseMs, gotFurther: () => done - attemptStart >= FURTHER_BYTES },
    );
    await cache.writing(() => handle.sync());
    return hash.digest("hex") === expected ? "whole" : "damaged";
  } catch (error) {
    if (error instanceof DamagedFile) return "damaged";
    throw error;
  } finally {
    await handle.close();
  }
}

function listedHash({ oid, sha256, bytes }: RepositoryFile): { hash: Hash; expected: string } {
  if (sha256 !== undefined) return { hash: createHash("sha256"), expected: sha256 };
  return { hash: createHash("sha1").update(`blob ${bytes}\0`), expected: oid };
}

async function hashStart(handle: FileHandle, length: number, hash: Hash): Promise<number> {
  const buffer = Buffer.alloc(1 << 20);
  let position = 0;
  while (position < length) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - position), position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return position;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}

/** The chunks of a body; one that stalls, breaks off or is aborted throws. */
async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readOrStall(reader);
      if (done) return;
      yield value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof UserError ? error : asHubFailure(error);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function readOrStall(reader: ReadableStreamDefaultReader<Uint8Array>): ReturnType<typeof reader.read> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new HubFailure("network", "no more bytes came")), STALL_MS);
    reader
      .read()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
