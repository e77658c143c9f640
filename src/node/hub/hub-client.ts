import type { RepositoryFile } from "./hub-cache.ts";
import { COMMIT, isRepositoryFile } from "./hub-cache.ts";
import type { Wanted } from "./hub-errors.ts";
import { hubFetch, type RetryOptions, withHubRetries } from "./hub-http.ts";
import type { HubSettings } from "./hub-settings.ts";

/** Loaded when the first request is made: most commands make none. */
const library = (): Promise<typeof import("@huggingface/hub")> => import("@huggingface/hub");

/** Requests to the Hub. A request that fails is repeated where that may help, and ends in a `HubFailure`. */
export class HubClient {
  /** `fetch` with the access token. */
  readonly request: typeof fetch;
  readonly retry: Pick<RetryOptions, "signal" | "firstPauseMs">;
  readonly #hubUrl: string;

  constructor(settings: HubSettings, retry: Pick<RetryOptions, "signal" | "firstPauseMs">) {
    this.request = hubFetch(settings, retry.signal);
    this.retry = retry;
    this.#hubUrl = settings.endpoint;
  }

  /** Asks for the commit that a branch or tag is at. `attempts`: default 5. */
  async commitOf({ kind, id, revision }: Wanted, attempts?: number): Promise<string> {
    const params = {
      name: id,
      revision,
      additionalFields: ["sha" as const],
      hubUrl: this.#hubUrl,
      fetch: this.request,
    };
    return withHubRetries(
      async () => {
        const { modelInfo, datasetInfo } = await library();
        const { sha } = kind === "model" ? await modelInfo(params) : await datasetInfo(params);
        if (COMMIT.test(sha)) return sha;
        throw new SyntaxError(`no commit in the answer about ${id}`);
      },
      { ...this.retry, ...(attempts !== undefined && { attempts }) },
    );
  }

  /** Lists all files of a commit. */
  async list({ kind, id }: Wanted, commit: string): Promise<readonly RepositoryFile[]> {
    const repo = { type: kind, name: id };
    const params = { repo, revision: commit, recursive: true, hubUrl: this.#hubUrl, fetch: this.request };
    return withHubRetries(async () => {
      const found: RepositoryFile[] = [];
      const { listFiles } = await library();
      for await (const { type, path: name, size, oid, lfs } of listFiles(params)) {
        if (type !== "file") continue;
        const file = { path: name, bytes: lfs?.size ?? size, oid, ...(lfs && { sha256: lfs.oid }) };
        if (!isRepositoryFile(file)) throw new SyntaxError(`an unusable entry in the listing of ${id}: ${name}`);
        found.push(file);
      }
      return found;
    }, this.retry);
  }

  /** Opens the bytes of a file from `first` on. Makes one attempt. */
  async open(
    { kind, id }: Wanted,
    commit: string,
    file: RepositoryFile,
    first: number,
  ): Promise<ReadableStream<Uint8Array>> {
    const { downloadFile } = await library();
    const name = file.path.split("/").map(encodeURIComponent).join("/");
    const url = `${this.#hubUrl}/${kind === "model" ? "" : "datasets/"}${id}/resolve/${commit}/${name}`;
    // The library's stream keeps only the message of a failure.
    let failure: unknown;
    const observed: typeof fetch = async (input, init) => {
      try {
        return await this.request(input, init);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const blob = await downloadFile({
      repo: { type: kind, name: id },
      path: name,
      hubUrl: this.#hubUrl,
      fetch: observed,
      // A broken download over Xet's protocol could not be continued; the Hub serves the same files over plain HTTP.
      xet: false,
      // Known from the listing.
      downloadInfo: { size: file.bytes, etag: file.sha256 ?? file.oid, url },
    });
    const stream = blob!.slice(first).stream() as ReadableStream<Uint8Array>;
    return rethrowing(stream, () => failure);
  }
}

/** Gives the same bytes; an error is replaced by the failure behind it. */
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
