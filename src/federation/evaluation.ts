import type { Store } from "../store/store.ts";
import type { AdapterSet } from "./adapter-set.ts";
import { Answers } from "./answers.ts";
import type { EventSink } from "./events.ts";
import { asLine, createMessage, readMessage, readTheirs } from "./protocol/cells.ts";
import { MismatchError } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import {
  type ClientScores,
  clientScores,
  type EvaluationRequest,
  evaluationRequest,
  type EvaluationScore,
  type RoundEvaluation,
  roundEvaluation,
} from "./protocol/messages.ts";

/** The adapters of a round, to be scored. */
export interface ToEvaluate {
  /** 0 is before any training. */
  readonly round: number;
  readonly adapters: AdapterSet;
  /** True where validation parts are scored too. */
  readonly validation?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Scores on held-out sets and on benchmarks, with their wall time. */
export type Evaluated = Omit<ClientScores, "client">;

/** Scores adapters on the held-out sets and the benchmarks of one party. */
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
    const having = scores.filter(({ metrics = {} }) => Object.hasOwn(metrics, name));
    return total(having, ({ metrics, records }) => metrics![name]! * records) / total(having, ({ records }) => records);
  };
  return {
    loss: total(scores, ({ loss, count }) => loss * count) / total(scores, ({ count }) => count),
    metrics: Object.fromEntries(names.map((name) => [name, metric(name)])),
  };
}

/** The scores of a round, or undefined where it was not evaluated. */
export function readEvaluation(store: Store, round: number): Promise<RoundEvaluation | undefined> {
  return readMessage(store, keys.evaluation(round), roundEvaluation);
}

/** Asks clients for scores, or finds that they were asked. Returns their answers to come. */
export async function askForScores(
  store: Store,
  request: EvaluationRequest,
): Promise<{ readonly request: EvaluationRequest; readonly answers: Answers }> {
  const key = keys.evaluationRequest(request.round);
  const asked = request.clients.length === 0 ? request : await createMessage(store, key, evaluationRequest, request);
  const { round, clients } = asked;
  const keyOf = (client: string): string => keys.clientScores(round, client);
  return { request: asked, answers: new Answers(store, clients, keys.scores(round), keyOf) };
}

/** A rule for the scores that a client may give. */
export interface AnswerRules {
  /** True where each client's own adapter is scored; if not, the common one. */
  readonly keepsOwn: boolean;
  /** True where the client holds the records of all, and so scores all sets. */
  readonly holdsAll: boolean;
}

/**
 * The scores that clients answered with, in the order of `clients`. A client answers for its own adapter or its own set
 * only: scores in another's name are left out, and an answer that cannot be read gives none.
 */
export async function readAnswers(
  store: Store,
  round: number,
  clients: readonly string[],
  { keepsOwn, holdsAll }: AnswerRules,
): Promise<ClientScores[]> {
  const answers: ClientScores[] = [];
  for (const client of clients) {
    const answer = await readTheirs(store, keys.clientScores(round, client), clientScores);
    if (answer === undefined || answer instanceof MismatchError) continue;
    const own = keepsOwn ? client : undefined;
    const isTheirs = (score: { readonly set: string; readonly client?: string | undefined }): boolean =>
      score.client === own && (keepsOwn || holdsAll || score.set === client);
    const scores = answer.scores.filter(isTheirs);
    const validation = answer.validation?.filter(isTheirs);
    const benchmarks = keepsOwn ? answer.benchmarks?.filter((score) => score.client === own) : undefined;
    const withheld = answer.withheld?.filter(isTheirs).map((score) => ({ ...score, reason: asLine(score.reason) }));
    answers.push({
      client,
      scores,
      ...(validation && { validation }),
      ...(benchmarks && { benchmarks }),
      ...(withheld && { withheld }),
    });
  }
  return answers;
}

/** Reports and stores the scores of a round once, in the order given. */
export async function closeEvaluation(
  store: Store,
  events: EventSink,
  round: number,
  parts: readonly Evaluated[],
): Promise<RoundEvaluation> {
  const told = (type: "evaluation-end" | "validation-end", timed: Evaluated["scores"]): EvaluationScore[] =>
    timed.map(({ seconds, ...score }) => {
      events.emit({ type, round, ...score, seconds });
      return score;
    });
  const scores = told(
    "evaluation-end",
    parts.flatMap((part) => part.scores),
  );
  const validation = told(
    "validation-end",
    parts.flatMap((part) => part.validation ?? []),
  );
  const withheld = parts.flatMap((part) => part.withheld ?? []);
  for (const each of withheld) events.emit({ type: "evaluation-withheld", round, ...each });
  const given = parts.flatMap((part) => part.benchmarks ?? []);
  const benchmarks = given.map(({ seconds, ...score }) => {
    events.emit({ type: "benchmark-end", round, ...score, seconds });
    return score;
  });
  await events.flush();
  const message = {
    round,
    scores,
    ...(validation.length > 0 && { validation }),
    ...(benchmarks.length > 0 && { benchmarks }),
    ...(withheld.length > 0 && { withheld }),
  };
  return createMessage(store, keys.evaluation(round), roundEvaluation, message);
}
