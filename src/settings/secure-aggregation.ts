import { UserError } from "../diagnostics/user-error.ts";
import { bitsWithoutWrap } from "../privacy/distributed.ts";
import { gridStep } from "../privacy/noise-grid.ts";
import { graphSize } from "../secagg/graph.ts";
import { gridFor } from "../secagg/grid.ts";
import type { SecureRules, SharedNoise } from "../secagg/rules.ts";
import { type ClientPrivacy, clientPrivacyOf } from "./client-privacy.ts";
import type { Problem } from "./explain.ts";
import type { ExperimentConfig } from "./schema.ts";
import type { SecureSettings } from "./secure-schema.ts";

type Config = Pick<ExperimentConfig, "secureAggregation" | "privacy" | "federation">;

/**
 * The rules of secure aggregation in a run of so many clients; undefined where the configuration asks for none. Every party
 * works them out alike.
 */
export function secureRulesOf(config: Config, clients: number): SecureRules | undefined {
  const { secureAggregation: settings } = config;
  if (settings === undefined) return undefined;
  const privacy = clientPrivacyOf(config, clients);
  const { aggregator, buckets } = config.federation;
  return {
    ...settings,
    range: settings.range ?? boundOf(config, privacy) ?? 1,
    ...(aggregator !== undefined && buckets !== undefined && { buckets }),
    ...(privacy?.mechanism === "distributed" && { noise: sharedNoise(settings, privacy) }),
  };
}

/** The largest number that can be in a client's vector, where something bounds it. */
function boundOf({ federation }: Config, privacy: ClientPrivacy | undefined): number | undefined {
  const clips = (federation.stages ?? []).flatMap((stage) => (stage.name === "clip" ? [stage as object] : []));
  const { maxNorm } = (clips.at(-1) ?? {}) as { maxNorm?: number };
  if (typeof privacy?.clip !== "number") return maxNorm;
  // Local noise has twice the clip as its unit; twelve deviations are never left.
  return privacy.mechanism === "local" ? privacy.clip * (1 + 24 * privacy.noiseMultiplier) : privacy.clip;
}

/**
 * The noise of one client: its share of z·clip among the fewest honest clients whose sum is opened. Numbers are cut toward zero
 * onto the grid, so no norm grows by that, and the sum of so many has the guarantee of z. Where more are there, there is more
 * noise.
 */
function sharedNoise(settings: SecureSettings, { clip, noiseMultiplier, expectedClients }: ClientPrivacy): SharedNoise {
  const limit = typeof clip === "number" ? clip : clip.start;
  const deviation = (noiseMultiplier * limit) / Math.sqrt(honestClients(settings));
  const step = gridStep(deviation);
  return { clip: limit, step, sigma: deviation / step, divisor: expectedClients };
}

/** Clients whose noise is sure to be in a sum. Against an active adversary a third may be its own. */
export function honestClients({ minCohort, active }: Pick<SecureSettings, "minCohort" | "active">): number {
  return active ? minCohort - Math.floor(minCohort / 3) : minCohort;
}

/** Finds mistakes in secure aggregation. `clients` is undefined while their number is unknown. */
export function unusableSecureAggregation(config: ExperimentConfig, clients: number | undefined): Problem | undefined {
  const { secureAggregation: settings, federation } = config;
  const drawn = Math.min(federation.clientsPerRound ?? Infinity, clients ?? Infinity);
  if (settings === undefined || drawn === Infinity) return undefined;
  if (drawn < 3) {
    return {
      message: `secureAggregation needs at least 3 clients a round, got ${drawn}: each would learn the other's update`,
      path: ["secureAggregation"],
      hint: "Raise the number of clients in a round, or leave secureAggregation out.",
    };
  }
  const { buckets = 1, aggregator } = federation;
  const fewest = Math.max(3, settings.minCohort);
  if (aggregator !== undefined && buckets > 1 && Math.floor(drawn / buckets) < fewest) {
    return {
      message: `federation.buckets is ${buckets}: of ${drawn} clients, a bucket has ${Math.floor(drawn / buckets)}, and secureAggregation.minCohort is ${settings.minCohort}`,
      hint: `The coordinator sees the sum of each bucket. Take ${Math.floor(drawn / fewest)} buckets or fewer, or more clients.`,
    };
  }
  if (settings.minCohort > drawn) {
    return {
      message: `secureAggregation.minCohort is ${settings.minCohort}, but a round has ${drawn} clients`,
      hint: `Set secureAggregation.minCohort to ${drawn} or less; the least is 3. The sum of few clients tells more of each.`,
    };
  }
  try {
    graphSize(drawn, settings);
    const rules = secureRulesOf(config, clients ?? drawn)!;
    const { bits, range, noise } = rules;
    if (noise !== undefined) return wraps(rules, noise, drawn);
    if (federation.weighting === "uniform") gridFor({ bits, range, clients: drawn, weightMax: 1 });
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { message: error.message, hint: error.hint };
  }
}

/** Finds noise that does not fit: a sum that wraps would be another one, silently. */
function wraps({ bits }: SecureRules, { clip, step, sigma }: SharedNoise, clients: number): Problem | undefined {
  const needed = bitsWithoutWrap({ survivors: clients, length: 1, clip, step, deviation: sigma * step }, clients);
  if (needed <= bits) return undefined;
  return {
    message: `secureAggregation.bits is ${bits}, and noise of privacy.client.mechanism distributed needs ${needed} for ${clients} clients`,
    hint: "Set secureAggregation.bits: 32.",
  };
}
