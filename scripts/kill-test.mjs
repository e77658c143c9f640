// Plays whole federations of real processes (a coordinator with its nats-server, two sites), kills them at named points and at
// random moments, and compares the adapter of everyone with that of `openfedllm run`.
//
//   npm run test:kills -- [RUNS=20] [SEED=1] [FIRST=1]
//
// Run FIRST of a seed is always the same plan of kills. The folder of a run that went wrong is kept.
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePort } from "../dist/node/free-port.js";
import { stream } from "../dist/tensor/random.js";
import { killVictim } from "../test/support/kill-points.mjs";
import { checkEnds, CLI, joinArgs, makeFederation, makeSource, SITES } from "../test/support/real-federation.mjs";

const [runs = "20", seed = "1", first = "1"] = process.argv.slice(2);
const here = import.meta.dirname;
const preload = pathToFileURL(path.join(here, "../test/support/kill-points.mjs")).href;
/** A play on a busy machine takes a minute; one that hangs is a failure. */
const LONGEST_MS = 900_000;

const WHENS = ["before", "sent", "after"];
const POINTS = {
  host: "account lead task manifest roster open chunk blob close head evaluate evaluation end save",
  site: "enrol join chunk blob update scores save",
};
/** Every point of both halves, before it, on its way and after it. */
const ALL = Object.entries(POINTS).flatMap(([half, points]) =>
  points.split(" ").flatMap((point) => WHENS.map((when) => ({ half, point, when }))),
);
/** The points that come once in a run, and those of the disk, which come all the time. */
const ONCE = new Set(["lead", "task", "manifest", "roster", "enrol", "join", "end"]);

const { root, env, expected, remove } = await makeSource("kills");

/** The kills of one run: in each process a list, one for each of its lives, and those by the clock. */
function planOf(number) {
  const random = stream(Number(seed), "kills", String(number));
  const oneOf = (list) => list[Math.floor(random.uniform() * list.length)];
  const victimsOf = (who) => {
    const others = ["server", ...["host", ...SITES].filter((name) => name !== who)];
    return oneOf([["self"], ["self"], ["server"], ["self", "server"], ["self", oneOf(others)], ["self", ...others]]);
  };
  const kill = ({ half, point, when }) => {
    const who = half === "host" ? "host" : oneOf(SITES);
    const most = point === "save" ? (half === "host" ? 60 : 25) : ONCE.has(point) ? 1 : 3;
    return { who, point, nth: 1 + Math.floor(random.uniform() * most), when, victims: victimsOf(who) };
  };
  const points = [kill(ALL[(number - 1) % ALL.length])];
  while (random.uniform() < 0.5) points.push(kill(oneOf(ALL)));
  const timed = [];
  while (random.uniform() < 0.4) {
    timed.push({ ms: Math.round(random.uniform() * 9000), victims: [oneOf(["server", "host", ...SITES])] });
  }
  return { points, timed };
}

const shown = ({ points, timed }) =>
  [
    ...points.map(({ who, point, nth, when, victims }) => `${who} ${when} ${point} ${nth} → ${victims.join("+")}`),
    ...timed.map(({ ms, victims }) => `${(ms / 1000).toFixed(1)} s → ${victims.join("+")}`),
  ].join(", ");

/** Plays a run. @throws Error where it does not end as it should. */
async function play(folder, { points, timed }) {
  const pids = path.join(folder, "pids");
  mkdirSync(pids, { recursive: true });
  const server = `nats://127.0.0.1:${await freePort()}`;
  const federation = await makeFederation(path.join(folder, "federation"), { serversOf: () => [server] });
  const commands = {
    host: `host ../source/my.yaml --federation federation --out run --listen ${new URL(server).host}`,
    ...Object.fromEntries(SITES.map((client) => [client, joinArgs(client)])),
  };
  const began = performance.now();
  const children = new Set();
  let deaths = 0;
  const over = new AbortController();
  const left = points.map((point) => ({ ...point }));

  /** One life of a process. Resolves with its exit code; null: it was killed. */
  const live = async (name) => {
    const next = left.findIndex(({ who }) => who === name);
    const [kill] = next === -1 ? [] : left.splice(next, 1);
    const child = spawn(process.execPath, ["--import", preload, CLI, ...commands[name].split(" ")], {
      cwd: folder,
      env: { ...env, KILL_PIDS: pids, ...(kill !== undefined && { KILL_AT: JSON.stringify(kill) }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.add(child);
    writeFileSync(path.join(pids, name), String(child.pid));
    const log = (bytes) =>
      writeFileSync(path.join(folder, `${name}.log`), `${(performance.now() - began).toFixed(0)} ms: ${bytes}`, {
        flag: "a",
      });
    log(`--- started${kill === undefined ? "" : `, ${JSON.stringify(kill)}`}\n`);
    child.stdout.on("data", log);
    child.stderr.on("data", log);
    const code = await new Promise((resolve) => child.on("close", resolve));
    children.delete(child);
    log(`--- ended: ${code ?? "killed"}\n`);
    if (code === null) deaths++;
    return code;
  };
  /** A process, started again until it ends by itself. */
  const keep = async (name) => {
    for (;;) {
      const code = await live(name);
      if (code === 0) return;
      if (code !== null) throw new Error(`${name} ended with exit code ${code}`);
      if (over.signal.aborted) throw new Error("it took too long");
    }
  };
  // The server is a child of the coordinator's: its number is in the federation's folder.
  const serverPid = path.join(federation.folder, "server/server.pid");
  const watchServer = setInterval(() => {
    if (existsSync(serverPid)) copyFileSync(serverPid, path.join(pids, "server"));
  }, 20);
  const timers = timed.map(({ ms, victims }) =>
    setTimeout(() => victims.forEach((victim) => killVictim(pids, victim)), ms),
  );
  const longest = setTimeout(() => {
    over.abort();
    for (const child of children) child.kill("SIGKILL");
  }, LONGEST_MS);
  try {
    const sites = SITES.map(keep);
    const going = new Set(sites);
    for (const site of sites) void site.catch(() => {}).then(() => going.delete(site));
    const host = (async () => {
      // A coordinator that ends before a killed site came back is run again, as its last words say.
      for (await keep("host"); going.size > 0 && !over.signal.aborted; await sleep(1000)) {
        await sleep(5000);
        if (going.size > 0) await keep("host");
      }
    })();
    await Promise.all([...sites, host]);
  } finally {
    over.abort();
    clearTimeout(longest);
    clearInterval(watchServer);
    for (const timer of timers) clearTimeout(timer);
    for (const child of children) child.kill("SIGKILL");
  }
  checkEnds(folder, expected);
  return deaths;
}

console.log(`undisturbed: ${expected}; ${ALL.length} named points`);
const failed = [];
let allDeaths = 0;
for (let number = Number(first); number < Number(first) + Number(runs); number++) {
  const plan = planOf(number);
  const folder = path.join(root, `run-${number}`);
  const started = performance.now();
  try {
    const deaths = await play(folder, plan);
    allDeaths += deaths;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${number}: the same adapter; ${shown(plan)}; ${deaths} processes killed, ${seconds} s`);
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    failed.push(number);
    console.log(`${number}: FAILED: ${error.message}; ${shown(plan)}`);
    console.log(`   npm run test:kills -- 1 ${seed} ${number}; what it left is in ${folder}`);
  }
}
console.log(
  `${Number(runs) - failed.length} of ${runs} runs ended with the undisturbed adapter (seed ${seed}, from ${first}); ${allDeaths} processes killed`,
);
if (failed.length === 0) remove();
process.exit(failed.length === 0 ? 0 : 1);
