import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DownloadProgress } from "../src/node/hub/hub-snapshot.ts";
import { type Hub, openHub } from "../src/node/hub/hub.ts";
import { fetchModelDescription, fetchModelWeights } from "../src/node/hub/hub-model.ts";
import { HubServer, refuse, sha256, TOKEN } from "./support/hub-server.ts";

// The real client against a server that answers as the Hub does, over real sockets.
const CLI = path.join(import.meta.dirname, "../dist/cli/main.js");
const root = mkdtempSync(path.join(os.tmpdir(), "openfedllm-hub-"));
let server: HubServer;
let home: string;
let runs = 0;

/** Bytes that no compression shortens and no two pieces of which are alike. */
function noise(bytes: number, seed: string): Buffer {
  const blocks = Array.from({ length: Math.ceil(bytes / 64) }, (_, i) =>
    createHash("sha512").update(`${seed} ${i}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, bytes);
}

const BIG = noise(3_000_000, "weights");
const FILES = {
  "README.md": "# about\n",
  "config.json": '{"model_type": "llama"}',
  "model.safetensors": BIG,
  "nested/a b#c?.json": "{}",
};

function environment(more: Record<string, string> = {}): Record<string, string> {
  return { HF_ENDPOINT: server.endpoint, HF_HOME: home, OPENFEDLLM_CACHE: path.join(home, "own"), ...more };
}

function hub(
  options: {
    env?: Record<string, string>;
    onDownload?: (p: DownloadProgress) => void;
    onNote?: (text: string) => void;
    signal?: AbortSignal;
  } = {},
): Hub {
  return openHub({ firstPauseMs: 5, ...options, env: environment(options.env) });
}

const cached = (...names: string[]): string => path.join(home, "hub", ...names);

async function fetchModel(files: readonly string[], from: Hub = hub(), id = "acme/tiny"): Promise<string> {
  return (await from.snapshot("model", id)).fetch(files);
}

/** Every byte of the cache and its names, as one text, to look for a secret in. */
function everythingIn(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => {
      const file = path.join(folder, name);
      return `${name}\n${statSync(file).isFile() ? readFileSync(file, "latin1") : ""}`;
    })
    .join("\n");
}

beforeAll(async () => {
  server = await HubServer.start();
  server.push("models", "acme/tiny", FILES);
  server.push("models", "acme/tiny-instruct", FILES);
  server.push("models", "acme/gated", FILES, { access: "gated" });
  server.push("models", "acme/private", FILES, { access: "private" });
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  home = path.join(root, String(++runs));
  server.reset();
});
afterEach(() => {
  if (existsSync(home)) expect(everythingIn(home)).not.toContain(TOKEN);
});

describe("a download", () => {
  it("lies in the cache as huggingface_hub lays it", async () => {
    const progress: DownloadProgress[] = [];
    const snapshot = await hub({ onDownload: (each) => progress.push(each) }).snapshot("model", "acme/tiny");
    expect([...snapshot.files].sort()).toEqual(Object.keys(FILES).sort());
    const folder = await snapshot.fetch(["config.json", "model.safetensors", "nested/a b#c?.json"]);
    expect(folder).toBe(cached("models--acme--tiny/snapshots", snapshot.commit));
    expect(readFileSync(path.join(folder, "model.safetensors")).equals(BIG)).toBe(true);
    expect(readFileSync(path.join(folder, "nested/a b#c?.json"), "utf8")).toBe("{}");
    expect(existsSync(path.join(folder, "README.md"))).toBe(false);
    expect(readFileSync(cached("models--acme--tiny/refs/main"), "utf8")).toBe(snapshot.commit);
    expect(readlinkSync(path.join(folder, "model.safetensors"))).toBe(`../../blobs/${sha256(BIG)}`);
    expect(readlinkSync(path.join(folder, "nested/a b#c?.json"))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect(
      readdirSync(cached("models--acme--tiny/blobs")).every((name) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name)),
    ).toBe(true);
    const total = BIG.length + FILES["config.json"].length + 2;
    expect(progress.at(-1)).toEqual({
      repository: "acme/tiny",
      file: "nested/a b#c?.json",
      doneBytes: total,
      totalBytes: total,
    });
    expect(progress.map(({ doneBytes }) => doneBytes)).toEqual(
      progress.map(({ doneBytes }) => doneBytes).sort((a, b) => a - b),
    );
  });

  it("is not made twice, and a commit that is all there needs no request at all", async () => {
    const snapshot = await hub().snapshot("model", "acme/tiny");
    await snapshot.fetch(["model.safetensors"]);
    server.reset();
    await fetchModel(["model.safetensors"]);
    expect(server.seen.map(({ path }) => path.split("?")[0])).toEqual(["/api/models/acme/tiny/revision/main"]);
    server.reset();
    await (await hub().snapshot("model", "acme/tiny", snapshot.commit)).fetch(["model.safetensors"]);
    expect(server.seen).toEqual([]);
  });

  it("takes what Python downloaded: links or copies, without a listing of ours", async () => {
    const commit = "a".repeat(40);
    const folder = cached("models--old--model/snapshots", commit);
    mkdirSync(folder, { recursive: true });
    mkdirSync(cached("models--old--model/refs"));
    writeFileSync(cached("models--old--model/refs/main"), commit);
    writeFileSync(path.join(folder, "config.json"), "{}");
    const offline = hub({ env: { HF_HUB_OFFLINE: "1" } });
    const snapshot = await offline.snapshot("model", "old/model");
    expect(snapshot.files).toEqual(["config.json"]);
    expect(await snapshot.fetch(["config.json"])).toBe(folder);
    await expect(snapshot.fetch(["model.safetensors"])).rejects.toMatchObject({
      kind: "model",
      message: expect.stringContaining("model.safetensors of it is not in the cache") as string,
    });
    expect(server.seen).toEqual([]);
  });

  it("shares a blob between snapshots: an unchanged file is not fetched again", async () => {
    const id = "acme/moving";
    const first = server.push("models", id, FILES);
    await fetchModel(["config.json", "model.safetensors"], hub(), id);
    const second = server.push("models", id, { ...FILES, "config.json": '{"model_type": "qwen2"}' });
    server.reset();
    const folder = await fetchModel(["config.json", "model.safetensors"], hub(), id);
    expect(folder).toBe(cached("models--acme--moving/snapshots", second));
    expect(readFileSync(path.join(folder, "config.json"), "utf8")).toContain("qwen2");
    expect(server.sentBytes()).toBeLessThan(1000);
    // The branch moved; a commit that was pinned stays.
    const pinned = await (await hub().snapshot("model", id, first)).fetch(["config.json"]);
    expect(readFileSync(path.join(pinned, "config.json"), "utf8")).toContain("llama");
    expect(readFileSync(cached("models--acme--moving/refs/main"), "utf8")).toBe(second);
  });

  it("takes a tag as it takes a branch", async () => {
    server.push("models", "acme/tagged", { ...FILES, "config.json": "{}" }, { ref: "v1.0" });
    server.push("models", "acme/tagged", FILES);
    const folder = await (await hub().snapshot("model", "acme/tagged", "v1.0")).fetch(["config.json"]);
    expect(readFileSync(path.join(folder, "config.json"), "utf8")).toBe("{}");
    expect(existsSync(cached("models--acme--tagged/refs/v1.0"))).toBe(true);
  });
});

describe("a download that breaks off", () => {
  it("goes on from where it was, within one call", async () => {
    server.cuts.push(1_000_000, 500_000);
    const folder = await fetchModel(["model.safetensors"]);
    expect(readFileSync(path.join(folder, "model.safetensors")).equals(BIG)).toBe(true);
    const ranges = server.seen.filter(({ host }) => host === "cdn").map(({ range }) => range);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(new RegExp(`^bytes=\\d+-${BIG.length - 1}$`));
    // What was in the sockets when they were cut is sent again.
    expect(server.sentBytes()).toBeLessThan(BIG.length * 1.2);
  });

  it("goes on from where it was, in the next call, after the retries of the first", async () => {
    server.cuts.push(800_000, 0, 0, 0, 0, 0);
    await expect(fetchModel(["model.safetensors"])).rejects.toMatchObject({
      kind: "model",
      message: "the download of model.safetensors of acme/tiny broke off several times (the connection broke off)",
      hint: "Run the same command again to continue the download.",
    });
    const incomplete = cached("models--acme--tiny/blobs", `${sha256(BIG)}.incomplete`);
    const kept = statSync(incomplete).size;
    expect(kept).toBeGreaterThan(0);
    expect(existsSync(cached("models--acme--tiny/refs/main"))).toBe(false);
    server.reset();
    const folder = await fetchModel(["model.safetensors"]);
    expect(readFileSync(path.join(folder, "model.safetensors")).equals(BIG)).toBe(true);
    expect(server.seen.find(({ host }) => host === "cdn")!.range).toBe(`bytes=${kept}-${BIG.length - 1}`);
    expect(server.sentBytes()).toBeLessThanOrEqual(BIG.length - kept);
    expect(existsSync(incomplete)).toBe(false);
  });

  it("begins anew where the endpoint ignores ranges", async () => {
    await expect((server.cuts.push(800_000, 0, 0, 0, 0, 0), fetchModel(["model.safetensors"]))).rejects.toThrow();
    server.reset();
    server.intercept = (seen, _request, response) => {
      if (seen.host !== "cdn") return false;
      response.writeHead(200, { "content-length": BIG.length }).end(BIG);
      return true;
    };
    const folder = await fetchModel(["model.safetensors"]);
    expect(readFileSync(path.join(folder, "model.safetensors")).equals(BIG)).toBe(true);
  });

  it.each([
    ["goes on anew, a few times, where the endpoint ignores ranges", 4],
    ["is given up where the endpoint ignores ranges and always breaks off", 5],
  ])("%s", async (_name, cuts) => {
    let whole = 0;
    server.intercept = (seen, _request, response) => {
      if (seen.host !== "cdn") return false;
      response.writeHead(200, { "content-length": BIG.length });
      if (seen.range !== undefined || ++whole > cuts) response.end(BIG);
      // More than a MiB, which counts as progress where parts are served.
      else response.write(BIG.subarray(0, 2_000_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    const fetching = fetchModel(["model.safetensors"]);
    if (cuts < 5) {
      expect(readFileSync(path.join(await fetching, "model.safetensors")).equals(BIG)).toBe(true);
    } else {
      await expect(fetching).rejects.toMatchObject({
        kind: "model",
        message:
          "the download of model.safetensors of acme/tiny broke off several times, and its server cannot send the rest of a file",
        hint: "Run the same command again on a more stable connection. The download starts from the beginning.",
      });
    }
    expect(whole).toBe(5);
  });

  it("leaves the branch at the commit that is all there", async () => {
    const id = "acme/half";
    const whole = { "config.json": '{"model_type": "llama"}', "tokenizer.json": "{}", "model.safetensors": BIG };
    const model = async (from: Hub): Promise<string> => {
      const ref = { id, revision: undefined };
      const snapshot = await fetchModelDescription(from, ref);
      await fetchModelWeights(snapshot, ref);
      return snapshot.commit;
    };
    const offline = (): Promise<string> => model(hub({ env: { HF_HUB_OFFLINE: "1" } }));
    const ref = (): string => readFileSync(cached("models--acme--half/refs/main"), "utf8");
    const first = server.push("models", id, whole);
    await model(hub());
    expect(await offline()).toBe(first);

    const weights = { "config.json": '{"model_type": "qwen2"}', "model.safetensors": noise(2_000_000, "second") };
    server.push("models", id, { ...whole, ...weights });
    server.cuts.push(500_000, 0, 0, 0, 0, 0);
    await expect(model(hub())).rejects.toThrow("broke off");
    expect([ref(), await offline()]).toEqual([first, first]);

    // Sharded: the index alone is no model either.
    const shard = "model-00001-of-00001.safetensors";
    const third = server.push("models", id, {
      "config.json": '{"model_type": "qwen3"}',
      "tokenizer.json": "{}",
      "model.safetensors.index.json": JSON.stringify({ weight_map: { a: shard } }),
      [shard]: noise(1_000_000, "third"),
    });
    server.cuts.length = 0;
    server.cuts.push(500_000, 0, 0, 0, 0, 0);
    await expect(model(hub())).rejects.toThrow("broke off");
    expect([ref(), await offline()]).toEqual([first, first]);
    server.cuts.length = 0;
    expect(await model(hub())).toBe(third);
    expect([ref(), await offline()]).toEqual([third, third]);
  });

  it("does not trust what an earlier call left: damaged, it is fetched again", async () => {
    mkdirSync(cached("models--acme--tiny/blobs"), { recursive: true });
    writeFileSync(cached("models--acme--tiny/blobs", `${sha256(BIG)}.incomplete`), noise(1_000_000, "other"));
    const folder = await fetchModel(["model.safetensors"]);
    expect(readFileSync(path.join(folder, "model.safetensors")).equals(BIG)).toBe(true);
  });

  it("survives SIGKILL of the process", async () => {
    server.push("models", "acme/killed", { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": BIG });
    server.paceMs = 3;
    const child = download("acme/killed");
    while (server.sentBytes() < 1_000_000) await pause(5);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    const incomplete = readdirSync(cached("models--acme--killed/blobs")).find((name) => name.endsWith(".incomplete"));
    const kept = statSync(cached("models--acme--killed/blobs", incomplete!)).size;
    expect(kept).toBeGreaterThan(0);
    server.reset();
    const again = await output(download("acme/killed"));
    expect(again.stderr).toMatch(/^downloading acme\/killed \d+% of 3\.0 MB$/m);
    expect(again.status).toBe(0);
    expect(readFileSync(path.join(again.stdout.trim(), "model.safetensors")).equals(BIG)).toBe(true);
    expect(server.seen.find(({ host }) => host === "cdn")!.range).toBe(`bytes=${kept}-${BIG.length - 1}`);
    expect(server.sentBytes()).toBeLessThanOrEqual(BIG.length - kept + 1000);
  });

  it("is stopped by its signal, and keeps what it has", async () => {
    server.paceMs = 5;
    const controller = new AbortController();
    const fetching = fetchModel(["model.safetensors"], hub({ signal: controller.signal }));
    while (server.sentBytes() < 300_000) await pause(5);
    controller.abort();
    await expect(fetching).rejects.toMatchObject({ name: "AbortError" });
    expect(statSync(cached("models--acme--tiny/blobs", `${sha256(BIG)}.incomplete`)).size).toBeGreaterThan(0);
  });
});

describe("several at once", () => {
  it("fetch a file once: in one process", async () => {
    const folders = await Promise.all([hub(), hub(), hub()].map((each) => fetchModel(["model.safetensors"], each)));
    expect(new Set(folders).size).toBe(1);
    expect(server.sentBytes()).toBe(BIG.length);
  });

  it("fetch a file once: in two processes", async () => {
    server.push("models", "acme/twice", { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": BIG });
    server.paceMs = 2;
    const both = await Promise.all([output(download("acme/twice")), output(download("acme/twice"))]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    expect(both[0].stdout).toBe(both[1].stdout);
    expect(readFileSync(path.join(both[0].stdout.trim(), "model.safetensors")).equals(BIG)).toBe(true);
    expect(server.sentBytes()).toBeLessThan(BIG.length + 1000);
  });
});

describe("bytes that are not those the Hub lists", () => {
  it.each([["config.json"], ["model.safetensors"]])("are refused: %s", async (file) => {
    server.intercept = (seen, _request, response) => {
      const content = Buffer.from((FILES as Record<string, string | Buffer>)[file]!);
      if (!seen.path.includes("/resolve/")) return false;
      content[content.length - 1]! ^= 1;
      response.writeHead(200, { "content-length": content.length }).end(content);
      return true;
    };
    await expect(fetchModel([file])).rejects.toMatchObject({
      kind: "model",
      message: `${file} of acme/tiny arrived damaged (its bytes differ from the Hub's listing) and was not kept`,
    });
    expect(readdirSync(cached("models--acme--tiny/blobs"))).toEqual([]);
    server.intercept = undefined;
    await fetchModel([file]);
  });
});

