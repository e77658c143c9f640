import { UserError } from "../diagnostics/user-error.ts";
import { clientMemory } from "../federation/client-memory.ts";
import { decodeGroups } from "../store/codec.ts";
import { readHead, readMessage } from "../federation/protocol/cells.ts";
import { keys } from "../federation/protocol/keys.ts";
import { roundClose } from "../federation/protocol/messages.ts";
import { readAdapter } from "../federation/round.ts";
import { type Adapter, initAdapter } from "../model/adapter.ts";
import type { MeasuredAdapter } from "./memorisation.ts";
import type { RunStore } from "../experiment/ports.ts";
import type { Prepared } from "../experiment/prepare.ts";
import type { Params } from "../tensor/params.ts";

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
  const { ownAdapter } = algorithm;
  if (ownAdapter !== undefined) {
    const memory = clientMemory(store.clientStore, exchange);
    const of = async (client: string) =>
      shaped(ownAdapter({ adapter, extra: {} }, await memory.load(client, round + 1)));
    return [{ name: "own", what: `each client's own adapter after round ${round}`, of }];
  }
  const whole = shaped(adapter);
  const common = { name: "adapter", what: `the common adapter after round ${round}`, of: async () => whole };
  if (algorithm.data === "pooled") return [common];
  const close = await readMessage(exchange, keys.close(round), roundClose);
  const sent = new Map(close?.accepted.map(({ client, update }) => [client, update]));
  const of = async (client: string) => {
    const update = sent.get(client);
    if (update === undefined) return undefined;
    const sentAdapter = decodeGroups(await exchange.blob(update), `the update of client ${client}`)["adapter"];
    return sentAdapter && shaped(sentAdapter);
  };
  return [{ name: "update", what: `the client's update of round ${round}, before the aggregation`, of }, common];
}
