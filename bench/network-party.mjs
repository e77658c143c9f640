// One party of bench/network.mjs, as a process of its own: the coordinator, or some of the participants. Nobody trains: a
// participant changes one number of each update, so that no two are the same.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { Socket } from "node:net";
import path from "node:path";

const dist = path.join(import.meta.dirname, "..", "dist");
const load = (file) => import(path.join(dist, file));

const sockets = new Set();
const connectOf = Reflect.get(Socket.prototype, "connect");
Socket.prototype.connect = function connecting(...given) {
  sockets.add(this);
  return Reflect.apply(connectOf, this, given);
};
const wireBytes = () => [...sockets].reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0);

const MIB = 1024 * 1024;
const tensor = (megabytes) => {
  const data = new Float32Array((megabytes * MIB) / 4);
  for (let i = 0; i < data.length; i++) data[i] = (i % 1021) / 1021;
  return { shape: [data.length], data };
};

/** An algorithm whose update is the tensor `sent` of an adapter that has another one beside it. */
function algorithmOf({ downMegabytes, upMegabytes }) {
  const sent = (adapter) => new Map([["sent", adapter.get("sent")]]);
  return {
    name: "fedavg",
    data: "apart",
    federated: true,
    localRule: () => ({}),
    report: ({ after }) => ({ update: { adapter: sent(after) }, memory: {} }),
    init: () => ({}),
    broadcast: () => ({}),
    update: (adapter) => ({ adapter: { like: sent(adapter), weighting: "records", combined: "mean" } }),
    apply: ({ global, state }, { adapter }) => {
      const data = Float32Array.from(adapter.get("sent").data);
      return { global: new Map([...global, ["sent", { shape: [data.length], data }]]), state };
    },
    initial: () =>
      new Map([
        ["sent", tensor(upMegabytes)],
        ...(downMegabytes > upMegabytes ? [["kept", tensor(downMegabytes - upMegabytes)]] : []),
      ]),
  };
}

const trainer = {
  async train({ adapter, round, client }) {
    const data = adapter.get("sent").data.slice();
    data[0] = round;
    data[1] = Number(client.slice(client.lastIndexOf("-") + 1));
    const after = new Map([...adapter, ["sent", { shape: [data.length], data }]]);
    const counts = { loss: 1, count: 1, metrics: {}, examples: 1, supervisedTokens: 1, seconds: 0 };
    return { before: adapter, after, steps: 1, learningRateSum: 1, ...counts };
  },
};
const events = { emit() {}, flush: async () => {} };
const software = "bench";

const statusOf = (pid) => readFileSync(`/proc/${pid}/status`, "utf8");
/** MB of memory that a process holds now, and held at most. */
function memoryOf(pid) {
  try {
    const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(statusOf(pid))[1]) / 1024;
    return { now: field("VmRSS"), peak: field("VmHWM") };
  } catch {
    return { now: 0, peak: 0 };
  }
}

/** Seconds of processor time that a process has used, in 100 ticks a second. */
function cpuOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** MB of the files in a folder whose path has this text. */
function megabytesIn(folder, text = "") {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.includes(text)) continue;
    try {
      bytes += statSync(path.join(folder, name)).size;
    } catch {
      // Deleted since.
    }
  }
  return bytes / MIB;
}

/** Messages of the parent, one at a time. */
function inbox() {
  const messages = [];
  let wake;
  process.on("message", (message) => {
    messages.push(message);
    wake?.();
  });
  return async () => {
    while (messages.length === 0) await new Promise((resolve) => (wake = resolve));
    return messages.shift();
  };
}
const next = inbox();
const tell = (message) => process.send(message);

