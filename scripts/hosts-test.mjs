// Plays federations whose coordinator and members are on machines of their own, network namespaces with a router between them.
// The adapter has to be that of `openfedllm run`.
//
//   npm run test:hosts -- [NAME…]     loss, outages, proxy, nat; default: all
//
// Needs root, iproute2, nftables, openssl, nats-server, and python3 for loss. It changes nothing outside its own namespaces.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runnerImport } from "vite";
import { findNatsServer } from "../dist/node/federation/nats-program.js";
import { makeNetwork, removeLeftovers, whyNoNetwork } from "../test/support/network.mjs";
import {
  checkEnds,
  joinArgs,
  makeFederation,
  makeSource,
  SITES,
  startProcess,
} from "../test/support/real-federation.mjs";

const program = await findNatsServer().catch(() => undefined);
const why =
  whyNoNetwork() ??
  (spawnSync("openssl", ["version"]).error === undefined ? undefined : "the program openssl is missing") ??
  (program === undefined ? "the program nats-server is missing" : undefined);
if (why !== undefined) {
  console.error(`npm run test:hosts cannot run here: ${why}`);
  process.exit(1);
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
removeLeftovers();

/** A federation that takes longer than this hangs. */
const LONGEST_MS = 1_200_000;
/** Bytes on the line for each byte of an update: headers, and the chunk that was on its way at each break. */
const MOST_SENT = 1.2;
const CONNECT_PROXY = path.join(import.meta.dirname, "../test/support/connect-proxy.mjs");
const [first, second] = SITES;

/** Settings, and options of the tiny model: adapters and updates of 2 MB and of 10 MB. */
const MIDDLE = [withRank(48, 2), { hiddenSize: 512 }];
const LARGE = [withRank(240, 1), { hiddenSize: 512 }];

function withRank(rank, rounds) {
  return { adapter: { rank, targets: "all-linear" }, federation: { algorithm: "fedavg", rounds } };
}

const SCENARIOS = {
  loss: {
    title: "50 ms and 2% loss",
    source: MIDDLE,
    setUp: (network) => network.delay({ milliseconds: 25, lossPercent: 2 }),
    async during({ network }) {
      const milliseconds = network.reach(first, "hub", 4222);
      expectThat(milliseconds > 45, `a connection takes ${milliseconds} ms`);
      return () => `a connection takes ${milliseconds.toFixed(0)} ms, ${network.dropped()} packets were lost`;
    },
  },
  outages: {
    title: "1 Mbit/s with two outages of 30 s",
    source: LARGE,
    setUp: (network) => network.limit(first, { megabits: 1 }),
    async during({ network, uploadOf }) {
      const payload = await uploadOf(first);
      const before = network.traffic(first).sent;
      const sent = () => network.traffic(first).sent - before;
      const began = performance.now();
      for (const [part, cut, mend] of [
        // A router that drops everything, then a line that is down.
        [
          0.25,
          () => network.nft(...["iifname", "oifname"].map((side) => `add rule ip r outage ${side} ${first} drop`)),
          () => network.nft("flush chain ip r outage"),
        ],
        [
          0.6,
          () => network.ip("router", `link set dev ${first} down`),
          () => network.ip("router", `link set ${first} up`),
        ],
      ]) {
        while (sent() < part * payload) await sleep(100);
        cut();
        await sleep(30_000);
        mend();
      }
      while (sent() < payload) await sleep(100);
      const seconds = (performance.now() - began) / 1000;
      return () => {
        const factor = sent() / payload;
        if (factor > MOST_SENT) throw new Error(`${first} sent its update ${factor.toFixed(2)} times`);
        return `${megabytes(payload)} went up in ${seconds.toFixed(0)} s, ${factor.toFixed(2)} times their bytes`;
      };
    },
  },
  proxy: {
    title: "a site that reaches a CONNECT proxy only",
    source: MIDDLE,
    hosts: ["proxy"],
    servers: { [first]: "wss://hub.test" },
    env: { [first]: { HTTPS_PROXY: "http://proxy.test:3128" } },
    setUp(network) {
      network.knows(first, ["proxy"]);
      network.nft(
        `add rule ip r rules iifname ${first} oifname != proxy counter drop`,
        `add rule ip r rules oifname ${first} iifname != proxy counter drop`,
      );
    },
    async during({ network, proxy }) {
      for (const port of [443, 4222]) {
        expectThat(network.reach(first, "hub", port) === undefined, `${first} reaches the server at port ${port}`);
      }
      expectThat(network.reach(second, "hub", 443) !== undefined, `${second} does not reach the server`);
      return () => `${proxy.words().match(/^CONNECT hub\.test:443$/gm).length} tunnels`;
    },
  },
  nat: {
    title: "NATed sites",
    source: MIDDLE,
    setUp(network) {
      network.ip("hub", "route del default");
      network.nft(
        "add chain ip r nat { type nat hook postrouting priority 100; }",
        "add rule ip r nat oifname hub masquerade",
        "add rule ip r rules iifname hub ct state new counter drop",
      );
    },
    async during({ network }) {
      expectThat(network.reach("hub", first, 22) === undefined, `the server's machine reaches ${first}`);
      const peers = new Set(network.peers("hub", 4222));
      expectThat(peers.size === 1 && peers.has(network.gateway("hub")), `the server sees ${[...peers].join(", ")}`);
      return () => `the server sees ${[...peers].join(", ")} only`;
    },
  },
};

/** @throws Error where the network is not what a scenario says. */
function expectThat(holds, otherwise) {
  if (!holds) throw new Error(`the network is another than meant: ${otherwise}`);
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

const sources = new Map();
/** The source of a scenario, with its undisturbed run. */
async function sourceOf([settings, model]) {
  const key = JSON.stringify([settings, model]);
  if (!sources.has(key)) sources.set(key, await makeSource("hosts", settings, model));
  return sources.get(key);
}
let isGood = true;
process.on("exit", () => {
  if (isGood) for (const { remove } of sources.values()) remove();
});

/** Entries of a site's audit log. */
function auditOf(folder, site) {
  const file = path.join(folder, site, "audit.jsonl");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line));
}

