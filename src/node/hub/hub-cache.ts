import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { cacheFolder } from "../model/cache-folder.ts";
import { errorCode } from "../../diagnostics/error-code.ts";
import { storageReason, writeAtomically } from "../store/durable-file.ts";
import type { HubSettings } from "./hub-settings.ts";

export type RepositoryKind = "model" | "dataset";

/** A file of a repository, as the Hub lists it. */
export interface RepositoryFile {
  readonly path: string;
  readonly bytes: number;
  /** Git's hash of its content, a SHA-1. */
  readonly oid: string;
  /** SHA-256 of the content; only for files in large file storage. */
  readonly sha256?: string;
}

export const COMMIT: RegExp = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** One repository in the cache that huggingface_hub and this program share: `blobs`, `refs/<revision>`, `snapshots/<commit>`. */
export class RepositoryCache {
  readonly folder: string;
  /** Folder of the lock, apart from `folder`, as huggingface_hub keeps its own locks. */
  readonly lockFolder: string;
  readonly #name: string;
  readonly #ownCache: string | undefined;

  constructor({ cache, ownCache }: Pick<HubSettings, "cache" | "ownCache">, kind: RepositoryKind, id: string) {
    this.#ownCache = ownCache;
    this.#name = `${kind}s--${id.replaceAll("/", "--")}`;
    this.folder = path.join(cache, this.#name);
    this.lockFolder = path.join(cache, ".locks", this.#name, "openfedllm");
  }

  /** The path of a blob, named as by huggingface_hub: by its ETag, the SHA-256 of large files and Git's hash of others. */
  blob({ oid, sha256 }: RepositoryFile): string {
    return path.join(this.folder, "blobs", sha256 ?? oid);
  }

  snapshot(commit: string): string {
    return path.join(this.folder, "snapshots", commit);
  }

  /** Finds the commit of a branch or tag at its last fetch. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (COMMIT.test(revision)) return (await isThere(this.snapshot(revision))) ? revision : undefined;
    const text = await readFile(path.join(this.folder, "refs", revision), "utf8").catch(() => "");
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  }

  async setCommit(revision: string, commit: string): Promise<void> {
    if (COMMIT.test(revision)) return;
    const file = path.join(this.folder, "refs", revision);
    if ((await readFile(file, "utf8").catch(() => "")) === commit) return;
    await this.writing(async () => {
      await mkdir(path.dirname(file), { recursive: true });
      await writeAtomically(file, commit);
    });
  }

  /** Lists the paths of a snapshot's files. */
  async snapshotFiles(commit: string): Promise<string[]> {
    const root = this.snapshot(commit);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"));
    return files.sort();
  }

  /** Tells if a snapshot holds a file, of the right size where `bytes` is given. */
  async has(
    commit: string,
    { path: name, bytes }: Pick<RepositoryFile, "path"> & { bytes?: number },
  ): Promise<boolean> {
    const found = await stat(path.join(this.snapshot(commit), name)).catch(() => undefined);
    return found !== undefined && found.isFile() && (bytes === undefined || found.size === bytes);
  }

  async hasBlob(file: RepositoryFile): Promise<boolean> {
    const found = await stat(this.blob(file)).catch(() => undefined);
    return found !== undefined && found.size === file.bytes;
  }

  /** Puts a whole blob into a snapshot as a relative link, or as a copy where the system allows no links. */
  async link(commit: string, file: RepositoryFile): Promise<void> {
    const pointer = path.join(this.snapshot(commit), file.path);
    const blob = this.blob(file);
    await this.writing(async () => {
      await mkdir(path.dirname(pointer), { recursive: true });
      for (let attempt = 0; !(await this.has(commit, file)); attempt++) {
        // It has another size, or links to nothing.
        if (await isThere(pointer)) await rm(pointer, { force: true });
        try {
          await symlink(path.relative(path.dirname(pointer), blob), pointer);
        } catch (error) {
          // Another process has linked it meanwhile.
          if (errorCode(error) === "EEXIST" && attempt < 3) continue;
          if (!["EPERM", "ENOSYS", "ENOTSUP", "EINVAL"].includes(errorCode(error) ?? "")) throw error;
          const temporary = `${pointer}.${randomUUID()}.tmp`;
          await copyFile(blob, temporary);
          await rename(temporary, pointer);
        }
      }
    });
  }

  /** Reads the stored listing of a commit, which never changes. It lies apart from huggingface_hub's files. */
  async readListing(commit: string): Promise<readonly RepositoryFile[] | undefined> {
    try {
      const files: unknown = JSON.parse(await readFile(await this.#listing(commit), "utf8"));
      return Array.isArray(files) && files.every(isRepositoryFile) ? files : undefined;
    } catch {
      return undefined;
    }
  }

  async writeListing(commit: string, files: readonly RepositoryFile[]): Promise<void> {
    const file = await this.#listing(commit);
    await mkdir(path.dirname(file), { recursive: true });
    await writeAtomically(file, JSON.stringify(files));
  }

  async #listing(commit: string): Promise<string> {
    return path.join(await cacheFolder(this.#ownCache), "hub", this.#name, `${commit}.json`);
  }

  /** Does work that writes into the cache. @throws UserError("storage") where that fails. */
  async writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (errorCode(error) === undefined || error instanceof UserError) throw error;
      throw new UserError("storage", `the cache folder ${this.folder} cannot be written: ${storageReason(error)}`, {
        hint: "Free space or give access there, or set HF_HUB_CACHE to another folder.",
        cause: error,
      });
    }
  }
}

/** Tells if an entry of the Hub's listing may become a file in the cache, and has hashes that can be checked. */
export function isRepositoryFile(value: unknown): value is RepositoryFile {
  const { path: name, bytes, oid, sha256 } = (value ?? {}) as Partial<Record<keyof RepositoryFile, unknown>>;
  const isHash = (text: unknown, shape: RegExp): boolean => typeof text === "string" && shape.test(text);
  return (
    typeof name === "string" &&
    name.split("/").every((part) => part !== "" && part !== "." && part !== "..") &&
    !/[\\\0]/.test(name) &&
    Number.isSafeInteger(bytes) &&
    isHash(oid, COMMIT) &&
    (sha256 === undefined || isHash(sha256, SHA256))
  );
}

async function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}