async function coordinator({ mode, folder, port, run, clients, rounds, ...sizes }) {
  const { directoryStore } = await load("node/store/directory-store.js");
  const { coordinate } = await load("federation/coordinate.js");
  const { gatherRoster } = await load("federation/roster.js");
  const copy = directoryStore(path.join(folder, "run", "exchange"));
  const closers = [];
  let store = copy;
  let server = () => ({ now: 0, peak: 0, cpu: 0 });
  let diskOf = () => undefined;
  if (mode === "nats") {
    const { openFederation } = await load("node/federation/federation-folder.js");
    const { startHostedServer } = await load("node/federation/hosted-server.js");
    const { openHosting } = await load("node/federation/hosting.js");
    const { openAuditLog } = await load("node/federation/audit-log.js");
    const federation = await openFederation(path.join(folder, "federation"));
    const hosted = await startHostedServer(federation, { listener: { port } }, () => {});
    const audit = await openAuditLog(path.join(federation.folder, "audit.jsonl"));
    const uplinkBytes = 8e6 + 4 * sizes.upMegabytes * MIB;
    const facts = { federation, server: hosted, run, copy, audit, software, uplinkBytes, who: "bench" };
    const hosting = await openHosting({ ...facts, onNote: () => {} });
    store = hosting.exchange;
    closers.push(hosting.close, hosted.stop);
    const pid = Number(readFileSync(path.join(federation.folder, "server", "server.pid"), "utf8"));
    server = () => ({ ...memoryOf(pid), cpu: cpuOf(pid) });
    diskOf = () => ({
      blobs: megabytesIn(path.join(federation.folder, "server"), "FL_BLOBS"),
      server: megabytesIn(path.join(federation.folder, "server")),
      audit: statSync(path.join(federation.folder, "audit.jsonl")).size / MIB,
    });
  }
  tell({ ready: true });
  const members = await gatherRoster(store, clients);
  let since = performance.now();
  const algorithm = algorithmOf(sizes);
  await coordinate({
    store,
    algorithm,
    initialAdapter: algorithm.initial(),
    identity: "bench",
    seed: 1,
    rounds,
    members,
    clientsPerRound: clients.length,
    minClients: clients.length,
    learningRate: () => 1,
    evaluateEvery: 0,
    events,
    async onRound({ round, last }) {
      const seconds = (performance.now() - since) / 1000;
      const cpu = { coordinator: cpuOf(process.pid), server: server().cpu };
      tell({
        round,
        seconds,
        wire: wireBytes(),
        cpu,
        memory: memoryOf(process.pid),
        server: server(),
        disk: diskOf(),
      });
      if (!last) await next();
      since = performance.now();
    },
  });
  for (const close of closers) await close();
}

async function participants({ mode, folder, run, clients, invitations, atOnce, ...sizes }) {
  const { Participant } = await load("federation/participant.js");
  const { participate } = await load("federation/participate.js");
  const { PROTOCOL } = await load("federation/protocol/messages.js");
  const { Semaphore } = await load("concurrency/semaphore.js");
  const places = new Semaphore(atOnce);
  const exchangeOf = mode === "nats" ? await siteExchange(folder, run, invitations) : await sharedFolder(folder);
  const memory = { load: async () => ({}), save: async () => {} };
  const algorithm = algorithmOf(sizes);
  const parties = [];
  for (const client of clients) {
    const exchange = await exchangeOf(client);
    const own = new Participant({ store: exchange, client, algorithm, seed: 1, trainer, memory, events });
    await own.join({ protocol: PROTOCOL, records: 1, heldOut: 0, data: client });
    // Bounds the memory of a process that plays many.
    parties.push([exchange, { client, act: () => inPlace(places, () => own.act()) }]);
  }
  tell({ ready: true });
  void (async () => {
    for (;;) {
      await next();
      tell({ wire: wireBytes(), cpu: cpuOf(process.pid) });
    }
  })();
  await Promise.all(parties.map(([exchange, party]) => participate(exchange, [party])));
}

async function inPlace(places, work) {
  const leave = await places.acquire();
  try {
    return await work();
  } finally {
    leave();
  }
}

async function sharedFolder(folder) {
  const { directoryStore } = await load("node/store/directory-store.js");
  return async () => directoryStore(path.join(folder, "run", "exchange"));
}

async function siteExchange(folder, run, invitations) {
  const { enrol } = await load("node/federation/enrol.js");
  const { openMembership } = await load("node/federation/joining.js");
  const { openAuditLog } = await load("node/federation/audit-log.js");
  return async (client) => {
    const { signal } = new AbortController();
    const place = path.join(folder, "sites", client);
    const site = await enrol(invitations[client], place, { software });
    const membership = await openMembership(site, { onNote: () => {}, signal });
    return membership.exchange(run, await openAuditLog(path.join(place, "audit.jsonl")));
  };
}

process.on("SIGTERM", () => process.exit(0));
const { role, ...given } = await next();
await (role === "coordinator" ? coordinator(given) : participants(given));
tell({ over: true });
process.disconnect();
process.exit(0);
