import { type Canary, makeCanaries, recordsOf } from "../../data/canaries.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { clientNames, type ClientRecords } from "./client-records.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";

export interface Planted {
  readonly clients: readonly ClientRecords[];
  readonly canaries: readonly Canary[];
}

/**
 * Adds the canaries of `data.canaries` behind their clients' training records; held-out sets stay what they are.
 *
 * @throws UserError of kind `config` for a client that does not exist or is named twice, and for one that would hold more
 * canaries than records of its own.
 */
export function plantCanaries(config: ExperimentConfig, clients: readonly ClientRecords[]): Planted {
  const { data, seed } = config;
  const settings = data.canaries;
  if (settings === undefined) return { clients, canaries: [] };
  const names = clientNames(config) ?? clients.map(({ name }) => name);
  settings.clients.forEach((name, i) => checkName(name, i, settings.clients, names));
  const canaries = makeCanaries(settings, seed);
  return {
    canaries,
    clients: clients.map((client) => {
      const planted = canaries.filter((canary) => canary.client === client.name).flatMap(recordsOf);
      checkCount(client, planted.length);
      return planted.length === 0 ? client : { ...client, train: [...client.train, ...planted] };
    }),
  };
}

/** Copies of canaries by client, those without left out. */
export function canaryCounts(canaries: readonly Canary[]): PlantedCount[] {
  const names = [...new Set(canaries.map(({ client }) => client))];
  return names.map((client) => {
    const own = canaries.filter((canary) => canary.client === client);
    return { client, canaries: own.length, copies: own.reduce((sum, { copies }) => sum + copies, 0) };
  });
}

export interface PlantedCount {
  readonly client: string;
  readonly canaries: number;
  /** Training records they make together. */
  readonly copies: number;
}

function checkName(name: string, index: number, listed: readonly string[], names: readonly string[]): void {
  if (!names.includes(name)) {
    const near = nearest(name, names);
    const some = names.length <= 8 ? names : [...names.slice(0, 8), "…"];
    throw new UserError("config", `data.canaries.clients[${index}] is "${name}", and there is no such client`, {
      hint: near === undefined ? `The clients are ${some.join(", ")}.` : `Did you mean '${near}'?`,
    });
  }
  if (listed.indexOf(name) < index) {
    throw new UserError("config", `data.canaries.clients lists "${name}" twice`, {
      hint: "Once is enough; data.canaries.count is how many canaries it gets.",
    });
  }
}

/** A client that is mostly canaries shows what a model learns of canaries, and nothing about data. */
function checkCount({ name, train }: ClientRecords, copies: number): void {
  if (copies <= train.length) return;
  throw new UserError(
    "config",
    `client ${name} has ${train.length} records and would get ${copies} copies of canaries, expected at most as many as records`,
    { hint: "Lower data.canaries.count or data.canaries.repeats." },
  );
}
