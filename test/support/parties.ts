import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { formatInvitation } from "../../src/identity/invitation.ts";
import { type Federation, initFederation } from "../../src/node/federation/federation-folder.ts";
import { inviteMember } from "../../src/node/federation/invite.ts";
import { freePort } from "../../src/node/free-port.ts";
import { type Started, startIn } from "./cli.ts";
import { tinyConfig } from "./tiny-federation.ts";

export type Environment = Readonly<Record<string, string>>;

/** A federation whose parties are real commands in one folder. */
export interface Parties {
  readonly federation: Federation;
  /** `nats://127.0.0.1:PORT`. */
  readonly server: string;
  /** The coordinator's command. Further arguments come last, so they replace. */
  readonly host: (env?: Environment, ...more: readonly string[]) => Started;
  /** A site's first command, with its invitation and its data. */
  readonly join: (client: string, env?: Environment, ...more: readonly string[]) => Started;
  /** A site's later command. */
  readonly rejoin: (client: string, env?: Environment, ...more: readonly string[]) => Started;
  /** Any command. */
  readonly run: (args: readonly string[], env?: Environment) => Started;
  /** Writes an invitation to CLIENT.NAME.txt, which `join` reads. */
  readonly invite: (client: string, servers?: readonly string[], ca?: string) => Promise<void>;
  /** The folders and files of the federation, by what they are for: all begin with its name. */
  readonly at: (what: string) => string;
}

export interface PartiesOptions {
  /** Holds the model and the records of the clients. */
  readonly source: string;
  /** Begins the names of its files. */
  readonly name: string;
  readonly clients: readonly string[];
  readonly rounds?: number;
}

/** The settings with which one process plays what the parties play. */
export function simulatedConfig(clients: readonly string[], rounds: number): Record<string, unknown> {
  const { data, ...rest } = tinyConfig("fedavg") as { data: { clients: readonly { name: string }[] } };
  return {
    ...rest,
    data: { maxLength: 96, clients: data.clients.filter(({ name }) => clients.includes(name)) },
    federation: { algorithm: "fedavg", rounds },
  };
}

/** Makes a federation and invites its members. */
export async function makeParties({ source, name, clients, rounds = 2 }: PartiesOptions): Promise<Parties> {
  const server = `nats://127.0.0.1:${await freePort()}`;
  const federation = await initFederation(path.join(source, `${name}-federation`), { name: "Fruit and tools" });
  // It names no clients: all members take part.
  const config = { ...simulatedConfig(clients, rounds), data: { maxLength: 96 } };
  writeFileSync(path.join(source, `${name}.yaml`), stringify(config));
  const base = { ...process.env, OPENFEDLLM_CACHE: path.join(source, "cache"), NO_COLOR: "1" };
  const run: Parties["run"] = (args, env = {}) => startIn(source, { ...base, ...env }, ...args);
  const invite: Parties["invite"] = async (client, servers = [server], ca) => {
    const invitation = await inviteMember(federation, { client, servers, hours: 1, ...(ca !== undefined && { ca }) });
    writeFileSync(path.join(source, `${name}-${client}.txt`), await formatInvitation(invitation));
  };
  for (const client of clients) await invite(client);
  const site = (client: string): readonly string[] => ["--site", `${name}-site-${client}`, "--yes", "--base", "model"];
  const own = (client: string): readonly string[] => [
    ...["--data", `${client}.jsonl`, "--held-out", `${client}.heldout.jsonl`],
  ];
  return {
    federation,
    server,
    host: (env, ...more) =>
      run(
        [
          ...["host", `${name}.yaml`, "--federation", `${name}-federation`, "--out", `${name}-run`],
          ...["--listen", new URL(server).host, ...more],
        ],
        env,
      ),
    join: (client, env, ...more) =>
      run(["join", `${name}-${client}.txt`, ...site(client), ...own(client), ...more], env),
    rejoin: (client, env, ...more) => run(["join", ...site(client), ...more], env),
    run,
    invite,
    at: (what) => path.join(source, `${name}-${what}`),
  };
}

/** The environment of a command that loads a file of this folder first. */
function preloading(file: string, more: Environment = {}): Environment {
  return { ...more, NODE_OPTIONS: `--import=${pathToFileURL(path.join(import.meta.dirname, file)).href}` };
}

/** The environment of a command whose machine's clock is wrong. @param seconds ahead. */
export function clockAhead(seconds: number): Environment {
  return preloading("wrong-clock.mjs", { CLOCK_AHEAD_SECONDS: String(seconds) });
}

/** The environment of a command of another version of this software. */
export function speaking(protocol: number): Environment {
  return preloading("other-protocol.mjs", { OTHER_PROTOCOL: String(protocol) });
}
