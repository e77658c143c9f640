import { commonAdapter } from "../../federation/adapter-set.ts";
import type { ToEvaluate } from "../../federation/evaluation.ts";
import { initAdapter } from "../../model/adapter.ts";
import type { Prepared } from "../prepare.ts";
import type { BaseScore } from "../results/summary.ts";
import { scoreClientSets, scoreCommonSet, type ScoringTools } from "./score-sets.ts";

/**
 * Scores the base alone on every held-out set of this process, for a run whose round 0 has an adapter already. `validation`:
 * whether the run scored validation parts, which large sets are then dealt for.
 */
export async function scoreBase(
  prepared: Prepared,
  tools: ScoringTools,
  { validation, signal }: Pick<ToEvaluate, "validation" | "signal">,
): Promise<BaseScore[]> {
  const { config, model, trainers } = prepared;
  const adapters = commonAdapter(initAdapter(config.adapter, model.modelConfig, config.seed));
  const what = { round: 0, adapters, validation, signal };
  const scores = [...(await scoreCommonSet(prepared, tools, what)).scores];
  for (const { name } of trainers) scores.push(...(await scoreClientSets(prepared, tools, name, what)).scores);
  return scores.map(({ set, loss, metrics = {} }) => ({ set, loss, metrics }));
}
