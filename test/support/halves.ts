import { spawn } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";

const HALF = path.join(import.meta.dirname, "half.mjs");

/** Two users of one group, for whom the root user stands in; other users run both halves as themselves. */
const USERS = { coordinator: 65_501, participant: 65_502 };
const GROUP = 65_500;
export const separateUsers = process.getuid?.() === 0;

export interface Halves {
  readonly coordinator: { readonly operations: number; readonly adapter: string; readonly heldOut: readonly unknown[] };
  readonly participant: { readonly operations: number };
  /** Lives that ended by SIGKILL. */
  readonly deaths: number;
}

export interface HalvesOptions {
  /** Holds `model/` and the data files of the clients. */
  readonly source: string;
  /** A new folder for this play. */
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly clients: readonly string[];
  /** Operation at which the first life of each half ends; 0: it lives to the end. */
  readonly killAt?: { readonly coordinator: number; readonly participant: number };
  readonly when?: "before" | "after";
}

/**
 * Plays a run as two processes that meet in a folder. Data files lie in the participant's folder; with two users only the
 * participant's may read it, and without them the coordinator's folder has none.
 */
export async function playHalves({
  source,
  folder,
  config,
  clients,
  killAt = { coordinator: 0, participant: 0 },
  when = "before",
}: HalvesOptions): Promise<Halves> {
  mkdirSync(folder, { recursive: true });
  for (const shared of [path.dirname(folder), folder]) chmodSync(shared, 0o755);
  const exchange = path.join(folder, "exchange");
  mkdirSync(exchange);
  for (const role of ["coordinator", "participant"] as const) {
    const own = path.join(folder, role);
    mkdirSync(own);
    if (existsSync(path.join(source, "model")))
      cpSync(path.join(source, "model"), path.join(own, "model"), { recursive: true });
    writeFileSync(path.join(own, "experiment.yaml"), stringify(config));
  }
  const data = path.join(folder, "participant");
  for (const name of readdirSync(source)) {
    if (name.endsWith(".jsonl")) cpSync(path.join(source, name), path.join(data, name));
  }
  if (separateUsers) {
    own(path.join(folder, "coordinator"), USERS.coordinator);
    own(data, USERS.participant);
    chmodSync(data, 0o700);
    chownSync(exchange, USERS.coordinator, GROUP);
    chmodSync(exchange, 0o2775);
  }
  let deaths = 0;
  const live = async (role: "coordinator" | "participant"): Promise<string> => {
    for (let first = true; ; first = false) {
      const place = path.join(folder, role);
      const places = [path.join(place, "experiment.yaml"), exchange, path.join(place, "run")];
      const { code, stdout, stderr } = await startHalf(
        role,
        [...places, String(first ? killAt[role] : 0), when, ...(role === "participant" ? clients : [])],
        path.join(place, "cache"),
      );
      if (code === 0) return stdout;
      if (code !== null) throw new Error(`the ${role} failed: ${stderr}`);
      deaths++;
    }
  };
  const [coordinator, participant] = await Promise.all([live("coordinator"), live("participant")]);
  return {
    coordinator: JSON.parse(coordinator) as Halves["coordinator"],
    participant: JSON.parse(participant) as Halves["participant"],
    deaths,
  };
}

function own(folder: string, user: number): void {
  chownSync(folder, user, GROUP);
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    chownSync(path.join(folder, entry), user, GROUP);
  }
}

/** `code` is null where the process was killed. */
function startHalf(
  role: keyof typeof USERS,
  args: readonly string[],
  cache: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [HALF, role, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, OPENFEDLLM_CACHE: cache },
    ...(separateUsers && { uid: USERS[role], gid: GROUP }),
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}
