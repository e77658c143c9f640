import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { cliIn, eventsOf, killedAfterEvents, startRun } from "./support/cli.ts";
import { adapterHash } from "./support/experiment.ts";
import { curvesOf } from "./support/tensorboard.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-bytes-"));
const env = { ...process.env, NO_COLOR: "1", OPENFEDLLM_CACHE: path.join(folder, "cache") };
const cli = cliIn(folder, env);
const CLIENTS = ["apples", "bolts", "candles"];

function write(name: string, federation: object): string {
  const config = {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, targets: "all-linear" },
    data: {
      maxLength: 128,
      clients: CLIENTS.map((client) => ({ name: client, train: `${client}.jsonl` })),
      heldOut: "apples.heldout.jsonl",
    },
    training: { batchSize: 4, localSteps: 2, learningRate: 1e-2 },
    federation: { rounds: 4, ...federation },
    output: { tensorboard: true },
    runtime: { threads: 1 },
  };
  writeFileSync(path.join(folder, `${name}.yaml`), stringify(config));
  return `${name}.yaml`;
}

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  for (const name of CLIENTS) writeTinyData(path.join(folder, `${name}.jsonl`), name, 12);
  writeTinyData(path.join(folder, "apples.heldout.jsonl"), "apples spare", 4);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Totals {
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly ledger: Record<string, number>;
}

describe("a run with packed updates and a downlink", () => {
  const both = { stages: [{ name: "int4" }], downlink: { name: "int4" } };
  const metrics = (name: string) =>
    JSON.parse(readFileSync(path.join(folder, "runs", name, "metrics.json"), "utf8")) as { totals: Totals };

  it("keeps a ledger of its bytes in metrics.json, the report, the page, TensorBoard and the plan", () => {
    const plain = cli("run", write("plain", {}));
    expect(plain.stderr).not.toContain("error");
    const ran = cli("run", write("packed", both));
    expect(ran.stderr).not.toContain("error");
    const [before, { totals }] = [metrics("plain").totals, metrics("packed")];
    expect(before).not.toHaveProperty("ledger");
    const { bytesUp, bytesDown, ledger } = totals;
    // In float32 they are what the plain run sent, to the byte.
    expect([ledger["upFloat32"], ledger["downFloat32"]]).toEqual([before.bytesUp, before.bytesDown]);
    // Format, round, the length of a name and the name, of each update.
    const headers = CLIENTS.reduce((sum, name) => sum + 4 * (3 + name.length), 0);
    expect(ledger["headers"]).toBe(headers);
    // The tiny model's rows are short, so scales take a larger part than in a real one.
    expect(bytesUp).toBeLessThan(0.25 * before.bytesUp);
    expect(bytesDown).toBeLessThan(0.25 * before.bytesDown);
    const share = `${((100 * (bytesUp + bytesDown)) / (before.bytesUp + before.bytesDown)).toFixed(1)}% of float32`;
    expect(ran.stdout.replaceAll(/\s+/g, " ")).toContain(share);
    expect(plain.stdout).not.toContain("of float32");

    const page = readFileSync(path.join(folder, "runs", "packed", "report.html"), "utf8");
    expect(page).toContain("% of float32)");
    expect(page).toContain("bytes by kind");
    expect(page).toContain("Bytes by round");
    expect(readFileSync(path.join(folder, "runs", "plain", "report.html"), "utf8")).not.toContain("bytes by kind");

    const curves = curvesOf(path.join(folder, "runs", "packed"));
    const sum = (tag: string): number => curves.get(tag)!.reduce((total, { value }) => total + value, 0);
    expect(sum("bytes/upFloat32")).toBe(ledger["upFloat32"]);
    expect(sum("bytes/headers")).toBe(headers);
    expect(curvesOf(path.join(folder, "runs", "plain")).has("bytes/headers")).toBe(false);

    const compared = cli("compare", "runs/plain", "runs/packed");
    expect(compared.stdout).toMatch(/of float32/);
    const planned = JSON.parse(cli("plan", "packed.yaml", "--no-measure", "--json").stdout) as {
      traffic: { up: number; down: number };
    };
    // The names of clients are not in the plan, and the first adapter is not sent.
    expect(Math.abs(planned.traffic.up * 12 - bytesUp)).toBeLessThan(12 * 8);
    expect(planned.traffic.down * 9).toBe(bytesDown);
  });

  it("ends with the same bytes and events wherever it is killed", async () => {
    const file = write("killed", {
      ...both,
      stages: [
        { name: "clip", maxNorm: 1 },
        { name: "topk", share: 0.1 },
      ],
    });
    expect(cli("run", file, "--out", "undisturbed").status).toBe(0);
    let kills = 0;
    for (const events of [12, 20, 30]) {
      if (await killedAfterEvents(startRun(folder, env, file, "--out", "killed"), events)) kills++;
    }
    expect(kills).toBeGreaterThan(1);
    expect(cli("run", file, "--out", "killed").status).toBe(0);
    expect(adapterHash(path.join(folder, "killed"), "adapter")).toBe(
      adapterHash(path.join(folder, "undisturbed"), "adapter"),
    );
    expect(eventsOf(path.join(folder, "killed"))).toEqual(eventsOf(path.join(folder, "undisturbed")));
  }, 180_000);

  it("is refused where settings exclude each other, before anything is trained", () => {
    const refused = cli("run", write("late", { ...both, mode: "async", bufferSize: 2 }));
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("federation.downlink and federation.mode async exclude each other");
    const misplaced = cli("run", write("order", { stages: [{ name: "int4" }, { name: "clip", maxNorm: 1 }] }));
    expect(misplaced.stderr).toContain("federation.stages[0] is int4, which makes the bytes that are sent");
  });
});
