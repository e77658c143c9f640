// Plays a federation over a cluster of three nats-servers and kills the leader in a round, with kill -9, each round another one.
// No acknowledged write may be lost, and the adapter has to be that of `openfedllm run`.
//
//   npm run test:cluster -- [RUNS=1]
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connectAs } from "../dist/node/federation/accounts.js";
import { findNatsServer, isAtLeast } from "../dist/node/federation/nats-program.js";
import { writeOperatorConfig } from "../dist/node/federation/operator-config.js";
import { freePort } from "../dist/node/free-port.js";
import { openRunFolder } from "../dist/node/run-folder.js";
import { writerSegment } from "../dist/store/store.js";
import {
  checkEnds,
  joinArgs,
  makeFederation,
  makeSource,
  SITES,
  startProcess,
} from "../test/support/real-federation.mjs";

const [runs = "1"] = process.argv.slice(2);
const program = await findNatsServer();
const { root, env, expected, remove } = await makeSource("cluster");
console.log(`undisturbed: ${expected}`);
const DEPLOY = path.join(import.meta.dirname, "../deploy/nats");

/** The configuration of deploy/, without certificates: all three servers are on this machine. */
function configOf(folder, name, { client, route, routes }) {
  const withoutTls = (text) => text.replaceAll(/^\s*tls \{[^}]*\}\n/gm, "").replaceAll(/^\s*#.*\n/gm, "");
  const own = path.join(folder, name);
  mkdirSync(own, { recursive: true });
  const listeners = withoutTls(readFileSync(path.join(DEPLOY, "listeners.conf"), "utf8"))
    .replaceAll(/^(websocket|leafnodes) \{[^}]*\}\n/gm, "")
    .replace('"operator.conf"', JSON.stringify("../federation/operator.conf"));
  writeFileSync(path.join(own, "listeners.conf"), listeners.replaceAll("/var/lib/nats", own));
  const cluster = withoutTls(readFileSync(path.join(DEPLOY, "cluster.conf"), "utf8"))
    .replaceAll("0.0.0.0", "127.0.0.1")
    .replace("port: 4222", `port: ${client}`)
    .replace("port: 6222", `port: ${route}`)
    .replace("$SERVER_NAME", name)
    .replace("$ROUTES", `[${routes.map((port) => `nats://127.0.0.1:${port}`).join(", ")}]`)
    .replace("200GB", "1GB")
    .replace("sync_interval: always", isAtLeast(program, 2, 10) ? "sync_interval: always" : "")
    .replaceAll("/var/lib/nats", own);
  const file = path.join(own, "cluster.conf");
  writeFileSync(file, `${cluster}\nlog_file: ${JSON.stringify(path.join(own, "server.log"))}\n`);
  return file;
}

async function play(folder) {
  mkdirSync(folder, { recursive: true });
  const names = ["nats-1", "nats-2", "nats-3"];
  const ports = await Promise.all(names.map(async () => ({ client: await freePort(), route: await freePort() })));
  const urls = ports.map(({ client }) => `nats://127.0.0.1:${client}`);
  const federation = await makeFederation(path.join(folder, "federation"), { serversOf: () => urls });
  await writeOperatorConfig(federation);
  const servers = new Map();
  const startServer = (name) => {
    servers.set(name, spawn(program.path, ["-c", path.join(folder, name, "cluster.conf")], { stdio: "ignore" }));
  };
  for (const [i, name] of names.entries()) {
    const routes = ports.filter((_, other) => other !== i).map(({ route }) => route);
    configOf(folder, name, { ...ports[i], routes });
    startServer(name);
  }
  const processes = [];
  const start = (name, args) => {
    const started = startProcess(folder, name, args.split(" "), { env });
    processes.push(started);
    return started;
  };
  let system;
  try {
    const nats = urls.map((url) => `--nats ${url}`).join(" ");
    const host = start("host", `host ../source/my.yaml --federation federation --out run --replicas 3 ${nats}`);
    const sites = SITES.map((site) => start(site, joinArgs(site)));
    await host.says("start: ");
    system = await connectAs(federation, "coordinator", { servers: urls });
    const manager = await jetstreamManager(system, { timeout: 20_000 });
    for (const text of ["evaluation before training", "round 1/2"]) {
      await host.says(text);
      const { cluster } = await manager.streams.info("FL_CELLS");
      const leader = cluster?.leader ?? names[0];
      const killed = servers.get(leader);
      killed.kill("SIGKILL");
      console.log(`${leader}, which led, was killed after: ${text}`);
      await sleep(4000);
      startServer(leader);
    }
    for (const [i, { ended }] of [host, ...sites].entries()) {
      const code = await ended;
      if (code !== 0)
        throw new Error(`${["host", ...SITES][i]} ended with exit code ${code}; see its log in ${folder}`);
    }
    checkEnds(folder, expected);
    // Each cell that the coordinator has a copy of is in its stream still.
    const copy = await openRunFolder(path.join(folder, "run"));
    const cells = await copy.exchange.list("");
    copy.close();
    const accounts = new Map((await federation.members()).map(({ name, account }) => [name, account]));
    for (const cell of cells) {
      const account = accounts.get(writerSegment(cell) ?? "");
      const [stream, place] =
        account === undefined ? ["FL_CELLS", "fl.all.r.run.c"] : [`UP_${account}`, `fl.u.${account}.r.run.c`];
      const subject = `${place}.${cell.replaceAll("/", ".")}`;
      const found = await manager.streams.getMessage(stream, { last_by_subj: subject }).catch(() => null);
      if (found === null) throw new Error(`the acknowledged cell ${cell} is lost`);
    }
    console.log(`the same adapter; all ${cells.length} acknowledged cells are there`);
  } finally {
    await system?.close();
    for (const { child } of processes) child.kill("SIGKILL");
    for (const server of servers.values()) server.kill("SIGKILL");
  }
}

for (let run = 1; run <= Number(runs); run++) await play(path.join(root, `play-${run}`));
remove();
