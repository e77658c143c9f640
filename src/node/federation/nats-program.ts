import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../../diagnostics/user-error.ts";
import type { EnvironmentVariables } from "./environment.ts";
import { isLoopback } from "../../serving/access.ts";
import { type Listener, LOOPBACK } from "./server-config.ts";

/** A nats-server program and its version. */
export interface NatsProgram {
  readonly path: string;
  /** Major, minor, patch. */
  readonly version: readonly [number, number, number];
}

/** The variable of the environment that names the program. */
const PROGRAM_VARIABLE = "OPENFEDLLM_NATS_SERVER";

/** Debian installs it here, which is not in every user's PATH. */
const DEBIAN_PATH = "/usr/sbin/nats-server";

const RELEASES = "https://github.com/nats-io/nats-server/releases";

/**
 * Finds the program: the variable OPENFEDLLM_NATS_SERVER, then PATH, then where Debian installs it.
 *
 * @throws UserError("config") where there is none, with the commands that install it.
 */
export async function findNatsServer(env: EnvironmentVariables = process.env): Promise<NatsProgram> {
  const named = env[PROGRAM_VARIABLE];
  for (const path of named === undefined || named === "" ? ["nats-server", DEBIAN_PATH] : [named]) {
    const version = await versionOf(path, env);
    if (version !== undefined) return { path, version };
  }
  throw new UserError(
    "config",
    named === undefined || named === ""
      ? "no nats-server program: it is not in PATH"
      : `${PROGRAM_VARIABLE} names ${named}, which is not a nats-server program`,
    {
      hint: `Install it with: sudo apt-get install nats-server. Without root, or for a newer version: get nats-server-vVERSION-amd64.deb and SHA256SUMS from ${RELEASES}, then sha256sum --check --ignore-missing SHA256SUMS && dpkg-deb -x nats-server-vVERSION-amd64.deb nats, and set ${PROGRAM_VARIABLE} to the program in the folder nats.`,
    },
  );
}

async function versionOf(path: string, env: EnvironmentVariables): Promise<NatsProgram["version"] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], { env: { ...env }, timeout: 10_000 });
    const [, major, minor, patch] = /nats-server: v(\d+)\.(\d+)\.(\d+)/.exec(stdout) ?? [];
    return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
  } catch {
    return undefined;
  }
}

/** True from server `major.minor` on. */
export function isAtLeast({ version }: NatsProgram, major: number, minor: number): boolean {
  return version[0] > major || (version[0] === major && version[1] >= minor);
}

/**
 * True for a version whose known faults a stranger could use before any login: below 2.12.12, 2.13, and 2.14.0 to 2.14.2
 * (github.com/nats-io/advisories, 2026).
 */
export function isOutdated({ version: [major, minor, patch] }: NatsProgram): boolean {
  if (major !== 2) return major < 2;
  return minor < 12 || minor === 13 || (minor === 12 && patch < 12) || (minor === 14 && patch < 3);
}

/**
 * Refuses to expose an outdated server.
 *
 * @param allowOutdated true: the person takes the risk.
 * @throws UserError("config") where another machine reaches a listener.
 */
export function checkExposure(program: NatsProgram, listeners: readonly Listener[], allowOutdated: boolean): void {
  const exposed = listeners.find(({ host = LOOPBACK }) => !isLoopback(host));
  if (exposed === undefined || allowOutdated || !isOutdated(program)) return;
  throw new UserError(
    "config",
    `nats-server ${program.version.join(".")} has known security faults and must not listen on ${exposed.host ?? ""}:${exposed.port}, which other machines reach; expected 2.12.12 or later of 2.12, or 2.14.3 or later`,
    {
      hint: `Install a newer one (${RELEASES}) and set ${PROGRAM_VARIABLE} to it, or listen on ${LOOPBACK}.`,
    },
  );
}
