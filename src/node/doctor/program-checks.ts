import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CODE_LIMITS, type CodeLimit } from "../../evaluation/code-runner.ts";
import { openCodeRunner } from "../code/python-runner.ts";
import { findNatsServer, isOutdated } from "../federation/nats-program.ts";
import { hubSettings } from "../hub/hub-settings.ts";
import { type Check, type Finding, ok, warn } from "./finding.ts";

/** Time for an answer from the network. */
const REACH_MS = 5000;

export const PROGRAM_CHECKS: readonly Check[] = [
  {
    name: "nats-server",
    onError: "warn",
    async run() {
      const program = await findNatsServer();
      const found = `${program.version.join(".")}, ${program.path}`;
      if (!isOutdated(program)) return ok(found);
      return warn(
        found,
        "It has known security faults: use it on this machine only (rehearse), and a newer one for host.",
      );
    },
  },
  {
    name: "python3 and its sandbox",
    onError: "warn",
    async run() {
      const { interpreter, limits } = await openCodeRunner();
      const open = (Object.keys(CODE_LIMITS) as CodeLimit[]).filter((limit) => !limits[limit].held);
      if (open.length === 0) return ok(`${interpreter}; every limit on generated programs holds`);
      return warn(
        `${interpreter}; limits that do not hold: ${open.map((limit) => `${limit} (${limits[limit].why ?? ""})`).join(", ")}`,
        "Run benchmarks that execute generated programs in a container.",
      );
    },
  },
];

/** Checks of the network. `env` has the names that npm and the Hub's tools read. */
export function networkChecks(env: Readonly<Record<string, string | undefined>> = process.env): readonly Check[] {
  return [
    {
      name: "npm registry",
      onError: "warn",
      async run(signal) {
        const registry = await registryOf(env, signal);
        return reach(
          new URL("-/ping", registry.replace(/\/*$/, "/")),
          signal,
          "Packages have to be installed from elsewhere.",
        );
      },
    },
    {
      name: "Hugging Face Hub",
      onError: "warn",
      run(signal) {
        const { endpoint, offline } = hubSettings(env);
        if (offline) return ok("HF_HUB_OFFLINE is set: only files in the cache are used");
        return reach(
          new URL(endpoint),
          signal,
          "Models and datasets of the Hub are read from the cache only. Local folders and npm: packages need no network.",
        );
      },
    },
  ];
}

/** The registry of this user's npm: its settings may lie in several files. Within npx, the environment has it. */
async function registryOf(env: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<string> {
  const set = env["npm_config_registry"];
  if (set) return set;
  const options = { env: { ...env }, signal, timeout: REACH_MS, shell: process.platform === "win32" };
  const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"], options);
  return stdout.trim();
}

async function reach(address: URL, signal: AbortSignal, advice: string): Promise<Finding> {
  try {
    const started = performance.now();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
    const { status } = await fetch(address, { method: "HEAD", signal: limit });
    return ok(`answers (HTTP ${status}, ${Math.round(performance.now() - started)} ms)`);
  } catch (error) {
    signal.throwIfAborted();
    const { cause, name } = error as Error & { cause?: { code?: string } };
    const why = name === "TimeoutError" ? `no answer in ${REACH_MS / 1000} s` : (cause?.code ?? name);
    return warn(`${address.host} cannot be reached: ${why}`, advice);
  }
}
