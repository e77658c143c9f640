import { attackOf } from "../../attacks/registry.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Hostile } from "../../federation/hostile.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { stream } from "../../tensor/random.ts";
import type { ClientRecords } from "./client-records.ts";

const DEFAULT_SHARE = 0.2;

/**
 * The names of the hostile clients of a configuration, in the order of `names`; none without `data.attack`. A share is drawn by
 * the seed, and is one client at least.
 *
 * @throws UserError of kind `config` for a client that does not exist.
 */
export function hostileClients({ data, seed }: ExperimentConfig, names: readonly string[]): ReadonlySet<string> {
  const { attack } = data;
  if (attack === undefined) return new Set();
  if (attack.clients !== undefined) {
    const unknown = attack.clients.find((name) => !names.includes(name));
    if (unknown === undefined) return new Set(names.filter((name) => attack.clients!.includes(name)));
    const near = nearest(unknown, names);
    throw new UserError("config", `data.attack.clients has "${unknown}", and there is no such client`, {
      hint: near === undefined ? `The clients are ${names.slice(0, 8).join(", ")}.` : `Did you mean '${near}'?`,
    });
  }
  const count = Math.max(1, Math.round((attack.share ?? DEFAULT_SHARE) * names.length));
  const drawn = new Set(stream(seed, "attack", "clients").sample(names.length, count));
  return new Set(names.filter((_, i) => drawn.has(i)));
}

/** Gives hostile clients the records that they train on. Held-out sets stay what they are. */
export function attackedRecords(config: ExperimentConfig, clients: readonly ClientRecords[]): readonly ClientRecords[] {
  const { attack } = config.data;
  if (attack === undefined) return clients;
  const { records } = attackOf(attack.name, attack);
  const hostile = hostileClients(
    config,
    clients.map(({ name }) => name),
  );
  return clients.map((client) =>
    records === undefined || !hostile.has(client.name)
      ? client
      : { ...client, train: records(client.train, config.evaluation.labels ?? []) },
  );
}

/** The clients that change what they send, and how; undefined where none do. */
export function hostileOf(config: ExperimentConfig, names: readonly string[]): Hostile | undefined {
  const { attack } = config.data;
  if (attack === undefined) return undefined;
  const { change, colludes } = attackOf(attack.name, attack);
  return change === undefined ? undefined : { clients: hostileClients(config, names), colludes, change };
}

/** @throws UserError of kind `config` where a configuration with an attack is to be played by several parties. */
export function refuseAttack({ data }: ExperimentConfig): void {
  if (data.attack === undefined) return;
  throw new UserError("config", "data.attack is for simulations, and this run has several parties", {
    hint: "Use openfedllm run, or remove data.attack.",
  });
}
