import type { OnCount } from "../../concurrency/counted-work.ts";
import { classify } from "../../evaluation/metrics/classification.ts";
import type { ToEvaluate } from "../../federation/evaluation.ts";
import { eachAdapter } from "../../federation/adapter-set.ts";
import type { EvaluationScore, WithheldScore } from "../../federation/protocol/messages.ts";
import type { Params } from "../../tensor/params.ts";
import { sampleOf, stream } from "../../tensor/random.ts";
import { measure } from "../../train/measure.ts";
import { objectiveOf } from "../../train/objective-registry.ts";
import type { Scorer } from "../../train/scorer.ts";
import { meansOf } from "../../train/tally.ts";
import { dealtToChoose } from "../records/choosing-part.ts";
import { COMMON_SET } from "../records/client-records.ts";
import { sequencesOf } from "../plan/planned-memory.ts";
import type { Prepared, PreparedClient } from "../prepare.ts";
import type { Choice, HeldOut } from "../records/record-encoder.ts";
import type { ReferenceCache } from "./reference-cache.ts";

type TimedScore = EvaluationScore & { readonly seconds: number };

interface Scores {
  readonly scores: readonly TimedScore[];
  /** Absent where no validation part was to be scored. */
  readonly validation?: readonly TimedScore[];
  /** Absent where none is withheld. */
  readonly withheld?: readonly WithheldScore[];
}

/** A held-out set under its name: a client's, or `common`. */
interface NamedSet {
  readonly set: string;
  readonly heldOut: HeldOut;
  readonly validation: HeldOut;
}

/** The records of a set that are scored together. */
interface ScoredPart {
  readonly set: string;
  readonly part: "heldOut" | "validation";
  readonly records: HeldOut;
}

export interface ScoringTools {
  readonly scorer: () => Promise<Scorer>;
  readonly references: ReferenceCache;
  readonly onCount?: OnCount | undefined;
}

/** Scores the common adapter on the common set: the coordinator's part of an evaluation. */
export async function scoreCommonSet(prepared: Prepared, tools: ScoringTools, what: ToEvaluate): Promise<Scores> {
  return score(prepared, tools, what, () => [commonSet(prepared)]);
}

function commonSet({ common, commonValidation }: Prepared): NamedSet {
  return { set: COMMON_SET, heldOut: common, validation: commonValidation };
}

/**
 * Scores a client's part: the common adapter on its own held-out set; the client's own adapter on that and the common
 * set, with `evaluation.crossClients` on every set. The one client of pooled records scores every client's set. A client's
 * set with fewer records than `evaluation.minRecords` is withheld; of a validation part with fewer nothing is told. Where
 * validation parts are scored and the sets have none, large sets are dealt in two.
 */
export async function scoreClientSets(
  prepared: Prepared,
  tools: ScoringTools,
  client: string,
  what: ToEvaluate,
): Promise<Scores> {
  const { clients, trainers, config } = prepared;
  const setOf = ({ name, heldOut, validation }: PreparedClient): NamedSet => ({ set: name, heldOut, validation });
  const own = trainers.find(({ name }) => name === client)!.clients.map(setOf);
  const all = [...clients.map(setOf), commonSet(prepared)];
  return score(prepared, tools, what, (owner) => {
    if (owner === undefined) return own;
    return config.evaluation.crossClients ? all : all.filter(({ set }) => set === owner || set === COMMON_SET);
  });
}

async function score(
  prepared: Prepared,
  tools: ScoringTools,
  { adapters, validation: withValidation = false, signal }: ToEvaluate,
  setsFor: (owner: string | undefined) => readonly NamedSet[],
): Promise<Scores> {
  const { minRecords = 1 } = prepared.config.evaluation;
  const scores: TimedScore[] = [];
  const validation: TimedScore[] = [];
  const withheld: WithheldScore[] = [];
  for await (const { client, adapter } of eachAdapter(adapters)) {
    for (const { set, ...given } of setsFor(client)) {
      const dealt = withValidation ? dealtToChoose(set, given.heldOut, prepared.config) : undefined;
      const parts = dealt === undefined ? given : { heldOut: dealt.test, validation: dealt.validation };
      const about = { set, ...(client !== undefined && { client }) };
      const isOwn = client === undefined || set === client || set === COMMON_SET;
      for (const part of withValidation && isOwn ? (["heldOut", "validation"] as const) : (["heldOut"] as const)) {
        if (parts[part].items.length === 0) continue;
        const records = sampled(parts[part], prepared, set);
        if (set === COMMON_SET || records.items.length >= minRecords) {
          const measured = await scoreSet(prepared, tools, adapter, { set, part, records }, signal);
          (part === "heldOut" ? scores : validation).push({ ...about, ...measured });
        } else if (part === "heldOut") {
          withheld.push({ ...about, reason: `fewer than ${minRecords} held-out records` });
        }
      }
    }
  }
  return { scores, ...(withValidation && { validation }), ...(withheld.length > 0 && { withheld }) };
}

