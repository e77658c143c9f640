import { UserError } from "../diagnostics/user-error.ts";
import { adapterAfter, keepsOwnAdapters } from "../federation/adapter-set.ts";
import { clientMemory } from "../federation/client-memory.ts";
import { readHead, readMessage } from "../federation/protocol/cells.ts";
import { keys } from "../federation/protocol/keys.ts";
import { roundClose, roundOpening } from "../federation/protocol/messages.ts";
import { readAdapter, readUpdate } from "../federation/round.ts";
import { type Adapter, initAdapter } from "../model/adapter.ts";
import type { MeasuredAdapter } from "./memorisation.ts";
import { stagesFor } from "../experiment/parties.ts";
import type { RunStore } from "../experiment/ports.ts";
import type { Prepared } from "../experiment/prepare.ts";
import { type Params, toFloat32 } from "../tensor/params.ts";

/** Makes the baseline of the comparison: the base with an adapter that changes nothing. */
export function baseAdapter({ config, model, lora }: Prepared): MeasuredAdapter {
  const untouched: Adapter = { shape: lora, params: initAdapter(config.adapter, model.modelConfig, config.seed) };
  return { name: "base", what: "the base model alone", of: async () => untouched };
}

/**
 * Reads the adapters of a run's last finished round: the common one and each client's update for it, or each client's own adapter
 * where clients keep their own.
 *
 * @throws UserError of kind `config` for a run without a finished round.
 */
export async function adaptersOf(prepared: Prepared, store: RunStore, folder: string): Promise<MeasuredAdapter[]> {
  const { algorithm, lora } = prepared;
  const { exchange } = store;
  const { head } = (await readHead(exchange)) ?? {};
  if (head === undefined || head.round === 0) {
    throw new UserError("config", `${folder} has no finished round, so there is no trained adapter to measure`, {
      hint: "Continue the run first: `openfedllm run` with its configuration.",
    });
  }
  const { round } = head;
  const shaped = (params: Params): Adapter => ({ shape: lora, params });
  const adapter = await readAdapter(exchange, head.adapter);
  if (keepsOwnAdapters(algorithm, round)) {
    const memory = clientMemory(store.clientStore, exchange);
    const of = async (client: string) => shaped(await adapterAfter(algorithm, memory, client, round, adapter));
    return [{ name: "own", what: `each client's own adapter after round ${round}`, of }];
  }
  const whole = shaped(adapter);
  const common = { name: "adapter", what: `the common adapter after round ${round}`, of: async () => whole };
  const { privacy, secureAggregation } = prepared.config;
  // Of a private run no single update is left, and masked ones cannot be read.
  if (algorithm.data === "pooled" || privacy?.client !== undefined || secureAggregation !== undefined) return [common];
  const close = await readMessage(exchange, keys.close(round), roundClose);
  const opening = (await readMessage(exchange, keys.opening(round), roundOpening))!;
  const received = await readAdapter(exchange, opening.adapter);
  const rules = { stages: stagesFor(prepared.config, algorithm), seed: prepared.config.seed };
  const of = async (client: string) => {
    const entry = close?.accepted.find((each) => each.client === client);
    if (entry === undefined) return undefined;
    const update = await readUpdate(exchange, algorithm, round, entry, received, rules);
    return shaped(toFloat32(update["adapter"]!));
  };
  return [{ name: "update", what: `the client's update of round ${round}, before the aggregation`, of }, common];
}