/** Bytes of the blobs that a site sent and received, once each. */
function payloadOf(folder, site) {
  const sum = (what) =>
    auditOf(folder, site).reduce(
      (bytes, entry) => bytes + (entry.what === what && entry.blob !== undefined ? entry.bytes : 0),
      0,
    );
  return { sent: sum("sent"), received: sum("received") };
}

/** This machine does not do what a scenario asks of its network. */
class CannotPlay extends Error {}

/** Plays a scenario. Returns its line. @throws CannotPlay; Error where it does not end as it should. */
async function play({ title, hosts = [], servers = {}, env = {}, setUp, during }, folder, { expected, ...made }) {
  mkdirSync(folder, { recursive: true });
  const { module: certificates } = await runnerImport(
    path.join(import.meta.dirname, "../test/support/certificates.ts"),
  );
  const { ca, files } = certificates.makeCertificates(folder, "hub.test");
  const network = makeNetwork(["hub", ...SITES, ...hosts]);
  const processes = [];
  const began = performance.now();
  try {
    try {
      await setUp(network);
    } catch (error) {
      throw new CannotPlay(error.message);
    }
    await makeFederation(path.join(folder, "federation"), {
      serversOf: (site) => [servers[site] ?? "tls://hub.test:4222"],
      ca,
    });
    const start = (name, args, { machine = name, ...options } = {}) => {
      const own = { ...made.env, ...env[name] };
      const started = startProcess(folder, name, args.split(" "), {
        env: own,
        before: network.on(machine),
        ...options,
      });
      processes.push(started);
      return started;
    };
    const proxy = hosts.includes("proxy") ? start("proxy", "3128 hub.test:443", { script: CONNECT_PROXY }) : undefined;
    await proxy?.says("ready");
    const tls = `--tls-cert ${files.certificate} --tls-key ${files.key} --allow-outdated-server`;
    const listeners = `--listen 0.0.0.0:4222 --websocket 0.0.0.0:443 ${tls}`;
    const host = start("host", `host ../source/my.yaml --federation federation --out run ${listeners}`, {
      machine: "hub",
    });
    const members = SITES.map((site) => start(site, joinArgs(site)));
    const running = [host, ...members];
    /** The bytes of a site's update, once it begins to send it. */
    const uploadOf = async (site) => {
      for (;;) {
        const blob = auditOf(folder, site).find((entry) => entry.what === "sent" && entry.blob !== undefined);
        if (blob !== undefined) return blob.bytes;
        await sleep(100);
      }
    };
    const over = Promise.all(
      running.map(async ({ ended, words }, i) => {
        const code = await ended;
        if (code !== 0)
          throw new Error(`${["host", ...SITES][i]} ended with exit code ${code}: ${words().slice(-500)}`);
      }),
    );
    const looked = (async () => {
      await host.says("start: ");
      return during({ network, proxy, uploadOf });
    })();
    const late = sleep(LONGEST_MS, undefined, { ref: false }).then(() => {
      throw new Error(`it took longer than ${LONGEST_MS / 60_000} minutes`);
    });
    const [figure] = await Promise.race([Promise.all([looked, over]), late]);
    const seconds = (performance.now() - began) / 1000;
    checkEnds(folder, expected);
    const rounds = host.words().match(/^round \d+\/\d+: /gm).length;
    const transfers = SITES.map((site) => {
      const payload = payloadOf(folder, site);
      const traffic = network.traffic(site);
      const shown = (way) => `${megabytes(traffic[way])} for ${megabytes(payload[way])}`;
      return `${site} sent ${shown("sent")}, received ${shown("received")}`;
    });
    return `${title}: the same adapter; ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${seconds.toFixed(0)} s; ${figure()}; ${transfers.join("; ")}`;
  } finally {
    for (const { child } of processes) child.kill("SIGKILL");
    network.close();
  }
}

const chosen = process.argv.slice(2);
const unknown = chosen.find((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown !== undefined) {
  console.error(`there is no scenario ${unknown}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  process.exit(1);
}
console.log(`nats-server ${program.version.join(".")}`);
for (const name of chosen.length > 0 ? chosen : Object.keys(SCENARIOS)) {
  const scenario = SCENARIOS[name];
  const source = await sourceOf(scenario.source);
  const folder = path.join(source.root, name);
  try {
    console.log(`${name}: ${await play(scenario, folder, source)}`);
  } catch (error) {
    if (error instanceof CannotPlay) {
      console.log(`${name}: SKIPPED: ${scenario.title}: ${error.message}`);
      continue;
    }
    isGood = false;
    console.log(`${name}: FAILED: ${scenario.title}: ${error.message}; what it left is in ${folder}`);
  }
}
process.exit(isGood ? 0 : 1);
