import { UserError } from "../../diagnostics/user-error.ts";
import { fetchBlob } from "./hub-blob.ts";
import { COMMIT, RepositoryCache, type RepositoryFile } from "./hub-cache.ts";
import type { HubClient } from "./hub-client.ts";
import { explainFailure, type Wanted } from "./hub-errors.ts";
import { HubFailure } from "./hub-http.ts";
import type { HubSettings } from "./hub-settings.ts";

/** Bytes of all the files that one call fetches; `file` is the one under way. */
export interface DownloadProgress {
  readonly repository: string;
  readonly file: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A repository at one commit. */
export interface Snapshot {
  readonly commit: string;
  /** Folder of its files, once they are fetched. */
  readonly folder: string;
  /** Paths of all its files. Without the Hub and without its listing: of the files in the cache. */
  readonly files: readonly string[];
  /**
   * Brings the files that are missing into the cache and returns `folder`. Afterwards the branch or tag stands for this
   * commit where the Hub cannot be asked; with `more`, which says that another fetch follows, not yet.
   */
  fetch(files: readonly string[], options?: { readonly more?: boolean }): Promise<string>;
}

/** The Hub and the reports about its use. */
export interface HubAccess {
  readonly settings: HubSettings;
  readonly client: HubClient;
  readonly onDownload: ((progress: DownloadProgress) => void) | undefined;
  readonly onNote: ((text: string) => void) | undefined;
}

export const DEFAULT_REVISION = "main";

/**
 * Opens a repository at a revision: from the Hub, or from the cache where the Hub cannot be reached or must not be asked.
 *
 * @throws UserError, as `Hub.snapshot`.
 */
export async function openSnapshot(wanted: Wanted, access: HubAccess): Promise<Snapshot> {
  const cache = new RepositoryCache(access.settings, wanted.kind, wanted.id);
  return explained({ wanted }, access, async () => {
    const commit = await resolve(wanted, cache, access);
    const { files, listed } = await contents(wanted, commit, cache, access);
    const folder = cache.snapshot(commit);
    return {
      commit,
      folder,
      files,
      async fetch(paths, { more = false } = {}) {
        const chosen = paths.map((name) => listed?.find((file) => file.path === name) ?? { path: name });
        const missing: typeof chosen = [];
        for (const file of chosen) if (!(await cache.has(commit, file))) missing.push(file);
        await explained({ wanted, commit }, access, () => download(wanted, commit, cache, missing, access));
        if (!more) await cache.setCommit(wanted.revision, commit);
        return folder;
      },
    };
  });
}

/** Finds the commit of a revision: the Hub's answer, or else the cache's. */
async function resolve(
  wanted: Wanted,
  cache: RepositoryCache,
  { settings, client, onNote }: HubAccess,
): Promise<string> {
  if (COMMIT.test(wanted.revision)) return wanted.revision;
  const known = await cache.commitOf(wanted.revision);
  if (!settings.offline) {
    try {
      return await client.commitOf(wanted, known === undefined ? undefined : 2);
    } catch (error) {
      if (known === undefined || !isOutage(error)) throw error;
      onNote?.(
        `The Hub does not answer (${error.message || error.status}); ${wanted.id} is used as it was downloaded (commit ${known.slice(0, 8)}).`,
      );
    }
  }
  if (known !== undefined) return known;
  throw offline(wanted, `it is not in the cache ${settings.cache}`);
}

/** Lists a commit's files; without a listing, those in the cache. */
async function contents(
  wanted: Wanted,
  commit: string,
  cache: RepositoryCache,
  { settings, client }: HubAccess,
): Promise<{ readonly files: readonly string[]; readonly listed: readonly RepositoryFile[] | undefined }> {
  let listed = await cache.readListing(commit);
  let failure: unknown;
  if (listed === undefined && !settings.offline) {
    try {
      listed = await client.list(wanted, commit);
      // A listing in the cache saves a request, nothing else.
      await cache.writeListing(commit, listed).catch(() => {});
    } catch (error) {
      // Files that Python downloaded have no listing, and can be used without.
      if (!isOutage(error)) throw error;
      failure = error;
    }
  }
  const files = listed?.map((file) => file.path) ?? (await cache.snapshotFiles(commit));
  if (listed === undefined && files.length === 0) {
    throw failure ?? offline(wanted, `it is not in the cache ${settings.cache}`);
  }
  return { files, listed };
}

async function download(
  wanted: Wanted,
  commit: string,
  cache: RepositoryCache,
  missing: readonly (RepositoryFile | { readonly path: string })[],
  access: HubAccess,
): Promise<void> {
  const { settings, client, onDownload } = access;
  const files = missing.filter((file) => "oid" in file);
  const unlisted = missing.find((file) => !("oid" in file));
  if (unlisted !== undefined || (settings.offline && files.length > 0)) {
    const { path: name } = unlisted ?? files[0]!;
    throw offline(wanted, `${name} of it is not in the cache ${settings.cache}`);
  }
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  for (const file of files) {
    const onBytes = (bytes: number): void =>
      onDownload?.({ repository: wanted.id, file: file.path, doneBytes: before + bytes, totalBytes });
    if (!(await cache.hasBlob(file))) {
      const open = (first: number) => client.open(wanted, commit, file, first);
      await explained({ wanted, commit, file: file.path }, access, () =>
        fetchBlob(cache, file, { ...client.retry, onBytes, open }),
      );
    }
    await cache.link(commit, file);
    before += file.bytes;
  }
}

/** Does work, and turns its failure into a sentence. */
async function explained<T>(
  about: { readonly wanted: Wanted; readonly commit?: string; readonly file?: string },
  { settings, client: { request } }: HubAccess,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await explainFailure(error, { ...about, settings, request });
  }
}

function offline({ kind, id, revision }: Wanted, what: string): UserError {
  const at = revision === DEFAULT_REVISION ? "" : `@${revision}`;
  return new UserError(
    kind === "model" ? "model" : "data",
    `${kind} ${id}${at} cannot be downloaded, because HF_HUB_OFFLINE is set, and ${what}`,
    {
      hint: "Unset HF_HUB_OFFLINE, or set HF_HUB_CACHE to a cache that holds it.",
      cause: new HubFailure("network", "HF_HUB_OFFLINE is set", { passing: false }),
    },
  );
}

/** True for a failure that says nothing about the repository. */
function isOutage(error: unknown): error is HubFailure {
  return error instanceof HubFailure && (error.reason === "network" || error.passing);
}
