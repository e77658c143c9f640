import type { Params } from "../tensor/params.ts";
import type { EventSink } from "./events.ts";
import type { Exchange } from "./exchange.ts";
import { cells, createMessage, type EvaluationScore, readMessage, type RoundEvaluation } from "./messages.ts";

/** What a round left behind, to be scored. */
export interface ToEvaluate {
  /** 0 is before any training. */
  readonly round: number;
  readonly adapter: Params;
  /** A client's own adapter, where the algorithm leaves each client one and training has begun. */
  readonly ownAdapter?: ((client: string) => Promise<Params>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Scores adapters on the held-out sets. */
export type Evaluate = (what: ToEvaluate) => Promise<readonly (EvaluationScore & { readonly seconds: number })[]>;

/** Before training, every `every` rounds, and after the last. `every` 0: only before and after. */
export function evaluationDue(round: number, rounds: number, every: number): boolean {
  return round === 0 || round === rounds || (every > 0 && round % every === 0);
}

/** The scores of a round, or undefined where it was not evaluated. */
export async function readEvaluation(exchange: Exchange, round: number): Promise<RoundEvaluation | undefined> {
  const found = (await readMessage(exchange, cells.evaluation(round))) as RoundEvaluation | undefined;
  return found && withNumbers(found);
}

/** JSON has no NaN: a loss that is not finite was written as null, which would count as 0. */
function withNumbers({ round, scores }: RoundEvaluation): RoundEvaluation {
  return { round, scores: scores.map((score) => ({ ...score, loss: (score.loss as number | null) ?? Number.NaN })) };
}

/** Evaluates once: a round that has scores keeps them. */
export async function evaluateOnce(
  exchange: Exchange,
  events: EventSink,
  round: number,
  evaluate: () => ReturnType<Evaluate>,
): Promise<RoundEvaluation> {
  const earlier = await readEvaluation(exchange, round);
  if (earlier !== undefined) return earlier;
  const scores: EvaluationScore[] = [];
  for (const { seconds, ...score } of await evaluate()) {
    events.emit({ type: "evaluation-end", round, ...score, seconds });
    scores.push(score);
  }
  await events.flush();
  return withNumbers(await createMessage(exchange, cells.evaluation(round), { round, scores }));
}
