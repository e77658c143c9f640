import type { Params } from "../tensor/params.ts";
import type { EventSink } from "./events.ts";
import type { Store } from "../store/store.ts";
import {
  type BenchmarkScore,
  cells,
  createMessage,
  type EvaluationScore,
  readMessage,
  type RoundEvaluation,
} from "./messages.ts";

/** What a round left behind, to be scored. */
export interface ToEvaluate {
  /** 0 is before any training. */
  readonly round: number;
  readonly adapter: Params;
  /** A client's own adapter, where the algorithm leaves each client one and training has begun. */
  readonly ownAdapter?: ((client: string) => Promise<Params>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Timed {
  readonly seconds: number;
}

export interface Evaluated {
  /** On the held-out sets. */
  readonly scores: readonly (EvaluationScore & Timed)[];
  readonly benchmarks?: readonly (BenchmarkScore & Timed)[];
}

/** Scores adapters on the held-out sets and on benchmarks. */
export type Evaluate = (what: ToEvaluate) => Promise<Evaluated>;

/** Before training, every `every` rounds, and after the last. `every` 0: only before and after. */
export function evaluationDue(round: number, rounds: number, every: number): boolean {
  return round === 0 || round === rounds || (every > 0 && round % every === 0);
}

/**
 * One score a set, to sum a round up: the global adapter's; where clients keep their own, of a client's set that client's,
 * and of a set that is nobody's (or that only others were scored on) the mean over the adapters.
 */
export function scoresBySet<S extends EvaluationScore>(scores: readonly S[]): S[] {
  return [...new Set(scores.map(({ set }) => set))].map((set) => {
    const all = scores.filter((score) => score.set === set);
    const own = all.find(({ client }) => client === undefined || client === set);
    if (own !== undefined) return own;
    const mean = (value: (score: S) => number): number =>
      all.reduce((sum, score) => sum + value(score), 0) / all.length;
    const names = Object.keys(all[0]!.metrics ?? {});
    const metrics = Object.fromEntries(
      names.map((name) => [name, mean((score) => score.metrics?.[name] ?? Number.NaN)]),
    );
    return { ...all[0]!, loss: mean(({ loss }) => loss), metrics };
  });
}

/** The mean over all sets, by what each loss is a mean over; metrics by records. */
export function overallScore(scores: readonly EvaluationScore[]): {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
} {
  const total = (of: readonly EvaluationScore[], value: (score: EvaluationScore) => number): number =>
    of.reduce((sum, score) => sum + value(score), 0);
  const names = [...new Set(scores.flatMap(({ metrics = {} }) => Object.keys(metrics)))];
  const metric = (name: string): number => {
    const having = scores.filter(({ metrics = {} }) => name in metrics);
    return total(having, ({ metrics, records }) => metrics![name]! * records) / total(having, ({ records }) => records);
  };
  return {
    loss: total(scores, ({ loss, count }) => loss * count) / total(scores, ({ count }) => count),
    metrics: Object.fromEntries(names.map((name) => [name, metric(name)])),
  };
}

/** The scores of a round, or undefined where it was not evaluated. */
export async function readEvaluation(exchange: Store, round: number): Promise<RoundEvaluation | undefined> {
  const found = (await readMessage(exchange, cells.evaluation(round))) as RoundEvaluation | undefined;
  return found && withNumbers(found);
}

/** JSON has no NaN: a number that is not finite was written as null, which would count as 0. */
function withNumbers({ round, scores, benchmarks }: RoundEvaluation): RoundEvaluation {
  const number = (value: number | null): number => value ?? Number.NaN;
  const numbers = (metrics: Readonly<Record<string, number | null>>): Record<string, number> =>
    Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, number(value)]));
  return {
    round,
    scores: scores.map(({ metrics = {}, ...score }) => ({
      ...score,
      loss: number(score.loss),
      metrics: numbers(metrics),
    })),
    ...(benchmarks && { benchmarks: benchmarks.map((score) => ({ ...score, metrics: numbers(score.metrics) })) }),
  };
}

/** Evaluates once: a round that has scores keeps them. */
export async function evaluateOnce(
  exchange: Store,
  events: EventSink,
  round: number,
  evaluate: () => ReturnType<Evaluate>,
): Promise<RoundEvaluation> {
  const earlier = await readEvaluation(exchange, round);
  if (earlier !== undefined) return earlier;
  const evaluated = await evaluate();
  const scores = evaluated.scores.map(({ seconds, ...score }) => {
    events.emit({ type: "evaluation-end", round, ...score, seconds });
    return score;
  });
  const benchmarks = evaluated.benchmarks?.map(({ seconds, ...score }) => {
    events.emit({ type: "benchmark-end", round, ...score, seconds });
    return score;
  });
  await events.flush();
  const message = { round, scores, ...(benchmarks && { benchmarks }) };
  return withNumbers(await createMessage(exchange, cells.evaluation(round), message));
}
