// Rounds over a NATS server and over a shared folder, in turn: time, bytes on the wire, memory. Nobody trains.
//
//   npm run bench:network -- --participants 4,50,200 --megabytes 2,10,50 --rounds 3
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const dist = path.join(import.meta.dirname, "..", "dist");
const load = (file) => import(path.join(dist, file));

const { values: given } = parseArgs({
  options: {
    participants: { type: "string", default: "4,50,200" },
    /** Of an adapter, and of an update: `10`, or `10:5` where an update is smaller. */
    megabytes: { type: "string", default: "2,10,50" },
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const numbers = (text) => text.split(",").map(Number);
const COUNTS = given.quick ? [4] : numbers(given.participants);
const SIZES = (given.quick ? "2,10" : given.megabytes).split(",").map((size) => {
  const [down, up = down] = size.split(":").map(Number);
  return { downMegabytes: down, upMegabytes: up };
});
const ROUNDS = given.quick ? 2 : Number(given.rounds);

/** Processes that play the participants. */
const PROCESSES = 4;
/** MB of adapters that a process of participants has at once; so with large ones not all of them work at the same time. */
const ADAPTERS_AT_ONCE = 600;
const MIB = 1024 * 1024;

/** A process of one party; `next` waits for a message that has the field. */
function startParty(options, onEnd) {
  const child = fork(path.join(import.meta.dirname, "network-party.mjs"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const messages = [];
  let wake = () => {};
  let isOver = false;
  child.on("message", (message) => {
    isOver ||= message.over === true;
    messages.push(message);
    wake();
  });
  child.on("exit", (code) => {
    if (!isOver) onEnd(new Error(`a process ended with ${code}`));
  });
  child.send(options);
  return {
    child,
    send: (message) => child.send(message),
    async next(field) {
      for (;;) {
        const at = messages.findIndex((message) => Object.hasOwn(message, field));
        if (at >= 0) return messages.splice(at, 1)[0];
        await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}

/** A run over one kind of exchange, whose rounds begin when they are asked for. */
async function startRun(mode, count, sizes) {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-network-"));
  const clients = Array.from({ length: count }, (_, i) => `site-${i}`);
  const parties = [];
  let fail;
  const failure = new Promise((_, reject) => (fail = reject));
  failure.catch(() => {});
  const start = (options) => {
    const party = startParty({ mode, folder, run: "bench", ...sizes, ...options }, fail);
    parties.push(party);
    return party;
  };
  const end = () => {
    for (const { child } of parties) child.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const invitations = {};
    const port = mode === "nats" ? await (await load("node/free-port.js")).freePort() : 0;
    if (mode === "nats") {
      const { initFederation } = await load("node/federation/federation-folder.js");
      const { inviteMember } = await load("node/federation/invite.js");
      const federation = await initFederation(path.join(folder, "federation"), { name: "bench" });
      for (const client of clients) {
        const servers = [`nats://127.0.0.1:${port}`];
        invitations[client] = await inviteMember(federation, { client, servers, hours: 1 });
      }
    }
    const host = start({ role: "coordinator", port, clients, rounds: ROUNDS + 1 });
    await Promise.race([host.next("ready"), failure]);
    const processes = Math.min(PROCESSES, count);
    const sites = Array.from({ length: processes }, (_, at) => {
      const own = clients.filter((_client, i) => i % processes === at);
      const atOnce = Math.max(1, Math.floor(ADAPTERS_AT_ONCE / sizes.downMegabytes));
      const theirs = Object.fromEntries(own.map((client) => [client, invitations[client]]));
      return start({ role: "participants", clients: own, invitations: theirs, atOnce });
    });
    const wireOfSites = async () => {
      for (const site of sites) site.send({});
      const answers = await Promise.all(sites.map((site) => site.next("wire")));
      return answers.reduce((sum, { wire }) => sum + wire, 0);
    };
    /** Waits for the end of the round that is on its way. */
    const roundEnd = async () => {
      const round = await Promise.race([host.next("round"), failure]);
      return { ...round, wire: round.wire + (await wireOfSites()) };
    };
    // The first round also connects.
    let before = await roundEnd();
    return {
      async round() {
        host.send({});
        const after = await roundEnd();
        const figures = { ...after, wire: after.wire - before.wire };
        before = after;
        return figures;
      },
      end,
    };
  } catch (error) {
    end();
    throw error;
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Plays rounds over both kinds of exchange in turn. */
async function compare(count, sizes) {
  const { downMegabytes: down, upMegabytes: up } = sizes;
  const loads = [loadavg()[0]];
  const nats = await startRun("nats", count, sizes);
  try {
    const folder = await startRun("folder", count, sizes);
    try {
      const rounds = { nats: [], folder: [] };
      for (let i = 0; i < ROUNDS; i++) {
        rounds.nats.push(await nats.round());
        rounds.folder.push(await folder.round());
        loads.push(loadavg()[0]);
      }
      // An adapter to the server and on to each participant, an update to the server and on to the coordinator.
      const needed = (down + count * (down + 2 * up)) * MIB;
      const seconds = (side) => rounds[side].map((round) => round.seconds);
      const last = rounds.nats.at(-1);
      return {
        participants: count,
        down,
        up,
        nats: median(seconds("nats")),
        folder: median(seconds("folder")),
        ratio: median(seconds("nats").map((value, i) => value / rounds.folder[i].seconds)),
        wire: median(rounds.nats.map(({ wire }) => wire / needed)),
        serverPeak: last.server.peak,
        coordinatorPeak: last.memory.peak,
        folderPeak: rounds.folder.at(-1).memory.peak,
        load: [Math.min(...loads), Math.max(...loads)],
      };
    } finally {
      folder.end();
    }
  } finally {
    nats.end();
  }
}

const { findNatsServer } = await load("node/federation/nats-program.js");
const { version } = await findNatsServer(process.env);
console.log(
  `${cpus()[0].model}, ${cpus().length} threads, Node ${process.versions.node}, nats-server ${version.join(".")}; everything on this machine, ${ROUNDS} rounds a line after one to warm up`,
);
console.log("");
console.log(
  "participants    MB down, up    s a round: NATS   folder   ratio    wire/needed    peak MB: server   coordinator   (folder)    load",
);
for (const count of COUNTS) {
  for (const sizes of SIZES) {
    const found = await compare(count, sizes);
    if (given.json) console.log(JSON.stringify(found));
    const { down, up, nats, folder, ratio, wire, serverPeak, coordinatorPeak, folderPeak } = found;
    const columns = [
      String(count).padStart(12),
      `${down}, ${up}`.padStart(14),
      nats.toFixed(2).padStart(18),
      folder.toFixed(2).padStart(8),
      ratio.toFixed(1).padStart(7),
      wire.toFixed(3).padStart(14),
      serverPeak.toFixed(0).padStart(18),
      coordinatorPeak.toFixed(0).padStart(13),
      folderPeak.toFixed(0).padStart(11),
      found.load
        .map((value) => value.toFixed(1))
        .join("–")
        .padStart(11),
    ];
    console.log(columns.join(" "));
  }
}