describe("an answer that asks for patience", () => {
  it("429 with Retry-After, then 503, then a cut: it succeeds", async () => {
    const started = performance.now();
    const failures: ((response: Parameters<typeof refuse>[0]) => void)[] = [
      (response) => {
        response.setHeader("retry-after", "1");
        refuse(response, 429, undefined, "Too many requests");
      },
      (response) => refuse(response, 503, undefined, "Service unavailable"),
      (response) => response.destroy(),
    ];
    server.intercept = (_seen, _request, response) => {
      const fail = failures.shift();
      fail?.(response);
      return fail !== undefined;
    };
    await fetchModel(["config.json"]);
    expect(performance.now() - started).toBeGreaterThan(900);
  });

  it("429 to the end: one sentence", async () => {
    server.intercept = (_seen, _request, response) => {
      response.setHeader("retry-after", "0");
      refuse(response, 429, undefined, "Too many requests");
      return true;
    };
    await expect(fetchModel(["config.json"])).rejects.toMatchObject({
      kind: "model",
      message: "the Hub refuses model acme/tiny because of too many requests (429), in every attempt",
      hint: expect.stringContaining("With HF_TOKEN set, more requests are allowed.") as string,
    });
    expect(server.seen).toHaveLength(5);
  });

  it("a wait of hours is told instead", async () => {
    server.intercept = (_seen, _request, response) => {
      response.setHeader("retry-after", "7200");
      refuse(response, 429, undefined, "Too many requests");
      return true;
    };
    await expect(fetchModel(["config.json"])).rejects.toMatchObject({
      hint: expect.stringContaining("It asks for a wait of 7200 seconds.") as string,
    });
  });
});

