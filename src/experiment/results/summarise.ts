import type { FederationOutcome } from "../../federation/coordinator-options.ts";
import { scoresBySet } from "../../federation/evaluation.ts";
import { canaryCounts } from "../records/canaries.ts";
import type { Metrics } from "./metrics.ts";
import type { Prepared } from "../prepare.ts";
import type { BenchmarkChange, HeldOutResult, RunSummary, WithheldSet } from "./summary.ts";

/** The summary of a run that is over. `saved`: what was kept and answered when it ended. */
export function summarise(
  { config, canaries }: Prepared,
  outcome: FederationOutcome,
  metrics: Metrics,
  saved: Pick<RunSummary, "clientAdapters" | "answers" | "baseScores" | "best" | "clientBests">,
): RunSummary {
  const { supervisedTokens, bytesUp, bytesDown, ledger, seconds } = metrics.totals();
  const { clientAdapters, answers, baseScores, ...bests } = saved;
  const { rounds } = config.federation;
  const played = outcome.head.round;
  return {
    rounds: played,
    ...(played < rounds && { plannedRounds: rounds }),
    adapter: outcome.head.adapter,
    clientAdapters,
    ...bests,
    heldOut: heldOutResults(outcome),
    baseScores,
    withheld: withheldSets(outcome),
    benchmarks: benchmarkResults(outcome),
    answers,
    canaries: canaries.length === 0 ? undefined : canaryCounts(canaries),
    supervisedTokens,
    privacy: privacySpent(metrics),
    bytesUp,
    bytesDown,
    ledger,
    seconds,
  };
}

function privacySpent(metrics: Metrics): RunSummary["privacy"] {
  const rounds = metrics.rounds().flatMap(({ privacy }) => privacy ?? []);
  const last = rounds.at(-1);
  if (last === undefined) return undefined;
  return { epsilon: Math.max(...rounds.map(({ epsilon }) => epsilon)), budget: last.budget, delta: last.delta };
}

function heldOutResults({ evaluations }: FederationOutcome): HeldOutResult[] {
  const after = new Map(scoresBySet(evaluations.at(-1)?.scores ?? []).map((score) => [score.set, score]));
  const measured = scoresBySet(evaluations[0]?.scores ?? []).filter(({ set }) => after.has(set));
  return measured.map(({ set, records, supervisedTokens, count, loss, metrics = {} }) => ({
    set,
    records,
    supervisedTokens,
    count,
    before: loss,
    after: after.get(set)!.loss,
    metrics: Object.fromEntries(
      Object.entries(metrics).map(([name, before]) => [
        name,
        { before, after: after.get(set)?.metrics?.[name] ?? Number.NaN },
      ]),
    ),
  }));
}

/** The sets of which a score before the first round or after the last is not there; undefined where all are. */
function withheldSets({ evaluations }: FederationOutcome): WithheldSet[] | undefined {
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const reasons = new Map(
    [...(first.withheld ?? []), ...(last.withheld ?? [])].map(({ set, reason }) => [set, reason]),
  );
  const [before, after] = [first, last].map(({ scores }) => new Set(scores.map(({ set }) => set)));
  for (const set of before!)
    if (!after!.has(set) && !reasons.has(set)) reasons.set(set, "no score after the last round");
  for (const set of after!)
    if (!before!.has(set) && !reasons.has(set)) reasons.set(set, "no score before the first round");
  return reasons.size === 0 ? undefined : Array.from(reasons, ([set, reason]) => ({ set, reason }));
}

/** The first and the last score of each benchmark. */
function benchmarkResults({ evaluations }: FederationOutcome): BenchmarkChange[] | undefined {
  const all = evaluations.flatMap(({ benchmarks = [] }) => benchmarks);
  if (all.length === 0) return undefined;
  const names = [...new Set(all.map(({ benchmark }) => benchmark))];
  return names.flatMap((name) => {
    const own = all.filter(({ benchmark }) => benchmark === name);
    const base = own[0]!;
    return [...new Set(own.map(({ client }) => client))].flatMap((client): BenchmarkChange[] => {
      // Before training clients have no adapters of their own: what they began with is the base.
      const last = own.findLast((score) => score.client === client)!;
      if (client === undefined && own.some((score) => score.client !== undefined)) return [];
      const metrics = Object.entries(last.metrics).map(([metric, after]) => [
        metric,
        { before: base.metrics[metric] ?? Number.NaN, after },
      ]);
      return [{ benchmark: name, client, questions: last.questions, metrics: Object.fromEntries(metrics) }];
    });
  });
}
