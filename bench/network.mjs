// Rounds over a NATS server and over a shared folder, in turn: time, bytes on the wire, memory. Nobody trains.
//
//   npm run bench:network -- --participants 4,50,200 --megabytes 2,10,50 --rounds 3
//   npm run bench:network -- --participants 200 --megabytes 10:5 --no-folder
//   npm run bench:network -- --participants 4 --megabytes 10:5 --course 5,25,50    what grows with the rounds, over NATS
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
    folder: { type: "boolean", default: true },
    /** Rounds to look at. */
    course: { type: "string" },
    json: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const numbers = (text) => text.split(",").map(Number);
const COUNTS = given.quick ? [4] : numbers(given.participants);
const SIZES = (given.quick ? "2,10" : given.megabytes).split(",").map((size) => {
  const [down, up = down] = size.split(":").map(Number);
  return { downMegabytes: down, upMegabytes: up };
});
const COURSE = given.course === undefined ? undefined : numbers(given.course);
const ROUNDS = COURSE?.at(-1) ?? (given.quick ? 2 : Number(given.rounds));

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
    const host = start({ role: "coordinator", port, clients, rounds: COURSE === undefined ? ROUNDS + 1 : ROUNDS });
    await Promise.race([host.next("ready"), failure]);
    const processes = Math.min(PROCESSES, count);
    const sites = Array.from({ length: processes }, (_, at) => {
      const own = clients.filter((_client, i) => i % processes === at);
      const atOnce = Math.max(1, Math.floor(ADAPTERS_AT_ONCE / sizes.downMegabytes));
      const theirs = Object.fromEntries(own.map((client) => [client, invitations[client]]));
      return start({ role: "participants", clients: own, invitations: theirs, atOnce });
    });
    const countOfSites = async () => {
      for (const site of sites) site.send({});
      const answers = await Promise.all(sites.map((site) => site.next("wire")));
      const sum = (field) => answers.reduce((total, answer) => total + answer[field], 0);
      return { wire: sum("wire"), cpu: sum("cpu") };
    };
    /** Waits for the end of the round that is on its way. */
    const roundEnd = async () => {
      const round = await Promise.race([host.next("round"), failure]);
      const { wire, cpu: sites } = await countOfSites();
      return { ...round, wire: round.wire + wire, cpu: { ...round.cpu, sites } };
    };
    // The first round also connects.
    let before = await roundEnd();
    const cpuSince = (after) =>
      Object.fromEntries(Object.entries(after.cpu).map(([who, seconds]) => [who, seconds - before.cpu[who]]));
    return {
      first: before,
      async round() {
        host.send({});
        const after = await roundEnd();
        const figures = { ...after, wire: after.wire - before.wire, cpu: cpuSince(after) };
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
    const folder = given.folder ? await startRun("folder", count, sizes) : undefined;
    try {
      const rounds = { nats: [], folder: [] };
      for (let i = 0; i < ROUNDS; i++) {
        rounds.nats.push(await nats.round());
        if (folder !== undefined) rounds.folder.push(await folder.round());
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
        ...(folder !== undefined && {
          folder: median(seconds("folder")),
          ratio: median(seconds("nats").map((value, i) => value / rounds.folder[i].seconds)),
          folderPeak: rounds.folder.at(-1).memory.peak,
        }),
        cpu: Object.fromEntries(
          ["server", "coordinator", "sites"].map((who) => [who, median(rounds.nats.map(({ cpu }) => cpu[who]))]),
        ),
        wire: median(rounds.nats.map(({ wire }) => wire / needed)),
        serverPeak: last.server.peak,
        coordinatorPeak: last.memory.peak,
        load: [Math.min(...loads), Math.max(...loads)],
      };
    } finally {
      folder?.end();
    }
  } finally {
    nats.end();
  }
}

/** What grows with the rounds, over NATS. */
async function course(count, sizes) {
  const run = await startRun("nats", count, sizes);
  try {
    for (let round = 1, found = run.first; ; round++) {
      if (COURSE.includes(round)) courseLine(count, sizes, found);
      if (round === ROUNDS) return;
      found = await run.round();
    }
  } finally {
    run.end();
  }
}

function courseLine(count, { downMegabytes: down, upMegabytes: up }, { round, disk, server, memory }) {
  if (given.json) console.log(JSON.stringify({ round, disk, server, memory }));
  const megabytes = (value) => value.toFixed(0).padStart(12);
  const columns = [String(count).padStart(12), `${down}, ${up}`.padStart(14), String(round).padStart(9)];
  const held = [disk.blobs, disk.server, disk.audit, server.now, server.peak, memory.now, memory.peak];
  console.log([...columns, ...held.map(megabytes), loadavg()[0].toFixed(1).padStart(8)].join(" "));
}

const { findNatsServer } = await load("node/federation/nats-program.js");
const { version } = await findNatsServer(process.env);
console.log(
  `${cpus()[0].model}, ${cpus().length} threads, Node ${process.versions.node}, nats-server ${version.join(".")}; everything on this machine, ${ROUNDS} rounds a line after one to warm up`,
);
console.log("");
const dash = (value, digits) => (value === undefined ? "–" : value.toFixed(digits));
function roundLine(found) {
  if (given.json) console.log(JSON.stringify(found));
  const { down, up, nats, folder, ratio, cpu, wire, serverPeak, coordinatorPeak, folderPeak } = found;
  const columns = [
    String(found.participants).padStart(12),
    `${down}, ${up}`.padStart(14),
    nats.toFixed(2).padStart(18),
    dash(folder, 2).padStart(8),
    dash(ratio, 1).padStart(7),
    [cpu.server, cpu.coordinator, cpu.sites]
      .map((value) => value.toFixed(1))
      .join(" + ")
      .padStart(26),
    wire.toFixed(3).padStart(14),
    serverPeak.toFixed(0).padStart(18),
    coordinatorPeak.toFixed(0).padStart(13),
    dash(folderPeak, 0).padStart(11),
    found.load
      .map((value) => value.toFixed(1))
      .join("–")
      .padStart(11),
  ];
  console.log(columns.join(" "));
}
console.log(
  COURSE === undefined
    ? "participants    MB down, up    s a round: NATS   folder   ratio    CPU s: server, coord., all    wire/needed    peak MB: server   coordinator   (folder)    load"
    : "participants    MB down, up     round     MB: blobs  server disk    audit log    server RSS       (peak)  coordinator       (peak)     load",
);
for (const count of COUNTS) {
  for (const sizes of SIZES) {
    if (COURSE === undefined) roundLine(await compare(count, sizes));
    else await course(count, sizes);
  }
}
