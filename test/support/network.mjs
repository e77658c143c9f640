// Machines of a test: network namespaces, each on a line of its own to a router, which is one too. Needs root, iproute2, nftables.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Where `ip netns exec` takes a namespace's own files of /etc from. */
const ETC = "/etc/netns";
/** The router's device that delays packets. */
const DELAY = "delay";

/** Runs a program. @throws Error with its words. */
export function must(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout;
}

/** Says in one sentence why there can be no such machines here; undefined where there can. */
export function whyNoNetwork() {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const [program, pack] of [
    ["ip", "iproute2"],
    ["tc", "iproute2"],
    ["nft", "nftables"],
  ]) {
    if (spawnSync(program, ["-V"]).error !== undefined) return `the program ${program} is missing (package ${pack})`;
  }
  try {
    makeNetwork(["a", "b"]).close();
    return undefined;
  } catch (error) {
    return `this kernel does not make network namespaces: ${error.message}`;
  }
}

let made = 0;

function tryKill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/**
 * Makes machines `hosts`, which reach each other through a router and know each other's names, NAME.test. `close` removes
 * everything; so does the end of this process.
 */
export function makeNetwork(hosts) {
  const prefix = `openfedllm-${process.pid}-${made++}`;
  const namespace = (name) => `${prefix}-${name}`;
  const router = namespace("router");
  const address = (host) => `10.77.${hosts.indexOf(host) + 1}.2`;
  /** The router's address on a machine's line. */
  const gateway = (host) => `10.77.${hosts.indexOf(host) + 1}.1`;
  const all = [...hosts, "router"];
  const helpers = [];
  const inside = (name, ...command) => must("ip", "netns", "exec", namespace(name), ...command);
  const inRouter = (...command) => inside("router", ...command);
  const set = (setting, value) => inRouter("sh", "-c", `echo ${value} > /proc/sys/net/ipv4/${setting}`);
  const nft = (...commands) => inRouter("nft", commands.join("; "));

  const close = () => {
    process.off("exit", close);
    for (const helper of helpers) helper.kill("SIGKILL");
    for (const name of all) {
      const { stdout } = spawnSync("ip", ["netns", "pids", namespace(name)], { encoding: "utf8" });
      for (const pid of stdout.split("\n").filter((line) => line !== "")) tryKill(Number(pid));
      spawnSync("ip", ["netns", "del", namespace(name)]);
      rmSync(path.join(ETC, namespace(name)), { recursive: true, force: true });
    }
  };
  process.on("exit", close);

  try {
    for (const name of all) {
      must("ip", "netns", "add", namespace(name));
      must("ip", "-n", namespace(name), "link", "set", "dev", "lo", "up");
    }
    for (const host of hosts) {
      const own = namespace(host);
      must(..."ip link add name eth0 netns".split(" "), own, "type", "veth", "peer", "name", host, "netns", router);
      must("ip", "-n", own, "address", "add", `${address(host)}/24`, "dev", "eth0");
      must("ip", "-n", router, "address", "add", `${gateway(host)}/24`, "dev", host);
      must("ip", "-n", own, "link", "set", "dev", "eth0", "up");
      must("ip", "-n", router, "link", "set", "dev", host, "up");
      must("ip", "-n", own, "route", "add", "default", "via", gateway(host));
      knows(host, hosts);
    }
    set("ip_forward", 1);
    set("conf/all/rp_filter", 0);
    nft("add table ip r", "add chain ip r outage { type filter hook forward priority 0; }");
    nft("add chain ip r rules { type filter hook forward priority 1; }");
  } catch (error) {
    close();
    throw error;
  }

  /** Gives a machine the names of some others, and of no more. */
  function knows(host, others) {
    const etc = path.join(ETC, namespace(host));
    mkdirSync(etc, { recursive: true });
    writeFileSync(
      path.join(etc, "hosts"),
      ["127.0.0.1 localhost", ...others.map((other) => `${address(other)} ${other}.test`), ""].join("\n"),
    );
  }

  return {
    gateway,
    knows,
    close,
    /** What starts a program on a machine. */
    on: (host) => ["ip", "netns", "exec", namespace(host)],
    /** Runs `ip` on a machine. */
    ip: (host, args) => must("ip", "-n", namespace(host), ...args.split(" ")),
    nft,
    /** Delays every packet that passes the router, in both directions, and loses some of them. */
    async delay({ milliseconds, lossPercent }) {
      const script = path.join(import.meta.dirname, "delay-packets.py");
      const args = ["netns", "exec", router, "python3", script, DELAY, String(milliseconds)];
      const helper = spawn("ip", args, { stdio: ["ignore", "pipe", "pipe"] });
      helpers.push(helper);
      await new Promise((resolve, reject) => {
        let why = "";
        helper.stderr.on("data", (bytes) => (why += String(bytes)));
        helper.stdout.once("data", resolve);
        helper.once("error", reject);
        helper.once("exit", () => reject(new Error(`delay-packets.py ended: ${why.trim()}`)));
      });
      must("ip", "-n", router, "link", "set", "dev", DELAY, "up", "txqueuelen", "10000");
      must("ip", "-n", router, ..."route add default table 77 dev".split(" "), DELAY);
      for (const host of hosts) must("ip", "-n", router, "rule", "add", "iif", host, "lookup", "77");
      set(`conf/${DELAY}/rp_filter`, 0);
      nft(`add rule ip r rules iifname "${DELAY}" numgen random mod 100 < ${lossPercent} counter drop`);
    },
    /** Limits a machine's line in both directions. */
    limit(host, { megabits }) {
      const shaped = `root tbf rate ${megabits}mbit burst 5kb latency 400ms`.split(" ");
      must("tc", "-n", namespace(host), "qdisc", "add", "dev", "eth0", ...shaped);
      must("tc", "-n", router, "qdisc", "add", "dev", host, ...shaped);
    },
    /** Bytes that a machine sent and received, headers and repeats included, as the router sees them. */
    traffic(host) {
      const [{ stats64 }] = JSON.parse(must("ip", "-n", router, "-s", "-j", "link", "show", "dev", host));
      return { sent: stats64.rx.bytes, received: stats64.tx.bytes };
    },
    /** Addresses of those who are connected to a port of a machine. */
    peers: (host, port) =>
      inside(host, "ss", "-Htn", "state", "established", `sport = :${port}`)
        .split("\n")
        .flatMap((line) => /([\d.]+)\]?:\d+\s*$/.exec(line)?.[1] ?? [])
        .filter((peer) => peer !== "127.0.0.1"),
    /** Packets that a rule with `counter` dropped. */
    dropped: () =>
      [...inRouter("nft", "list", "chain", "ip", "r", "rules").matchAll(/packets (\d+)/g)].reduce(
        (sum, [, packets]) => sum + Number(packets),
        0,
      ),
    /** Milliseconds that a TCP connection from a machine to another takes, the best of three; undefined: there is none. */
    reach(from, host, port) {
      const code = `const net = require("net");
        const once = () =>
          new Promise((resolve, reject) => {
            const began = performance.now();
            const socket = net.connect(${port}, "${address(host)}", () => {
              resolve(performance.now() - began);
              socket.destroy();
            });
            socket.on("error", reject);
            setTimeout(reject, 2000).unref();
          });
        (async () => console.log(Math.min(await once(), await once(), await once())))().catch(() => process.exit(1));
        setTimeout(() => process.exit(1), 7000).unref();`;
      const command = ["netns", "exec", namespace(from), process.execPath, "-e", code];
      const { status, stdout } = spawnSync("ip", command, { encoding: "utf8" });
      return status === 0 ? Number(stdout) : undefined;
    },
  };
}

/** Removes what runs left that were killed. */
export function removeLeftovers() {
  for (const [name, pid] of must("ip", "netns", "list").matchAll(/^openfedllm-(\d+)-\S+/gm)) {
    if (existsSync(`/proc/${pid}`)) continue;
    must("ip", "netns", "del", name);
    rmSync(path.join(ETC, name), { recursive: true, force: true });
  }
}
