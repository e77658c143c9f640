// Peak memory of closing and aggregating a round of 10 and of 1,000 updates that lie in an exchange on disk, for an
// algorithm without state and for the two with the largest (SCAFFOLD's second payload, FedAdam's moments).
//
//   npm run bench:aggregation
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const dist = path.join(import.meta.dirname, "..", "dist");
const load = (file) => import(path.join(dist, file));

/** LoRA r=8 on all linear layers of MiniMind2-Small, about. */
const PARAMETERS = 600_000;
const MB = (PARAMETERS * 4) / 1e6;

async function aggregateOnce(name, count) {
  const { algorithmOf } = await load("algorithms/registry.js");
  const { directoryStore } = await load("node/store/directory-store.js");
  const rounds = { ...(await load("federation/round.js")), ...(await load("federation/decision.js")) };
  const { createMessage, readHead } = await load("federation/protocol/cells.js");
  const { keys } = await load("federation/protocol/keys.js");
  const { submission } = await load("federation/protocol/messages.js");
  const { encodeGroups } = await load("store/codec.js");
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-aggregation-"));
  try {
    const exchange = directoryStore(folder);
    const algorithm = algorithmOf(name);
    const filled = (value) =>
      new Map([["lora_A.weight", { shape: [PARAMETERS], data: new Float32Array(PARAMETERS).fill(value) }]]);
    await rounds.beginRun(exchange, algorithm, filled(0), "bench");
    const { head } = await readHead(exchange);
    const clients = Array.from({ length: count }, (_, i) => `client-${String(i).padStart(4, "0")}`);
    const members = clients.map((client, i) => ({ protocol: 1, client, records: i + 1, heldOut: 0, data: "" }));
    const task = { clients, earlierRounds: clients.map(() => 0), learningRate: 1e-3 };
    const opening = await rounds.openRound(exchange, algorithm, head, task);
    const training = { loss: 1, count: 1, metrics: {}, steps: 1, examples: 1, supervisedTokens: 1, seconds: 1 };
    for (const [i, client] of clients.entries()) {
      const groups = name === "scaffold" ? { adapter: filled(i), control: filled(i) } : { adapter: filled(i) };
      const update = await exchange.putBlob(encodeGroups(groups, { client }));
      const message = { client, base: opening.adapter, update, ...training, bytesDown: 0, bytesUp: 0 };
      await createMessage(exchange, keys.update(1, client), submission, message);
    }
    // The memory of writing the updates is not measured.
    global.gc();
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
    const decision = await rounds.decideRound(exchange, algorithm, opening, members);
    const close = await rounds.closeRound(exchange, decision);
    await rounds.aggregate(exchange, algorithm, head, close, count, { seed: 1 });
    clearInterval(timer);
    console.log(JSON.stringify({ before, peak }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [name, count] = process.argv.slice(2);
if (name !== undefined) await aggregateOnce(name, Number(count));
else {
  console.log(`updates of ${PARAMETERS.toLocaleString("en-US")} parameters, ${MB.toFixed(1)} MB a payload`);
  for (const algorithm of ["fedavg", "fedadam", "scaffold"]) {
    const grown = [10, 1000].map((updates) => {
      const args = ["--expose-gc", import.meta.filename, algorithm, String(updates)];
      const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
      const { before, peak } = JSON.parse(stdout);
      return (peak - before) / 1e6;
    });
    console.log(
      `${algorithm.padEnd(9)} memory added by the round: ${grown[0].toFixed(0)} MB with 10 updates, ${grown[1].toFixed(0)} MB with 1,000`,
    );
  }
}