describe("what cannot be had", () => {
  it("no such repository: names the nearest of the same owner", async () => {
    await expect(fetchModel(["config.json"], hub(), "acme/tiny-instrct")).rejects.toMatchObject({
      kind: "model",
      message: "there is no model acme/tiny-instrct on the Hub, or it is private (401)",
      hint: "Did you mean acme/tiny-instruct?",
    });
    const withToken = hub({ env: { HF_TOKEN: TOKEN } });
    await expect(withToken.snapshot("dataset", "acme/none")).rejects.toMatchObject({
      kind: "data",
      message: "there is no dataset acme/none on the Hub, or the access token cannot see it (404)",
    });
  });

  it("no such revision, branch or commit", async () => {
    await expect(hub().snapshot("model", "acme/tiny", "mian")).rejects.toMatchObject({
      message: "model acme/tiny has no revision mian",
      hint: "Did you mean main?",
    });
    await expect(hub().snapshot("model", "acme/tiny", "b".repeat(40))).rejects.toMatchObject({
      message: `model acme/tiny has no revision ${"b".repeat(40)}`,
      hint: "Its branches and tags are main.",
    });
    await expect(async () => hub().snapshot("model", "acme/tiny", "../../x")).rejects.toThrow(
      "not a name of a revision",
    );
  });

  it("a file that is listed and gone", async () => {
    server.intercept = (seen, _request, response) => {
      if (!seen.path.includes("/resolve/")) return false;
      refuse(response, 404, "EntryNotFound", "Entry not found");
      return true;
    };
    await expect(fetchModel(["config.json"])).rejects.toMatchObject({
      message: "config.json of acme/tiny does not exist at revision main (404)",
    });
  });

  it("gated, without and with terms accepted", async () => {
    await expect(fetchModel(["config.json"], hub(), "acme/gated")).rejects.toMatchObject({
      message: "model acme/gated is gated: its owner gives access to each account (401)",
      hint: `Accept the terms at ${server.endpoint}/acme/gated, and set HF_TOKEN to an access token of that account.`,
    });
    await fetchModel(["config.json"], hub({ env: { HF_TOKEN: TOKEN } }), "acme/gated");
  });

  it("403: gated to this account, or denied, a repository or one file", async () => {
    const withToken = { env: { HF_TOKEN: TOKEN } };
    let answer: readonly [code: string | undefined, said: string] = [
      "GatedRepo",
      "You are not in the authorized list.",
    ];
    let where = "/api/";
    server.intercept = (seen, _request, response) => {
      if (!seen.path.includes(where)) return false;
      refuse(response, 403, ...answer);
      return true;
    };
    await expect(fetchModel(["config.json"], hub(withToken), "acme/gated")).rejects.toMatchObject({
      kind: "model",
      message: "model acme/gated is gated: its owner gives access to each account (403)",
      hint: `Accept the terms at ${server.endpoint}/acme/gated, and set HF_TOKEN to an access token of that account.`,
    });
    answer = [undefined, "Storage patterns tripped our internal systems."];
    await expect(hub(withToken).snapshot("dataset", "acme/talk")).rejects.toMatchObject({
      kind: "data",
      message: "the Hub denies access to dataset acme/talk (403: Storage patterns tripped our internal systems.)",
      hint: `Accept the terms at ${server.endpoint}/datasets/acme/talk, if there are any, and set HF_TOKEN to an access token with access.`,
    });
    [where, answer] = ["/resolve/", [undefined, ""]];
    await expect(fetchModel(["config.json"])).rejects.toMatchObject({
      message: "the Hub denies access to config.json of acme/tiny (403)",
    });
    // Not asked again: it would be denied again.
    expect(server.seen.filter(({ path }) => path.includes("/resolve/"))).toHaveLength(1);
  });

  it("a token that is none", async () => {
    const message = "the Hub does not accept the access token (401)";
    await expect(fetchModel(["config.json"], hub({ env: { HF_TOKEN: "hf_wrong" } }))).rejects.toMatchObject({
      message,
    });
    // What fetch would say of it quotes it.
    expect(() => hub({ env: { HF_TOKEN: "hf_line\nbreak" } })).toThrow(
      /^HF_TOKEN contains characters that cannot be in an access token$/,
    );
  });

  it("an endpoint that is not the Hub", async () => {
    server.intercept = (_seen, _request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>please log in</html>");
      return true;
    };
    await expect(fetchModel(["config.json"])).rejects.toMatchObject({
      message: expect.stringContaining(`${server.endpoint} does not answer like the Hugging Face Hub`) as string,
    });
    expect(() => openHub({ env: { HF_ENDPOINT: "huggingface.co" } })).toThrow(
      "HF_ENDPOINT is not an http or https address",
    );
  });

  it("a listing that would write elsewhere is refused", async () => {
    server.intercept = (seen, _request, response) => {
      if (!seen.path.includes("/tree/")) return false;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify([{ type: "file", path: "../../evil", size: 1, oid: "a".repeat(40) }]));
      return true;
    };
    await expect(fetchModel(["config.json"])).rejects.toThrow("an unusable entry in the listing");
  });
});

