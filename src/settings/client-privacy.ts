import { defaultCountDeviation } from "../privacy/adaptive-clip.ts";
import { gaussianEpsilon, noiseFor } from "../privacy/gaussian.ts";
import type { Problem } from "./explain.ts";
import type { ClientPrivacySettings } from "./privacy-schema.ts";
import type { ExperimentConfig } from "./schema.ts";

/** The privacy of clients with everything worked out that depends on their number and on the rounds. */
export interface ClientPrivacy extends ClientPrivacySettings {
  readonly delta: number;
  readonly noiseMultiplier: number;
  /** qN: clients that a round plans with. */
  readonly expectedClients: number;
  /** Rounds that a client takes part in at most, when all take part alike. */
  readonly participations: number;
}

/** The privacy of clients in a run of so many clients; undefined where the configuration asks for none. */
export function clientPrivacyOf(
  { privacy, federation }: Pick<ExperimentConfig, "privacy" | "federation">,
  clients: number,
): ClientPrivacy | undefined {
  const settings = privacy?.client;
  if (settings === undefined) return undefined;
  const { rounds, clientsPerRound = clients } = federation;
  const expectedClients = Math.min(clientsPerRound, clients);
  const participations = Math.ceil((rounds * expectedClients) / clients);
  const delta = settings.delta ?? 1 / (10 * clients);
  const noiseMultiplier = settings.noiseMultiplier ?? noiseFor(settings.epsilon, delta, participations);
  return { ...settings, delta, noiseMultiplier, expectedClients, participations };
}

/** Finds mistakes in the privacy of clients. `clients` is undefined while their number is unknown. */
export function unusableClientPrivacy(config: ExperimentConfig, clients: number | undefined): Problem | undefined {
  const settings = config.privacy?.client;
  if (settings === undefined) return undefined;
  if (settings.sampling === "secret") {
    return {
      message: "privacy.client.sampling is secret, and this version has public: the exchange publishes who is drawn",
      path: ["privacy", "client", "sampling"],
      hint: "Set privacy.client.sampling: public; the budget then counts every round that a client takes part in.",
    };
  }
  if (settings.mechanism === "ftrl") {
    return {
      message: `privacy.client.mechanism is ${settings.mechanism}, and this version has central, distributed and local`,
      hint: "Set privacy.client.mechanism: central.",
    };
  }
  if (settings.mechanism !== "central" && typeof settings.clip !== "number") {
    return {
      message: `privacy.client.clip follows the norms, and privacy.client.mechanism ${settings.mechanism} tells nobody any norm`,
      hint: "Set privacy.client.clip to a number.",
    };
  }
  const { delta, epsilon } = settings;
  if (clients !== undefined && delta !== undefined && delta >= 1 / clients) {
    return {
      message: `privacy.client.delta is ${delta}; with ${clients} clients it must be below ${shown(1 / clients)}`,
      hint: "With δ at 1/clients, one client could be published whole. Leave it out: the default is a tenth of that.",
    };
  }
  const plan = clients === undefined ? undefined : clientPrivacyOf(config, clients)!;
  const first = plan && gaussianEpsilon(1 / plan.noiseMultiplier, plan.delta);
  if (first !== undefined && first > epsilon * (1 + 1e-9)) {
    return {
      message: `privacy.client.noiseMultiplier is ${settings.noiseMultiplier}: one round costs ε ${first.toFixed(2)} at δ ${shown(plan!.delta)}, more than privacy.client.epsilon ${epsilon}`,
      hint: "Raise one of them, or leave privacy.client.noiseMultiplier out.",
    };
  }
  return plan && unusableFollowing(plan);
}

/** Finds a clip that follows the norms of too few clients. */
function unusableFollowing({ clip, noiseMultiplier, expectedClients }: ClientPrivacy): Problem | undefined {
  const countDeviation = defaultCountDeviation(expectedClients);
  if (typeof clip === "number" || 2 * countDeviation > noiseMultiplier) return undefined;
  return {
    message: `privacy.client.clip follows the norms of ${expectedClients} clients a round: the noise on their count is ${shown(countDeviation)}, and with noise multiplier ${shown(noiseMultiplier)} none is left for the update`,
    hint: `Take more than ${Math.floor(10 * noiseMultiplier)} clients a round, a larger privacy.client.epsilon, or a number for privacy.client.clip.`,
  };
}

/** Notes on the privacy of clients: a run that its budget ends. */
export function notedClientPrivacy(config: ExperimentConfig): string[] {
  const clients = config.data.clients?.length ?? config.federation.clients;
  const plan = clients === undefined ? undefined : clientPrivacyOf(config, clients);
  if (plan === undefined) return [];
  const all = gaussianEpsilon(Math.sqrt(plan.participations) / plan.noiseMultiplier, plan.delta);
  if (all <= plan.epsilon * (1 + 1e-9)) return [];
  return [
    `privacy.client.noiseMultiplier ${plan.noiseMultiplier} costs ε ${all.toFixed(2)} in ${config.federation.rounds} rounds, more than privacy.client.epsilon ${plan.epsilon}: the run will stop before`,
  ];
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
