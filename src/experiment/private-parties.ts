import { localNoise } from "../federation/privacy/local-noise.ts";
import { ownLedger, paidFor } from "../federation/privacy/own-ledger.ts";
import { PrivateRounds } from "../federation/privacy/private-rounds.ts";
import { clipping } from "../federation/privacy/protect.ts";
import { sealing, unsealing } from "../federation/privacy/sealing.ts";
import { secretKeyIn } from "../federation/privacy/secret-key.ts";
import type { ParticipantOptions } from "../federation/participant-options.ts";
import { type ClientPrivacy, clientPrivacyOf } from "../settings/client-privacy.ts";
import type { MemberStore, Store } from "../store/store.ts";
import type { GroupScales } from "../updates/clipped.ts";
import type { RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";

/** The coordinator's side of the privacy of clients, and the exchange in which it can read their updates. */
export interface CoordinatorPrivacy {
  readonly store: Store;
  readonly privacy?: PrivateRounds;
}

/**
 * Opens the coordinator's side of `privacy.client`. `identity` stands for the run, `clients` is the number of clients that its
 * settings name.
 *
 * @throws UserError of kind `storage` where the ledger or the key of a run that was begun is not there.
 */
export async function coordinatorPrivacy(
  { config }: Pick<Prepared, "config">,
  { exchange, coordinatorStore: own }: Pick<RunStore, "exchange" | "coordinatorStore">,
  identity: string,
  clients: number,
): Promise<CoordinatorPrivacy> {
  const settings = clientPrivacyOf(config, clients);
  if (settings === undefined) return { store: exchange };
  const { mechanism, noiseMultiplier, clip, expectedClients } = settings;
  const scales = scalesOf(settings);
  const rules = { mechanism: played(mechanism), budget: settings, noiseMultiplier, clip, scales, expectedClients };
  const privacy = await PrivateRounds.open({ own, exchange, identity, rules });
  return { store: await unsealing(exchange, await secretKeyIn(own)), privacy };
}

/** A client's side: it clips its update, adds noise where that is its part, seals it, and sends nothing else. */
export function clientPrivacyHalf(
  { config, trainers }: Pick<Prepared, "config" | "trainers">,
  own: Store,
  exchange: MemberStore,
): Pick<ParticipantOptions, "figures" | "protect" | "seal"> {
  const settings = clientPrivacyOf(config, clientsIn({ config, trainers }));
  if (settings === undefined) return {};
  const { weightCap, mechanism, clip, noiseMultiplier } = settings;
  const records = new Map(trainers.map(({ name, train }) => [name, train.length]));
  const weightOf = (client: string): number =>
    weightCap === undefined ? 1 : Math.min(1, (records.get(client) ?? 0) / weightCap);
  const start = typeof clip === "number" ? clip : clip.start;
  const terms = { own, exchange, budget: settings, clip: start, noiseMultiplier };
  const clipped = clipping(start, weightOf, scalesOf(settings));
  const protect = {
    central: () => clipped,
    local: () => localNoise({ ...terms, weightOf }),
    distributed: () => paidFor(ownLedger(terms), clipped),
  }[played(mechanism)]();
  return { figures: "kept", protect, seal: sealing(own, exchange) };
}

/** The group of SCAFFOLD's control variates has another unit than the change of the adapter. */
function scalesOf({ controlScale = 1 }: ClientPrivacy): GroupScales {
  return { control: controlScale };
}

/** Number of clients of a run: of those that its configuration names, which a member of a federation knows of the others. */
export function clientsIn({ config, trainers }: Pick<Prepared, "config" | "trainers">): number {
  return config.data.clients?.length ?? config.federation.clients ?? trainers.length;
}

function played(mechanism: ClientPrivacy["mechanism"]): "central" | "local" | "distributed" {
  if (mechanism !== "ftrl") return mechanism;
  throw new Error(`privacy.client.mechanism ${mechanism} is refused by the settings`);
}
