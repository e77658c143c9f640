import { PrivateRounds } from "../federation/privacy/private-rounds.ts";
import { clipping } from "../federation/privacy/protect.ts";
import { sealing, unsealing } from "../federation/privacy/sealing.ts";
import { secretKeyIn } from "../federation/privacy/secret-key.ts";
import type { ParticipantOptions } from "../federation/participant.ts";
import { clientPrivacyOf } from "../settings/client-privacy.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { MemberStore, Store } from "../store/store.ts";
import type { RunStore } from "./ports.ts";

/** The coordinator's side of the privacy of clients, and the exchange in which it can read their updates. */
export interface CoordinatorPrivacy {
  readonly store: Store;
  readonly privacy?: PrivateRounds;
}

/**
 * Opens the coordinator's side of `privacy.client`. `identity` stands for the run, `clients` is the number of clients that it
 * began with.
 *
 * @throws UserError of kind `storage` where the ledger or the key of a run that was begun is not there.
 */
export async function coordinatorPrivacy(
  config: ExperimentConfig,
  { exchange, coordinatorStore: own }: Pick<RunStore, "exchange" | "coordinatorStore">,
  identity: string,
  clients: number,
): Promise<CoordinatorPrivacy> {
  const rules = clientPrivacyOf(config, clients);
  if (rules === undefined) return { store: exchange };
  const { epsilon, delta, noiseMultiplier, clip, expectedClients } = rules;
  const privacy = await PrivateRounds.open({
    own,
    exchange,
    identity,
    rules: { mechanism: "central", budget: { epsilon, delta }, noiseMultiplier, clip, expectedClients },
  });
  return { store: await unsealing(exchange, await secretKeyIn(own)), privacy };
}

/** A client's side: it clips and seals its update, and sends nothing else. */
export function clientPrivacyHalf(
  { privacy }: ExperimentConfig,
  own: Store,
  exchange: MemberStore,
): Pick<ParticipantOptions, "figures" | "protect" | "seal"> {
  const settings = privacy?.client;
  if (settings === undefined) return {};
  return { figures: "kept", protect: clipping(settings.clip), seal: sealing(own, exchange) };
}
