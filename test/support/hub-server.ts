import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

type Kind = "models" | "datasets";
type Files = Readonly<Record<string, string | Uint8Array>>;

interface Repository {
  readonly commits: Map<string, Map<string, Uint8Array>>;
  /** Branches and tags. */
  readonly refs: Map<string, string>;
  readonly access: "public" | "gated" | "private";
}

export interface Seen {
  /** `hub`, or the host that large files are redirected to. */
  readonly host: "hub" | "cdn";
  readonly method: string;
  /** With its query, without the host. */
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Of the body, as far as it was handed to the socket. */
  sentBytes: number;
}

/** Answers a request instead of the server, if it returns true. */
type Interceptor = (seen: Seen, request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** Files of these names are in large file storage, whatever their size. */
const LARGE = /\.(safetensors|parquet|bin|gz)$/;
const PAGE = 3;

export const TOKEN = "hf_testtokentesttoken";

/**
 * A server that answers as the Hugging Face Hub answers its clients: repository info, paged trees, refs, files with ETag and
 * ranges, large ones behind a redirect to another host.
 */
export class HubServer {
  readonly seen: Seen[] = [];
  /** Cuts the connection after so many bytes of a body on the CDN; taken from the front, one for each request. */
  readonly cuts: number[] = [];
  /** Pause after each piece of a body on the CDN. */
  paceMs = 0;
  intercept: Interceptor | undefined;
  readonly #repositories = new Map<string, Repository>();
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => void this.#answer("hub", request, response));
    this.#cdn = createServer((request, response) => void this.#answer("cdn", request, response));
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    }
    return server;
  }

  get endpoint(): string {
    return addressOf(this.#hub);
  }

  get cdn(): string {
    return addressOf(this.#cdn);
  }

  async stop(): Promise<void> {
    for (const each of [this.#hub, this.#cdn]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  }

  /** Forgets what was asked and what was to go wrong. */
  reset(): void {
    this.seen.length = 0;
    this.cuts.length = 0;
    this.paceMs = 0;
    this.intercept = undefined;
  }

  /** Makes a commit of a whole repository on a branch or tag; returns its name. */
  push(kind: Kind, id: string, files: Files, { ref = "main", access = "public" as Repository["access"] } = {}): string {
    const key = `${kind}/${id}`;
    const repository = this.#repositories.get(key) ?? { commits: new Map(), refs: new Map(), access };
    this.#repositories.set(key, repository);
    const tree = new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]));
    const hash = createHash("sha1").update(key);
    for (const [name, content] of tree) hash.update(`${name}\0`).update(content);
    const commit = hash.digest("hex");
    repository.commits.set(commit, tree);
    repository.refs.set(ref, commit);
    return commit;
  }

  /** Bytes of file contents that went out. */
  sentBytes(): number {
    return this.seen.filter(({ path }) => !path.startsWith("/api/")).reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  async #answer(host: Seen["host"], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: Seen = {
      host,
      method: request.method!,
      path: request.url!,
      range: request.headers.range,
      authorization: request.headers.authorization,
      sentBytes: 0,
    };
    this.seen.push(seen);
    if (await this.intercept?.(seen, request, response)) return;
    const url = new URL(request.url!, "http://localhost");
    if (host === "cdn") return this.#sendBlob(seen, url, response);
    this.#route(seen, url, response);
  }

  #route(seen: Seen, url: URL, response: ServerResponse): void {
    const parts = url.pathname.split("/").slice(1);
    const isApi = parts[0] === "api";
    if (isApi) parts.shift();
    const kind: Kind = parts[0] === "datasets" ? "datasets" : "models";
    if (parts[0] === "datasets" || parts[0] === "models") parts.shift();
    if (isApi && parts.length === 0) return this.#search(kind, url, response);
    const verb = parts.findIndex((part) => ["revision", "tree", "refs", "resolve"].includes(part));
    const id = parts.slice(0, verb).join("/");
    const repository = this.#repositories.get(`${kind}/${id}`);
    const hasToken = seen.authorization === `Bearer ${TOKEN}`;
    if (seen.authorization !== undefined && !hasToken) {
      return refuse(response, 401, undefined, "Invalid credentials in Authorization header");
    }
    if (repository === undefined || (repository.access === "private" && !hasToken)) {
      return hasToken
        ? refuse(response, 404, "RepoNotFound", "Repository not found")
        : refuse(response, 401, undefined, "Invalid username or password.");
    }
    if (repository.access === "gated" && parts[verb] === "resolve" && !hasToken) {
      return refuse(response, 401, "GatedRepo", `Access to ${kind} ${id} is restricted.`);
    }
    if (parts[verb] === "refs") {
      const branches = [...repository.refs].map(([name, targetCommit]) => ({
        name,
        ref: `refs/heads/${name}`,
        targetCommit,
      }));
      return sendJson(response, { branches, converts: [], tags: [] });
    }
    const revision = decodeURIComponent(parts[verb + 1]!);
    const commit = repository.commits.has(revision) ? revision : repository.refs.get(revision);
    if (commit === undefined) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    const tree = repository.commits.get(commit)!;
    if (parts[verb] === "revision") {
      return sendJson(response, {
        _id: "1",
        id,
        sha: commit,
        private: false,
        gated: false,
        downloads: 0,
        likes: 0,
        lastModified: "2024-01-01T00:00:00.000Z",
      });
    }
    if (parts[verb] === "tree") return this.#sendTree(tree, url, response);
    const name = parts
      .slice(verb + 2)
      .map(decodeURIComponent)
      .join("/");
    const content = tree.get(name);
    if (content === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    response.setHeader("x-repo-commit", commit);
    if (!LARGE.test(name)) return void this.#sendBytes(seen, content, gitHash(content), response);
    response.setHeader("x-linked-etag", `"${sha256(content)}"`);
    response.setHeader("x-linked-size", content.length);
    response
      .writeHead(302, { location: `${this.cdn}/${kind}/${id}/${commit}/${encodeURIComponent(name)}?signed=1` })
      .end();
  }

  #search(kind: Kind, url: URL, response: ServerResponse): void {
    const owner = url.searchParams.get("author") ?? "";
    const ids = [...this.#repositories.keys()].filter((key) => key.startsWith(`${kind}/${owner}/`));
    const entries = ids.map((key) => ({
      _id: key,
      id: key.slice(kind.length + 1),
      lastModified: "2024-01-01T00:00:00.000Z",
    }));
    sendJson(response, entries);
  }

  #sendTree(tree: ReadonlyMap<string, Uint8Array>, url: URL, response: ServerResponse): void {
    const entries = [...tree].map(([name, content]) => ({
      type: "file",
      path: name,
      size: content.length,
      oid: gitHash(content),
      ...(LARGE.test(name) && { lfs: { oid: sha256(content), size: content.length, pointerSize: 130 } }),
    }));
    const folders = [
      ...new Set([...tree.keys()].filter((name) => name.includes("/")).map((name) => name.split("/")[0]!)),
    ];
    const all = [
      ...folders.map((name) => ({ type: "directory", path: name, size: 0, oid: "0".repeat(40) })),
      ...entries,
    ];
    const start = Number(url.searchParams.get("cursor") ?? 0);
    if (start + PAGE < all.length) {
      const next = new URL(`${this.endpoint}${url.pathname}?recursive=true&cursor=${start + PAGE}`);
      response.setHeader("link", `<${next.href}>; rel="next"`);
    }
    sendJson(response, all.slice(start, start + PAGE));
  }

  #sendBlob(seen: Seen, url: URL, response: ServerResponse): void | Promise<void> {
    const [, kind, owner, name, commit, file] = url.pathname.split("/");
    const content = this.#repositories
      .get(`${kind}/${owner}/${name}`)
      ?.commits.get(commit!)
      ?.get(decodeURIComponent(file!));
    if (content === undefined) return void response.writeHead(404).end();
    return this.#sendBytes(seen, content, sha256(content), response, this.cuts.shift());
  }

  async #sendBytes(
    seen: Seen,
    content: Uint8Array,
    etag: string,
    response: ServerResponse,
    cutAfter = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(seen.range ?? "") ?? [];
    const start = Number(first ?? 0);
    const end = last ? Number(last) + 1 : content.length;
    response.setHeader("etag", `"${etag}"`);
    response.setHeader("accept-ranges", "bytes");
    response.setHeader("content-length", end - start);
    if (first !== undefined) response.setHeader("content-range", `bytes ${start}-${end - 1}/${content.length}`);
    response.writeHead(first === undefined ? 200 : 206);
    if (seen.method === "HEAD") return void response.end();
    for (let at = start; at < end;) {
      const piece = content.subarray(at, Math.min(end, at + 16_384, start + cutAfter));
      if (piece.length === 0) {
        await pause(5);
        response.destroy();
        return;
      }
      if (response.destroyed) return;
      if (!response.write(piece))
        await Promise.race([new Promise((resolve) => response.once("drain", resolve)), pause(500)]);
      seen.sentBytes += piece.length;
      at += piece.length;
      if (this.paceMs > 0) await pause(this.paceMs);
    }
    response.end();
  }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function refuse(response: ServerResponse, status: number, code: string | undefined, message: string): void {
  response.setHeader("x-error-message", message);
  if (code !== undefined) response.setHeader("x-error-code", code);
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify({ error: message }));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}

function gitHash(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
