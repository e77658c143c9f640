import { classify } from "../evaluation/metrics/classification.ts";
import type { ToEvaluate } from "../federation/evaluation.ts";
import type { EvaluationScore } from "../federation/messages.ts";
import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { measure } from "../train/measure.ts";
import { OBJECTIVES } from "../train/objective-registry.ts";
import type { Scorer } from "../train/scorer.ts";
import { meansOf } from "../train/tally.ts";
import { COMMON_SET } from "./client-records.ts";
import type { Choice, HeldOut, Prepared } from "./prepare.ts";
import type { ReferenceCache } from "./reference-cache.ts";

type TimedScore = EvaluationScore & { readonly seconds: number };

/**
 * Scores a round on every held-out set: the global adapter, or, where clients keep their own, each of those on its
 * client's set and the common one (`evaluation.crossClients`: on every set).
 */
export async function evaluate(
  prepared: Prepared,
  scorer: Scorer,
  references: ReferenceCache,
  { adapter, ownAdapter, signal }: ToEvaluate,
): Promise<TimedScore[]> {
  const { clients, common, config } = prepared;
  const sets = [...clients.map(({ name, heldOut }) => ({ set: name, heldOut })), { set: COMMON_SET, heldOut: common }]
    .filter(({ heldOut }) => heldOut.items.length > 0)
    .map(({ set, heldOut }) => ({ set, heldOut: sampled(heldOut, prepared, set) }));
  const scores: TimedScore[] = [];
  const score = async (params: Params, { set, heldOut }: (typeof sets)[number], client?: string): Promise<void> => {
    const started = performance.now();
    const measured = await measureSet(scorer, prepared, references, params, set, heldOut, signal);
    const chosen = heldOut.choices.length === 0 ? {} : await classified(scorer, params, heldOut.choices, signal);
    const result = {
      records: heldOut.items.length,
      supervisedTokens: measured.supervisedTokens,
      loss: measured.loss,
      count: measured.count,
      metrics: { ...measured.metrics, ...chosen },
      seconds: (performance.now() - started) / 1000,
    };
    scores.push({ set, ...(client === undefined ? {} : { client }), ...result });
  };
  if (ownAdapter === undefined) {
    for (const each of sets) await score(adapter, each);
    return scores;
  }
  for (const { name } of clients) {
    const own = await ownAdapter(name);
    for (const each of sets) {
      if (config.evaluation.crossClients || each.set === name || each.set === COMMON_SET) await score(own, each, name);
    }
  }
  return scores;
}

async function measureSet(
  scorer: Scorer,
  { objective, config }: Prepared,
  references: ReferenceCache,
  adapter: Params,
  set: string,
  { items, pairs }: HeldOut,
  signal: AbortSignal | undefined,
) {
  const known = await references.of({ client: set, set: "heldOut" }, items);
  const own = await measure(scorer, objective, adapter, known, signal);
  const means = meansOf(own.metrics);
  if (pairs.length === 0) return { ...own, metrics: withMargin(means) };
  // KTO does not compare two answers to one prompt; its reward is DPO's.
  const knownPairs = await references.of({ client: set, set: "heldOutPairs" }, pairs);
  const compared = await measure(scorer, OBJECTIVES.dpo(config.objective), adapter, knownPairs, signal);
  return { ...own, metrics: withMargin({ ...means, ...meansOf(compared.metrics) }) };
}

/** Of rated answers, which come alone, the margin is that of the means; and always in the same order. */
function withMargin({ chosenReward, rejectedReward, ...others }: Record<string, number>): Record<string, number> {
  if (chosenReward === undefined || rejectedReward === undefined) return others;
  return { chosenReward, rejectedReward, margin: chosenReward - rejectedReward, ...others };
}

/** Takes the label whose tokens are likeliest together, its end of turn included. */
async function classified(
  scorer: Scorer,
  adapter: Params,
  choices: readonly Choice[],
  signal: AbortSignal | undefined,
): Promise<ReturnType<typeof classify>> {
  const scores = await scorer.score(
    adapter,
    choices.flatMap(({ options }) => options),
    signal,
  );
  let at = 0;
  const predicted = choices.map(({ options }) => {
    const own = scores.slice(at, (at += options.length)).map(({ logProbability }) => logProbability);
    return own.indexOf(Math.max(...own));
  });
  return classify(
    choices.map(({ truth }) => truth),
    predicted,
  );
}

/** At most `evaluation.limit` of a set, the same records every time. */
function sampled({ items, pairs, choices }: HeldOut, { config }: Prepared, set: string): HeldOut {
  const { limit } = config.evaluation;
  const some = <T>(all: readonly T[]): readonly T[] =>
    limit === undefined || limit >= all.length
      ? all
      : stream(config.seed, "evaluation", set)
          .sample(all.length, limit)
          .map((i) => all[i]!);
  return { items: some(items), pairs: some(pairs), choices: some(choices) };
}