async function scoreSet(
  prepared: Prepared,
  { scorer: open, references, onCount }: ScoringTools,
  adapter: Params,
  what: ScoredPart,
  signal: AbortSignal | undefined,
): Promise<Omit<TimedScore, "set" | "client">> {
  const { items, choices } = what.records;
  const scorer = counting(await open(), what, prepared, onCount);
  const started = performance.now();
  const measured = await measureSet(prepared, what, { scorer, references, adapter, signal });
  const chosen = choices.length === 0 ? {} : await classified(scorer, adapter, choices, signal);
  return {
    records: items.length,
    supervisedTokens: measured.supervisedTokens,
    loss: measured.loss,
    count: measured.count,
    metrics: { ...measured.metrics, ...chosen },
    seconds: (performance.now() - started) / 1000,
  };
}

/** The same scorer, telling how much of a set is scored. */
function counting(
  scorer: Scorer,
  { set, part, records: { items, pairs, choices } }: ScoredPart,
  { objective }: Prepared,
  onCount: OnCount | undefined,
): Pick<Scorer, "score"> {
  if (onCount === undefined) return scorer;
  const options = choices.reduce((sum, choice) => sum + choice.options.length, 0);
  const of = items.flatMap((item) => sequencesOf(objective, item)).length + 2 * pairs.length + options;
  const what = part === "heldOut" ? "evaluating on held-out records" : "choosing on the validation part";
  let done = 0;
  return {
    score: (adapter, examples, signal) =>
      scorer.score(adapter, examples, signal, (more) => {
        // A step of KTO scores some again.
        done = Math.min(of, done + more);
        onCount({ what: `${what} of ${set}`, unit: "answers", done, of });
      }),
  };
}

interface Measuring {
  readonly scorer: Pick<Scorer, "score">;
  readonly references: ReferenceCache;
  readonly adapter: Params;
  readonly signal: AbortSignal | undefined;
}

async function measureSet(
  { objective, config }: Prepared,
  { set, part, records: { items, pairs } }: ScoredPart,
  { scorer, references, adapter, signal }: Measuring,
) {
  const known = await references.of({ client: set, set: part }, items);
  const own = await measure(scorer, objective, adapter, known, signal);
  const means = meansOf(own.metrics);
  if (pairs.length === 0) return { ...own, metrics: withMargin(means) };
  // KTO does not compare two answers to one prompt; its reward is DPO's.
  const knownPairs = await references.of({ client: set, set: `${part}Pairs` }, pairs);
  const compared = await measure(scorer, objectiveOf("dpo", config.objective), adapter, knownPairs, signal);
  return { ...own, metrics: withMargin({ ...means, ...meansOf(compared.metrics) }) };
}

/** Puts the rewards first and adds their margin. Rated answers come alone: their margin is that of the means. */
function withMargin({ chosenReward, rejectedReward, ...others }: Record<string, number>): Record<string, number> {
  if (chosenReward === undefined || rejectedReward === undefined) return others;
  return { chosenReward, rejectedReward, margin: chosenReward - rejectedReward, ...others };
}

/** Takes the label whose tokens are likeliest together, its end of turn included. */
async function classified(
  scorer: Pick<Scorer, "score">,
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
  const some = <T>(all: readonly T[]): readonly T[] => sampleOf(all, limit, stream(config.seed, "evaluation", set));
  return { items: some(items), pairs: some(pairs), choices: some(choices) };
}
