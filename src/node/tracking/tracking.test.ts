import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunEvent } from "../../federation/events.ts";
import { parseExperiment } from "../../settings/parse.ts";
import { Delivery, RefusedError } from "./delivery.ts";
import { checkTrackers, openTrackers } from "./registry.ts";

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

let folder: string;
let server: Server;
let address: string;
let received: Received[];
let notes: string[];
/** The answer of the server: a status and JSON, or undefined to say nothing at all. */
let answer: (request: Received) => { status: number; json: unknown } | undefined;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "openfedllm-tracking-"));
  const config = { model: { base: "b" }, data: { template: "alpaca" }, training: { learningRate: 0.01 }, seed: 7 };
  writeFileSync(path.join(folder, "config.json"), JSON.stringify({ config }));
  received = [];
  notes = [];
  answer = () => ({ status: 200, json: {} });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const one = { method: request.method!, url: request.url!, headers: request.headers, body };
      received.push(one);
      const given = answer(one);
      if (given === undefined) return;
      response.writeHead(given.status, { "content-type": "application/json" }).end(JSON.stringify(given.json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

const roundEnd = (round: number, loss: number): RunEvent => ({
  type: "round-end",
  round,
  accepted: ["clinic"],
  refused: [],
  loss,
  adapter: "00",
  seconds: 2,
});
const ROUNDS: RunEvent[] = [
  { type: "round-start", round: 1, clients: ["clinic"], learningRate: 0.01, adapter: "00" },
  roundEnd(1, 3.5),
  { type: "round-start", round: 2, clients: ["clinic"], learningRate: 0.005, adapter: "00" },
  roundEnd(2, 3.25),
];
const END: RunEvent = { type: "run-end", rounds: 2, adapter: "00", seconds: 4 };

const secret = randomBytes(32);
const env = { OPENFEDLLM_WEBHOOK_SECRET: `whsec_${secret.toString("base64")}` };
const EVENTS = ["run-start", "round-end", "run-end"] as const;

/** One start of a run whose log holds `before`, and which then emits `events`. */
async function start(output: Parameters<typeof openTrackers>[0], before: readonly RunEvent[], events: RunEvent[]) {
  const trackers = await openTrackers(output, { folder, env, onNote: (note) => notes.push(note) });
  before.forEach((event) => trackers.take(event));
  trackers.begin();
  events.forEach((event) => trackers.take(event));
  await trackers.close();
}

describe("a webhook", () => {
  const output = () => ({ webhook: { url: `${address}/hook`, events: [...EVENTS] } });

  it("gets the named events in order, signed as Standard Webhooks says", async () => {
    await start(output(), [], [...ROUNDS, END]);
    expect(received.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
      "round-end",
      "round-end",
      "run-end",
    ]);
    for (const { headers, body } of received) {
      const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
      const expected = createHmac("sha256", secret).update(signed).digest("base64");
      expect(headers["webhook-signature"]).toBe(`v1,${expected}`);
    }
    expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
    expect(JSON.parse(received[0]!.body)).toMatchObject({
      data: { run: path.basename(folder), event: roundEnd(1, 3.5) },
    });
    expect(notes).toEqual([]);
  });

  it("goes on where it was, and does not tell twice what arrived", async () => {
    await start(output(), [], ROUNDS);
    await start(output(), ROUNDS, [END]);
    expect(received.map(({ headers }) => headers["webhook-id"])).toEqual(
      [0, 1, 2].map((n) => `${path.basename(folder)}-${n}`),
    );
  });

  it("that is down is told at the next start, under the same names", async () => {
    answer = () => ({ status: 503, json: { error: "down" } });
    await start(output(), [], ROUNDS);
    expect(notes[0]).toMatch(/^note: the webhook at http:\/\/127.0.0.1:\d+ does not answer \(HTTP 503, .*down/);
    expect(notes.at(-1)).toMatch(/^note: 2 messages did not reach the webhook/);
    received = [];
    answer = () => ({ status: 200, json: {} });
    await start(output(), ROUNDS, [END]);
    expect(received.map(({ headers }) => headers["webhook-id"])).toEqual(
      [0, 1, 2].map((n) => `${path.basename(folder)}-${n}`),
    );
  });

  it("that refuses is left alone, and no note holds the path of its address", async () => {
    answer = () => ({ status: 403, json: { error: "no" } });
    await start({ webhook: { url: `${address}/T0/secret-path`, events: [...EVENTS] } }, [], [...ROUNDS, END]);
    expect(received).toHaveLength(1);
    expect(notes).toEqual([expect.stringMatching(/refuses what is sent: HTTP 403.*The run goes on without it\.$/)]);
    expect(notes.join()).not.toContain("secret-path");
  });

  it("is not followed to another place", async () => {
    const elsewhere = received;
    answer = ({ url }) => (url === "/hook" ? { status: 307, json: {} } : { status: 200, json: {} });
    await start(output(), [], ROUNDS);
    expect(elsewhere.every(({ url }) => url === "/hook")).toBe(true);
  });
});

describe("MLflow", () => {
  const output = () => ({ mlflow: { uri: address, experiment: "desk" } });
  const calls = (): string[] => received.map(({ method, url }) => `${method} ${url.replace("/api/2.0/mlflow/", "")}`);
  const bodies = (what: string) =>
    received.filter(({ url }) => url.endsWith(what)).map(({ body }) => JSON.parse(body) as Record<string, unknown>);

  function playServer({ url }: Received) {
    if (url.includes("get-by-name")) return { status: 404, json: { error_code: "RESOURCE_DOES_NOT_EXIST" } };
    if (url.endsWith("experiments/create")) return { status: 200, json: { experiment_id: "5" } };
    if (url.endsWith("runs/create")) return { status: 200, json: { run: { info: { run_id: "abc" } } } };
    return { status: 200, json: {} };
  }

  it("gets an experiment, a run with its settings, every number, and its end", async () => {
    answer = playServer;
    await start(output(), [], [...ROUNDS, END]);
    expect(calls().slice(0, 4)).toEqual([
      "GET experiments/get-by-name?experiment_name=desk",
      "POST experiments/create",
      "POST runs/create",
      "POST runs/log-batch",
    ]);
    const [first, ...others] = bodies("runs/log-batch");
    expect(first).toEqual({
      run_id: "abc",
      params: [
        { key: "model.base", value: "b" },
        { key: "training.learningRate", value: "0.01" },
        { key: "seed", value: "7" },
      ],
    });
    const metrics = others.flatMap((body) => body["metrics"] as { key: string; value: number; step: number }[]);
    expect(metrics.filter(({ key }) => key === "train/loss").map(({ value, step }) => [step, value])).toEqual([
      [1, 3.5],
      [2, 3.25],
    ]);
    expect(bodies("runs/update").at(-1)).toMatchObject({ run_id: "abc", status: "FINISHED" });
    expect(notes).toEqual([]);
  });

  it("goes on with the run that it began, and sends each number once", async () => {
    answer = playServer;
    await start(output(), [], ROUNDS.slice(0, 2));
    expect(bodies("runs/update").at(-1)).toMatchObject({ status: "KILLED" });
    await start(output(), ROUNDS.slice(0, 2), [...ROUNDS.slice(2), END]);
    expect(calls().filter((call) => call === "POST runs/create")).toHaveLength(1);
    expect(bodies("runs/update").map(({ status }) => status)).toEqual(["KILLED", "RUNNING", "FINISHED"]);
    const metrics = bodies("runs/log-batch").flatMap(
      (body) => (body["metrics"] ?? []) as { key: string; step: number }[],
    );
    const names = metrics.map(({ key, step }) => `${key} ${step}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it("gets a name and a password from the environment, and leaves them nowhere", async () => {
    answer = playServer;
    const trackers = await openTrackers(output(), {
      folder,
      env: { MLFLOW_TRACKING_USERNAME: "ann", MLFLOW_TRACKING_PASSWORD: "pw" },
      onNote: (note) => notes.push(note),
    });
    trackers.begin();
    ROUNDS.forEach((event) => trackers.take(event));
    await trackers.close();
    const basic = `Basic ${Buffer.from("ann:pw").toString("base64")}`;
    expect(received.every(({ headers }) => headers.authorization === basic)).toBe(true);
  });
});

describe("a delivery", () => {
  const open = (send: (items: readonly number[], request: typeof fetch) => Promise<void>) =>
    Delivery.open<number>({
      to: "the place",
      file: path.join(folder, "arrived.json"),
      batch: 2,
      send,
      onNote: (note) => notes.push(note),
      waits: { requestMs: 50, closeMs: 300, firstPauseMs: 5 },
    });

  it("to a place that hangs ends by itself", async () => {
    answer = () => undefined;
    const delivery = await open(async (_items, request) => {
      await request(address);
    });
    delivery.begin();
    [1, 2, 3].forEach((item) => delivery.add(item));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await delivery.close()).toBe(false);
    expect(notes[0]).toBe(
      "note: the place does not answer (no answer in time). The run goes on; what is missing is sent later.",
    );
    expect(notes.at(-1)).toBe("note: 3 messages did not reach the place. Run the same command again to send them.");
  });

  it("keeps the order through failures, and says once that a place is down", async () => {
    const arrived: number[] = [];
    let failures = 3;
    const delivery = await open(async (items) => {
      if (failures-- > 0) throw new Error("busy");
      arrived.push(...items);
    });
    delivery.begin();
    [1, 2, 3, 4, 5].forEach((item) => delivery.add(item));
    while (arrived.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await delivery.close()).toBe(true);
    expect(arrived).toEqual([1, 2, 3, 4, 5]);
    expect(notes).toHaveLength(1);
  });

  it("stops at a refusal", async () => {
    let asked = 0;
    const delivery = await open(async () => {
      asked++;
      throw new RefusedError("HTTP 401");
    });
    delivery.begin();
    [1, 2, 3].forEach((item) => delivery.add(item));
    expect(await delivery.close()).toBe(false);
    expect(asked).toBe(1);
  });

  it("with a damaged memory sends all again", async () => {
    writeFileSync(path.join(folder, "arrived.json"), '{"arrived": -4}');
    const arrived: number[] = [];
    const delivery = await open(async (items) => void arrived.push(...items));
    delivery.begin();
    delivery.add(1);
    expect(await delivery.close()).toBe(true);
    expect(arrived).toEqual([1]);
  });
});

describe("what is missing is told before anything is loaded", () => {
  const parsed = (output: object) =>
    parseExperiment({ model: { base: "b" }, data: { clients: [{ name: "a", train: "a.jsonl" }] }, output }, "a.yaml")
      .output;

  it.each([
    [{ mlflow: {} }, {}, /output\.mlflow has no uri/],
    [{ mlflow: {} }, { MLFLOW_TRACKING_URI: "sqlite:///x.db" }, /no http/],
    [{ webhook: {} }, env, /output\.webhook has no url/],
    [{ webhook: { url: "https://a.example" } }, {}, /SECRET is not set/],
    [
      { webhook: { url: "https://a.example" } },
      { OPENFEDLLM_WEBHOOK_SECRET: "whsec_c2hvcnQ=" },
      /no secret of a webhook/,
    ],
  ])("%j", (output, environment, message) => {
    expect(() => checkTrackers(parsed(output), environment)).toThrow(message);
  });

  it("a password in an address is refused", () => {
    expect(() => parsed({ mlflow: { uri: "https://ann:pw@a.example" } })).toThrow(/holds no name and no password/);
  });

  it("nothing is asked of a run without trackers", () => {
    expect(() => checkTrackers(parsed({}), {})).not.toThrow();
  });
});