describe("the token", () => {
  it("goes to the endpoint only, not with the redirect to another host", async () => {
    mkdirSync(home);
    writeFileSync(path.join(home, "token-file"), `${TOKEN}\n`);
    await fetchModel(
      ["config.json", "model.safetensors"],
      hub({ env: { HF_TOKEN_PATH: path.join(home, "token-file") } }),
      "acme/private",
    );
    const sent = (host: string): (string | undefined)[] =>
      server.seen.filter((seen) => seen.host === host).map(({ authorization }) => authorization);
    expect(new Set(sent("hub"))).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(sent("cdn")).toEqual([undefined]);
    rmSync(path.join(home, "token-file"));
  });

  it("is taken from HF_HOME/token, and is not sent where none is set", async () => {
    await fetchModel(["config.json"]);
    expect(server.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
    writeFileSync(path.join(home, "token"), TOKEN);
    await fetchModel(["config.json"], hub(), "acme/private");
    rmSync(path.join(home, "token"));
  });
});

describe("without the Hub", () => {
  let nowhere: { readonly HF_ENDPOINT: string };
  beforeAll(async () => {
    const closed = await HubServer.start();
    nowhere = { HF_ENDPOINT: closed.endpoint };
    await closed.stop();
  });

  it("the cached snapshot is used and said so", async () => {
    const folder = await fetchModel(["config.json"]);
    const notes: string[] = [];
    expect(await fetchModel(["config.json"], hub({ env: nowhere, onNote: (text) => notes.push(text) }))).toBe(folder);
    expect(notes).toEqual([
      expect.stringMatching(
        /^The Hub does not answer \(the connection is refused\); acme\/tiny is used as it was downloaded \(commit [0-9a-f]{8}\)\.$/,
      ),
    ]);
    server.reset();
    expect(await fetchModel(["config.json"], hub({ env: { HF_HUB_OFFLINE: "1" } }))).toBe(folder);
    expect(server.seen).toEqual([]);
  });

  it("what is not in the cache is one sentence", async () => {
    await expect(fetchModel(["config.json"], hub({ env: nowhere }))).rejects.toMatchObject({
      kind: "model",
      message: `the Hugging Face Hub at ${nowhere.HF_ENDPOINT} cannot be reached (the connection is refused), and model acme/tiny is not in the cache ${cached()}`,
    });
    const proxied = { ...nowhere, HTTPS_PROXY: "http://proxy.example:3128" };
    await expect(fetchModel(["config.json"], hub({ env: proxied }))).rejects.toMatchObject({
      hint: expect.stringMatching(/^HTTPS_PROXY is set, but Node uses it only .* NODE_USE_ENV_PROXY=1/) as string,
    });
    await expect(fetchModel(["config.json"], hub({ env: { HF_HUB_OFFLINE: "1" } }))).rejects.toMatchObject({
      message: `model acme/tiny cannot be downloaded, because HF_HUB_OFFLINE is set, and it is not in the cache ${cached()}`,
      hint: "Unset HF_HUB_OFFLINE, or set HF_HUB_CACHE to a cache that holds it.",
    });
    await fetchModel(["config.json"]);
    await expect(fetchModel(["model.safetensors"], hub({ env: nowhere }))).rejects.toMatchObject({
      message: expect.stringContaining("and model.safetensors of acme/tiny is not in the cache") as string,
    });
  });
});

function download(id: string): ChildProcess {
  const env = { PATH: process.env["PATH"], NO_COLOR: "1", ...environment() };
  return spawn(process.execPath, [CLI, "download", id], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function output(child: ChildProcess): Promise<{ stdout: string; stderr: string; status: number | null }> {
  let stdout = "";
  let stderr = "";
  child.stdout!.on("data", (data) => (stdout += String(data)));
  child.stderr!.on("data", (data) => (stderr += String(data)));
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { stdout, stderr, status };
}
