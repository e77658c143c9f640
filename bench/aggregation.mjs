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
  const coordinator = await load("federation/coordinator.js");
  const { cells, createMessage } = await load("federation/messages.js");
  const { encodeGroups } = await load("store/codec.js");
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-aggregation-"));
  try {
    const exchange = directoryStore(folder);
    const algorithm = algorithmOf(name);
    const filled = (value) =>
      new Map([["lora_A.weight", { shape: [PARAMETERS], data: new Float32Array(PARAMETERS).fill(value) }]]);
    const { head } = await coordinator.openRun(exchange, algorithm, filled(0), "bench");
    const clients = Array.from({ length: count }, (_, i) => `client-${String(i).padStart(4, "0")}`);
    const opening = await coordinator.openRound(exchange, algorithm, head, clients, 1e-3);
    for (const [i, client] of clients.entries()) {
      const groups = name === "scaffold" ? { adapter: filled(i), control: filled(i) } : { adapter: filled(i) };
      const update = await exchange.putBlob(encodeGroups(groups, { client }));
      const submission = { client, base: opening.adapter, update, records: i + 1, loss: 1, count: 1 };
      await createMessage(exchange, cells.update(1, client), submission);
    }
    // What writing the updates took is not what is measured.
    global.gc();
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
    const delivery = await coordinator.receive(exchange, opening);
    const close = await coordinator.closeRound(
      exchange,
      await coordinator.decideRound(exchange, algorithm, opening, delivery),
    );
    await coordinator.aggregate(exchange, algorithm, head, close, count);
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
