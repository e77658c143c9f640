import { UserError } from "../../diagnostics/user-error.ts";
import { type BlobOptions, fetchBlob } from "./hub-blob.ts";
import { COMMIT, isRepositoryFile, RepositoryCache, type RepositoryFile, type RepositoryKind } from "./hub-cache.ts";
import { explainFailure, type Wanted } from "./hub-errors.ts";
import { HubFailure, hubFetch, withHubRetries } from "./hub-http.ts";
import { type Environment, hubSettings, type HubSettings } from "./hub-settings.ts";

/** Bytes of all the files that one call fetches; `file` is the one under way. */
export interface DownloadProgress {
  readonly repository: string;
  readonly file: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface HubOptions {
  /** Default: the process's. */
  readonly env?: Environment;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  /** Told in a sentence what a person should know, such as that the Hub was not asked. */
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Pause before a request is tried again; it doubles. Default 500. */
  readonly firstPauseMs?: number;
}

/** A repository at one commit. */
export interface Snapshot {
  readonly commit: string;
  /** Where its files lie, once fetched. */
  readonly folder: string;
  /** Paths of all its files; without the Hub and without its listing, of those that are in the cache. */
  readonly files: readonly string[];
  /**
   * Brings files into the cache, those that are not there yet. Returns `folder`. Without the Hub, the branch or tag is from now
   * on at this commit; not yet where `more` of it is to be fetched, which may break off.
   */
  fetch(files: readonly string[], options?: { readonly more?: boolean }): Promise<string>;
}

export interface Hub {
  readonly settings: HubSettings;
  /**
   * A repository at a branch, tag or commit (default `main`). A branch is asked for anew each time, once a `Hub`; where the
   * Hub cannot be reached, or must not be (HF_HUB_OFFLINE), the commit it was last fetched at is taken.
   *
   * @throws UserError of kind `model` or `data`, after what is wanted, `storage` for the cache, `config` for the environment.
   */
  snapshot(kind: RepositoryKind, id: string, revision?: string): Promise<Snapshot>;
}

/** Loaded when the first request is made: most commands make none. */
const client = (): Promise<typeof import("@huggingface/hub")> => import("@huggingface/hub");

const DEFAULT_REVISION = "main";
const REVISION = /^(?!\/|.*(\/\/|\.\.|\/$))[\w./+-]+$/;

/** The Hugging Face Hub behind huggingface_hub's cache, as `env` configures both. */
export function openHub({ env, onDownload, onNote, signal, firstPauseMs }: HubOptions = {}): Hub {
  const settings = hubSettings(env);
  const hubUrl = settings.endpoint;
  const request = hubFetch(settings, signal);
  const retry = { signal, firstPauseMs };
  const snapshots = new Map<string, Promise<Snapshot>>();

  async function commitAt({ kind, id, revision }: Wanted): Promise<string> {
    const { modelInfo, datasetInfo } = await client();
    const params = { name: id, revision, additionalFields: ["sha" as const], hubUrl, fetch: request };
    const { sha } = kind === "model" ? await modelInfo(params) : await datasetInfo(params);
    if (COMMIT.test(sha)) return sha;
    throw new SyntaxError(`no commit in the answer about ${id}`);
  }

  /** The commit of a revision: the Hub's answer, or else what the cache remembers. */
  async function resolve(wanted: Wanted, cache: RepositoryCache): Promise<string> {
    if (COMMIT.test(wanted.revision)) return wanted.revision;
    const known = await cache.commitOf(wanted.revision);
    if (!settings.offline) {
      try {
        const patience = known === undefined ? retry : { ...retry, attempts: 2 };
        return await withHubRetries(() => commitAt(wanted), patience);
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

  async function list(
    { kind, id }: Wanted,
    commit: string,
    cache: RepositoryCache,
  ): Promise<readonly RepositoryFile[]> {
    const known = await cache.readListing(commit);
    if (known !== undefined) return known;
    const files = await withHubRetries(async () => {
      const found: RepositoryFile[] = [];
      const { listFiles } = await client();
      const params = { repo: { type: kind, name: id }, revision: commit, recursive: true, hubUrl, fetch: request };
      for await (const { type, path: name, size, oid, lfs } of listFiles(params)) {
        if (type !== "file") continue;
        const file = { path: name, bytes: lfs?.size ?? size, oid, ...(lfs && { sha256: lfs.oid }) };
        if (!isRepositoryFile(file)) throw new SyntaxError(`an unusable entry in the listing of ${id}: ${name}`);
        found.push(file);
      }
      return found;
    }, retry);
    await cache.writeListing(commit, files).catch(() => {
      // It saves a request, nothing else.
    });
    return files;
  }

  async function open(wanted: Wanted): Promise<Snapshot> {
    const cache = new RepositoryCache(settings, wanted.kind, wanted.id);
    const commit = await resolve(wanted, cache);
    let listed: readonly RepositoryFile[] | undefined = await cache.readListing(commit);
    let unlisted: unknown;
    if (listed === undefined && !settings.offline) {
      try {
        listed = await list(wanted, commit, cache);
      } catch (error) {
        // What Python downloaded has no listing, and may do without.
        if (!isOutage(error)) throw error;
        unlisted = error;
      }
    }
    const files = listed?.map((file) => file.path) ?? (await cache.snapshotFiles(commit));
    if (listed === undefined && files.length === 0) {
      throw unlisted ?? offline(wanted, `it is not in the cache ${settings.cache}`);
    }
    const folder = cache.snapshot(commit);
    return {
      commit,
      folder,
      files,
      async fetch(paths, { more = false } = {}) {
        const chosen = paths.map((name) => listed?.find((file) => file.path === name) ?? { path: name });
        const missing: typeof chosen = [];
        for (const file of chosen) if (!(await cache.has(commit, file))) missing.push(file);
        await translated(wanted, commit, () => download(wanted, commit, cache, missing));
        if (!more) await cache.setCommit(wanted.revision, commit);
        return folder;
      },
    };
  }

  async function download(
    wanted: Wanted,
    commit: string,
    cache: RepositoryCache,
    missing: readonly (RepositoryFile | { readonly path: string })[],
  ): Promise<void> {
    const files = missing.filter((file) => "oid" in file);
    const unlisted = missing.find((file) => !("oid" in file));
    if (unlisted !== undefined || (settings.offline && files.length > 0)) {
      const { path: name } = unlisted ?? files[0]!;
      throw offline(wanted, `${name} of it is not in the cache ${settings.cache}`);
    }
    const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    let before = 0;
    for (const file of files) {
      const report = (bytes: number): void =>
        onDownload?.({ repository: wanted.id, file: file.path, doneBytes: before + bytes, totalBytes });
      if (!(await cache.hasBlob(file))) {
        await translated(wanted, commit, () => fetchBlob(cache, file, blobOptions(wanted, commit, file, report)), file);
      }
      await cache.link(commit, file);
      before += file.bytes;
    }
  }

  function blobOptions(
    { kind, id }: Wanted,
    commit: string,
    file: RepositoryFile,
    onBytes: BlobOptions["onBytes"],
  ): BlobOptions {
    const name = file.path.split("/").map(encodeURIComponent).join("/");
    const url = `${hubUrl}/${kind === "model" ? "" : "datasets/"}${id}/resolve/${commit}/${name}`;
    return {
      ...retry,
      onBytes,
      async open(first) {
        const { downloadFile } = await client();
        // The client's stream keeps no more of a failure than its message.
        let failure: unknown;
        const observed: typeof fetch = async (input, init) => {
          try {
            return await request(input, init);
          } catch (error) {
            failure = error;
            throw error;
          }
        };
        const blob = await downloadFile({
          repo: { type: kind, name: id },
          path: name,
          hubUrl,
          fetch: observed,
          // Xet's protocol would need parts of it kept to go on with; the Hub serves the same files over plain HTTP.
          xet: false,
          // The listing says it already.
          downloadInfo: { size: file.bytes, etag: file.sha256 ?? file.oid, url },
        });
        const stream = blob!.slice(first).stream() as ReadableStream<Uint8Array>;
        return rethrowing(stream, () => failure);
      },
    };
  }

  /** Does something, and says in a sentence why it failed. */
  async function translated<T>(
    wanted: Wanted,
    commit: string | undefined,
    work: () => Promise<T>,
    file?: RepositoryFile,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await explainFailure(error, { wanted, commit, file: file?.path, settings, request });
    }
  }

  return {
    settings,
    snapshot(kind, id, revision = DEFAULT_REVISION) {
      const wanted: Wanted = { kind, id, revision };
      if (!REVISION.test(revision)) {
        throw new UserError(kind === "model" ? "model" : "data", `${id}@${revision}: no name of a revision`, {
          hint: "A revision is a branch, a tag or a commit.",
        });
      }
      const key = JSON.stringify([kind, id, revision]);
      const opened = snapshots.get(key) ?? translated(wanted, undefined, () => open(wanted));
      snapshots.set(key, opened);
      return opened;
    },
  };
}

/** The Hub, opened when it is first needed, so that a mistake in its environment hinders nobody else. */
export function lazyHub(options: HubOptions): () => Hub {
  let hub: Hub | undefined;
  return () => (hub ??= openHub(options));
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

/** A failure that says nothing about what was asked for. */
function isOutage(error: unknown): error is HubFailure {
  return error instanceof HubFailure && (error.reason === "network" || error.passing);
}

/** The stream, with the failure behind its own error. */
function rethrowing(stream: ReadableStream<Uint8Array>, failure: () => unknown): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        throw failure() ?? error;
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
