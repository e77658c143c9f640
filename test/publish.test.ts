import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hubSettings } from "../src/node/hub/hub-settings.ts";
import { listPublished, publishFolder } from "../src/node/hub/publish.ts";
import { startIn } from "./support/cli.ts";

const TOKEN = "hf_testtokentesttoken";
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-publish-"));
const model = path.join(folder, "model");
const WEIGHTS = Buffer.alloc(3000, 7);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A Hub that takes pushes as the real one does: preupload, large file storage, and one commit of all files. */
let server: Server;
let endpoint: string;
const asked: { readonly method: string; readonly path: string; readonly authorization: string | undefined }[] = [];
const stored = new Map<string, Buffer>();
let committed: readonly Record<string, unknown>[] = [];
/** Answers of a path's beginning in the place of the usual ones: a status, and what it says. */
let failing: Readonly<Record<string, readonly [number, string]>> = {};

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function answer(request: IncomingMessage, body: Buffer): Promise<readonly [number, unknown]> {
  const url = request.url!.split("?")[0]!;
  for (const [start, [status, error]] of Object.entries(failing)) if (url.startsWith(start)) return [status, { error }];
  if (url === "/api/repos/create") return [200, { url: `${endpoint}/org/name`, id: "1" }];
  if (url === "/api/models/org/name/preupload/main") {
    const { files } = JSON.parse(body.toString()) as { files: { path: string }[] };
    const modeOf = (name: string) => (name.endsWith(".safetensors") ? "lfs" : "regular");
    return [200, { files: files.map(({ path: name }) => ({ path: name, uploadMode: modeOf(name) })) }];
  }
  if (url === "/org/name.git/info/lfs/objects/batch") {
    const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] };
    const actions = (oid: string) => ({ upload: { href: `${endpoint}/upload/${oid}`, header: {} } });
    return [
      200,
      { transfer: "basic", objects: objects.map(({ oid, size }) => ({ oid, size, actions: actions(oid) })) },
    ];
  }
  if (url.startsWith("/upload/")) {
    stored.set(url.slice("/upload/".length), body);
    return [200, {}];
  }
  if (url === "/api/models/org/name/commit/main") {
    committed = body
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return [
      200,
      { success: true, commitOid: "c".repeat(40), commitUrl: `${endpoint}/org/name/commit/c`, hookOutput: "" },
    ];
  }
  return [404, { error: `no ${url}` }];
}

beforeAll(async () => {
  mkdirSync(model);
  writeFileSync(path.join(model, "README.md"), "# A card\n");
  writeFileSync(path.join(model, "adapter_config.json"), "{}");
  writeFileSync(path.join(model, "adapter_model.safetensors"), WEIGHTS);
  server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      asked.push({ method: request.method!, path: request.url!, authorization: request.headers.authorization });
      const [status, json] = await answer(request, body);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  asked.length = 0;
  stored.clear();
  committed = [];
  failing = {};
});

async function push(): Promise<string> {
  const settings = hubSettings({ HF_ENDPOINT: endpoint, HF_TOKEN: TOKEN, HF_HOME: path.join(folder, "hf") });
  const files = await listPublished(model, "org/name");
  return publishFolder(model, "org/name", files, { settings, isPrivate: true, onUpload: () => {}, firstPauseMs: 1 });
}

test("all files are in one commit, and large ones in large file storage", async () => {
  expect(await push()).toBe(`${endpoint}/org/name`);
  expect(stored.get(sha256(WEIGHTS))).toEqual(WEIGHTS);
  const values = committed.map(({ key, value }) => `${String(key)} ${(value as { path?: string }).path}`);
  expect(values.slice(1).sort()).toEqual([
    "file README.md",
    "file adapter_config.json",
    "lfsFile adapter_model.safetensors",
  ]);
  expect(
    asked
      .filter(({ path: at }) => at.startsWith("/api/"))
      .every(({ authorization }) => authorization === `Bearer ${TOKEN}`),
  ).toBe(true);
});

test("a repository that is there is pushed to", async () => {
  failing = { "/api/repos/create": [409, "You already created this model repo"] };
  await push();
  expect(committed).toHaveLength(4);
});

describe("a Hub that refuses", () => {
  test.each([
    [401, "/api/repos/create", "the Hub does not accept the access token (401)"],
    [403, "/api/repos/create", "the access token may not write to org/name (403: not yours)"],
    [403, "/api/models/org/name/commit", "the access token may not write to org/name (403: not yours)"],
    [
      409,
      "/api/models/org/name/commit",
      "org/name was changed by somebody else at the same time (409); nothing was published",
    ],
    [500, "/api/models/org/name/preupload", "the Hub answered 500 for org/name: not yours; nothing was published"],
  ])("with %i at %s is one sentence", async (status, at, message) => {
    failing = { [at]: [status, "not yours"] };
    const error = await push().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "UserError", message });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(TOKEN);
    expect(committed).toEqual([]);
    // What may pass is tried three times.
    expect(asked.filter(({ path: each }) => each.startsWith(at))).toHaveLength(status === 500 ? 3 : 1);
  });
});

test("without --push nothing is asked of the Hub", async () => {
  const env = { ...process.env, HF_ENDPOINT: endpoint, HF_TOKEN: TOKEN, NO_COLOR: "1" };
  const { code, stdout, stderr } = await startIn(folder, env, "publish", "model", "--to", "org/name").ended;
  expect([code, asked]).toEqual([0, []]);
  expect(stdout).toMatch(/README\.md +9 B/);
  expect(stderr).toContain(`would push 3 files`);
  expect(stdout + stderr).not.toContain(TOKEN);
}, 60_000);

test.each([
  [path.join(folder, "nothing"), "org/name", /there is no folder/],
  [folder, "org/name", /has no model card \(README\.md\)/],
  [model, "name", /'name' is not the name of a repository/],
])("%s to %s is refused", async (from, to, message) => {
  await expect(listPublished(from, to)).rejects.toThrow(message);
});
