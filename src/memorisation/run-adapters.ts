import { UserError } from "../diagnostics/user-error.ts";
import { clientMemory } from "../federation/client-memory.ts";
import { decodeGroups } from "../store/codec.ts";
import { readHead, readMessage } from "../federation/protocol/cells.ts";
import { keys } from "../federation/protocol/keys.ts";
import { roundClose } from "../federation/protocol/messages.ts";
import { readAdapter } from "../federation/round.ts";
import { initAdapter } from "../model/adapter.ts";
import type { MeasuredAdapter } from "./memorisation.ts";
import type { RunStore } from "../experiment/ports.ts";
import type { Prepared } from "../experiment/prepare.ts";

/** The base, with an adapter that changes nothing: what everything else is compared with. */
export function baseAdapter({ config, model, lora }: Prepared): MeasuredAdapter {
  const untouched = initAdapter(config.adapter, model.config, config.seed);
  return { name: "base", what: "the base model alone", lora, of: async () => untouched };
}

/**
 * The adapters that the last finished round of a run left: the common one and what each client sent for it, or each client's
 * own where clients keep their own.
 *
 * @throws UserError of kind `config` for a run without a finished round.
 */
export async function adaptersOf(prepared: Prepared, store: RunStore, folder: string): Promise<MeasuredAdapter[]> {
  const { algorithm, lora } = prepared;
  const { exchange } = store;
  const { head } = (await readHead(exchange)) ?? {};
  if (head === undefined || head.round === 0) {
    throw new UserError("config", `${folder} has no finished round, so nothing was learnt in it`, {
      hint: "Go on with the run first: `openfedllm run` with its configuration.",
    });
  }
  const { round } = head;
  const adapter = await readAdapter(exchange, head.adapter);
  const { ownAdapter } = algorithm;
  if (ownAdapter !== undefined) {
    const memory = clientMemory(store.clientStore, exchange);
    const of = async (client: string) => ownAdapter({ adapter, extra: {} }, await memory.load(client, round + 1));
    return [{ name: "own", what: `each client's own adapter after round ${round}`, lora, of }];
  }
  const common = { name: "adapter", what: `the common adapter after round ${round}`, lora, of: async () => adapter };
  if (algorithm.data === "pooled") return [common];
  const close = await readMessage(exchange, keys.close(round), roundClose);
  const sent = new Map(close?.accepted.map(({ client, update }) => [client, update]));
  const of = async (client: string) => {
    const update = sent.get(client);
    if (update === undefined) return undefined;
    return decodeGroups(await exchange.blob(update), `the update of client ${client}`)["adapter"];
  };
  return [{ name: "update", what: `what the client sent in round ${round}, before averaging`, lora, of }, common];
}
