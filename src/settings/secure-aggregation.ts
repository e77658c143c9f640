import { UserError } from "../diagnostics/user-error.ts";
import { graphSize } from "../secagg/graph.ts";
import { gridFor } from "../secagg/grid.ts";
import type { SecureRules } from "../secagg/rules.ts";
import type { Problem } from "./explain.ts";
import type { ExperimentConfig } from "./schema.ts";

/** The rules of secure aggregation; undefined where the configuration asks for none. */
export function secureRulesOf({
  secureAggregation,
  privacy,
  federation,
}: Pick<ExperimentConfig, "secureAggregation" | "privacy" | "federation">): SecureRules | undefined {
  if (secureAggregation === undefined) return undefined;
  const clips = (federation.stages ?? []).flatMap((stage) => (stage.name === "clip" ? [stage as object] : []));
  const { maxNorm } = (clips.at(-1) ?? {}) as { maxNorm?: number };
  const clip = privacy?.client?.clip;
  const bound = typeof clip === "number" ? clip : maxNorm;
  const { buckets } = federation;
  return {
    ...secureAggregation,
    range: secureAggregation.range ?? bound ?? 1,
    ...(federation.aggregator !== undefined && buckets !== undefined && { buckets }),
  };
}

/** Finds mistakes in secure aggregation. `clients` is undefined while their number is unknown. */
export function unusableSecureAggregation(config: ExperimentConfig, clients: number | undefined): Problem | undefined {
  const rules = secureRulesOf(config);
  const drawn = Math.min(config.federation.clientsPerRound ?? Infinity, clients ?? Infinity);
  if (rules === undefined || drawn === Infinity) return undefined;
  if (drawn < 3) {
    return {
      message: `secureAggregation needs at least 3 clients a round, got ${drawn}: each would learn the other's update`,
      path: ["secureAggregation"],
      hint: "Raise the number of clients in a round, or leave secureAggregation out.",
    };
  }
  const { buckets = 1 } = rules;
  const fewest = Math.max(3, rules.minCohort);
  if (buckets > 1 && Math.floor(drawn / buckets) < fewest) {
    return {
      message: `federation.buckets is ${buckets}: of ${drawn} clients, a bucket has ${Math.floor(drawn / buckets)}, and secureAggregation.minCohort is ${rules.minCohort}`,
      hint: `The coordinator sees the sum of each bucket. Take ${Math.floor(drawn / fewest)} buckets or fewer, or more clients.`,
    };
  }
  if (rules.minCohort > drawn) {
    return {
      message: `secureAggregation.minCohort is ${rules.minCohort}, but a round has ${drawn} clients`,
      hint: `Set secureAggregation.minCohort to ${drawn} or less; the least is 3. The sum of few clients tells more of each.`,
    };
  }
  try {
    graphSize(drawn, rules);
    if (config.federation.weighting === "uniform") {
      gridFor({ bits: rules.bits, range: rules.range, clients: drawn, weightMax: 1 });
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { message: error.message, hint: error.hint };
  }
}
