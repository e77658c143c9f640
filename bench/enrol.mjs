// Enrols members of a federation, each with an account of its own on a real server: time, memory, and what a restart costs.
//
//   npm run bench:enrol -- --members 1000
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const dist = path.join(import.meta.dirname, "..", "dist");
const load = (file) => import(path.join(dist, file));

const { values: given } = parseArgs({
  options: {
    members: { type: "string", default: "1000" },
    /** Members that join at the same time. */
    together: { type: "string", default: "8" },
    /** Set in the coordinator's process: the folder. */
    host: { type: "string" },
    port: { type: "string" },
  },
});
const MEMBERS = Number(given.members);
/** Members in each timed part. */
const PART = Math.max(1, Math.floor(MEMBERS / 10));
const RUN = "bench";

const seconds = (since) => (performance.now() - since) / 1000;

/** The coordinator: a server and all that a host does for members. */
async function host(folder, port) {
  const { openFederation } = await load("node/federation/federation-folder.js");
  const { startHostedServer } = await load("node/federation/hosted-server.js");
  const { openHosting } = await load("node/federation/hosting.js");
  const { openAuditLog } = await load("node/federation/audit-log.js");
  const { directoryStore } = await load("node/store/directory-store.js");
  const federation = await openFederation(folder);
  const began = performance.now();
  const server = await startHostedServer(federation, { listener: { port } }, () => {});
  const serverSeconds = seconds(began);
  const hosting = await openHosting({
    federation,
    server,
    run: RUN,
    copy: directoryStore(path.join(folder, "..", "run")),
    audit: await openAuditLog(path.join(folder, "audit.jsonl")),
    software: "bench",
    uplinkBytes: 8e6,
    who: "bench",
    onNote: (note) => (/has joined/.test(note) ? undefined : console.error(note)),
  });
  process.send({ ready: true, serverSeconds, hostingSeconds: seconds(began) - serverSeconds });
  process.on("message", async () => {
    await hosting.close();
    await server.stop();
    process.disconnect();
  });
}

async function startHost(folder, port) {
  const child = fork(import.meta.filename, ["--host", folder, "--port", String(port)]);
  const ready = await new Promise((resolve, reject) => {
    child.on("message", resolve);
    child.on("exit", (code) => reject(new Error(`the coordinator ended with ${code}`)));
  });
  const pid = Number(readFileSync(path.join(folder, "server", "server.pid"), "utf8"));
  const stop = async () => {
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.send({});
    await ended;
  };
  return { ...ready, memory: () => [pid, child.pid].map(megabytes), cpu: () => [pid, child.pid].map(cpuOf), stop };
}

function megabytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** Seconds of processor time, in 100 ticks a second. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function inParallel(items, count, work) {
  const rest = [...items];
  const one = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, one));
}

const spread = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share) => `${(1000 * sorted[Math.floor(share * (sorted.length - 1))]).toFixed(0)} ms`;
  return `median ${at(0.5)}, at most ${at(1)}`;
};

async function measure() {
  const { freePort } = await load("node/free-port.js");
  const { initFederation } = await load("node/federation/federation-folder.js");
  const { inviteMember } = await load("node/federation/invite.js");
  const { enrol, siteConnection } = await load("node/federation/enrol.js");
  const { connectNats } = await load("node/federation/connect.js");
  const { openSite } = await load("node/federation/site-folder.js");
  const { readTask } = await load("net/task.js");
  const { findNatsServer } = await load("node/federation/nats-program.js");
  const { version } = await findNatsServer(process.env);
  console.log(
    `${cpus()[0].model}, ${cpus().length} threads, Node ${process.versions.node}, nats-server ${version.join(".")}; everything on this machine; load ${loadavg()[0].toFixed(1)}`,
  );
  const root = mkdtempSync(path.join(tmpdir(), "openfedllm-enrol-"));
  const folder = path.join(root, "federation");
  const port = await freePort();
  const names = Array.from({ length: MEMBERS }, (_, i) => `site-${String(i).padStart(4, "0")}`);
  const site = (name) => path.join(root, "sites", name);
  let hosting;
  try {
    const federation = await initFederation(folder, { name: "bench" });
    const invitations = new Map();
    const servers = [`nats://127.0.0.1:${port}`];
    for (let from = 0; from < MEMBERS; from += PART) {
      const began = performance.now();
      const part = names.slice(from, from + PART);
      for (const client of part) invitations.set(client, await inviteMember(federation, { client, servers, hours: 1 }));
      if (from === 0 || from + PART >= MEMBERS) {
        console.log(
          `invitations ${from + 1}–${from + part.length}: ${((1000 * seconds(began)) / part.length).toFixed(1)} ms each`,
        );
      }
    }
    hosting = await startHost(folder, port);
    const [empty] = hosting.memory();
    const all = performance.now();
    for (let from = 0; from < MEMBERS; from += PART) {
      const part = names.slice(from, from + PART);
      const [began, cpu] = [performance.now(), hosting.cpu()];
      await inParallel(part, Number(given.together), (name) =>
        enrol(invitations.get(name), site(name), { software: "bench" }),
      );
      const [server, coordinator] = hosting.cpu().map((now, i) => (1000 * (now - cpu[i])) / part.length);
      const [serverMemory, coordinatorMemory] = hosting.memory();
      console.log(
        `members ${from + 1}–${from + part.length}: ${((1000 * seconds(began)) / part.length).toFixed(0)} ms each; CPU: server ${server.toFixed(1)} ms, coordinator ${coordinator.toFixed(1)} ms; memory: server ${serverMemory.toFixed(0)} MB, coordinator ${coordinatorMemory.toFixed(0)} MB; load ${loadavg()[0].toFixed(1)}`,
      );
    }
    console.log(`all ${MEMBERS}: ${seconds(all).toFixed(0)} s; server ${empty.toFixed(0)} MB before`);
    const connect = async (name) => {
      const began = performance.now();
      const opened = await openSite(site(name));
      const connection = await connectNats(siteConnection(() => opened));
      if ((await readTask(connection, opened.record.federation))?.run !== RUN) throw new Error("no task");
      return { took: seconds(began), connection };
    };
    const tried = [];
    for (const name of names.slice(-20)) {
      const { took, connection } = await connect(name);
      tried.push(took);
      await connection.close();
    }
    console.log(`connection and task of a member: ${spread(tried)}`);
    const open = [];
    const began = performance.now();
    const [before, own] = [hosting.cpu(), process.cpuUsage()];
    await inParallel(names, 16, async (name) => open.push((await connect(name)).connection));
    const [server, coordinator] = hosting.cpu().map((now, i) => (1000 * (now - before[i])) / MEMBERS);
    const { user, system } = process.cpuUsage(own);
    const members = (user + system) / 1000 / MEMBERS;
    console.log(
      `all ${MEMBERS} connected: ${seconds(began).toFixed(1)} s; CPU each: server ${server.toFixed(1)} ms, coordinator ${coordinator.toFixed(1)} ms, members ${members.toFixed(1)} ms; server ${hosting.memory()[0].toFixed(0)} MB`,
    );
    await Promise.all(open.map((connection) => connection.close()));
    await hosting.stop();
    hosting = await startHost(folder, port);
    console.log(
      `restart with ${MEMBERS} members: server ${hosting.serverSeconds.toFixed(1)} s, accounts and streams ${hosting.hostingSeconds.toFixed(1)} s; server ${hosting.memory()[0].toFixed(0)} MB, load ${loadavg()[0].toFixed(1)}`,
    );
  } finally {
    await hosting?.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

if (given.host === undefined) await measure();
else await host(given.host, Number(given.port));
