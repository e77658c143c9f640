import { COMMON_SET } from "../experiment/records/client-records.ts";
import { lateClients } from "./run-course.ts";
import { overallLosses, type Passes, passesOf, type RunFigures, scoresOfRound } from "./run-figures.ts";
import { baseRound, lastRound } from "./comparison.ts";
import { plannedRounds, roundsDone } from "./stored-run.ts";

/** More passes than this over a client's records teach the records by heart. */
const MOST_PASSES = 5;
/** A mean over fewer held-out records than this says little. */
const FEWEST_RECORDS = 30;
/** A mean over fewer questions than this has a wide interval. */
const FEWEST_QUESTIONS = 100;
/** Relative rise from the lowest held-out loss that is more than the noise of a few steps. */
const RISE = 0.005;
/** Relative fall from one evaluation to the next that shows a run that is not at its end. */
const FALL = 0.01;
/** Names that a sentence lists. */
const MOST_NAMES = 5;

/** A reason to doubt a run: a sentence with its numbers, or undefined where there is no reason. */
type Doubt = (figures: RunFigures) => string | undefined;

/** Every rule by name, the weightiest first. */
export const DOUBTS = {
  unfinished({ run }) {
    const planned = plannedRounds(run);
    if (run.finished) return undefined;
    const done = roundsDone(run);
    return `The run is not finished: ${done}${planned === undefined ? "" : ` of ${planned}`} rounds are done.`;
  },

  lengthened({ run }) {
    const { schedule } = section(run.config["training"]);
    const [planned, now] = [[...new Set(run.lengths)], plannedRounds(run)];
    if (planned.length === 0 || schedule === "constant") return undefined;
    return `The run was lengthened from ${planned.join(", then ")} to ${now} rounds, and its earlier rounds kept the learning rates of a shorter run: a run of ${now} rounds from the start gives another adapter.`;
  },

  attacked({ run }) {
    const { name } = section(section(run.config["data"])["attack"]) as { readonly name?: string };
    return name === undefined
      ? undefined
      : `Hostile clients were simulated (data.attack: ${name}): the numbers are those of an attacked run.`;
  },

  notFinite({ run }) {
    const bad = overallLosses(run).find(({ loss }) => !Number.isFinite(loss));
    return bad && `The held-out loss is not a number ${roundText(bad.round)}: training has diverged.`;
  },

  heldOutRose({ run }) {
    const losses = overallLosses(run);
    const [before, after] = [losses[0], losses.at(-1)];
    return before?.round === 0 && after
      ? heldOutRise(before.loss, after.loss, startText(run.config["model"]))
      : undefined;
  },

  heldOutRoseSince({ run }) {
    const losses = overallLosses(run).filter(({ loss }) => Number.isFinite(loss));
    const last = losses.at(-1);
    if (last === undefined) return undefined;
    const best = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
    if (best.round === 0 || last.loss - best.loss <= RISE * Math.abs(best.loss)) return undefined;
    return `Held-out loss was lowest after round ${best.round} (${number(best.loss)}) and rose to ${number(last.loss)} until round ${last.round} (${change(best.loss, last.loss)}): the last adapter is not the best one.`;
  },

  heldOutRoseForSome({ run }) {
    const [base, last] = [baseRound(run), lastRound(run)];
    if (base === undefined || last === undefined) return undefined;
    const losses = overallLosses(run);
    if (losses.at(-1)!.loss > losses[0]!.loss) return undefined;
    const after = new Map(scoresOfRound(last).map(({ set, loss }) => [set, loss]));
    const risen = scoresOfRound(base).filter(({ set, loss }) => after.get(set)! > loss);
    const named = risen.map(({ set, loss }) => `${set} (${change(loss, after.get(set)!)})`);
    return named.length === 0 ? undefined : `Held-out loss rose for ${some(named)}, although it fell over all sets.`;
  },

  manyPasses(figures) {
    const many = passesOf(figures).filter(({ passes }) => passes > MOST_PASSES);
    if (many.length === 0) return undefined;
    const named = many.map(({ client, passes, records }) => `${client} ${times(passes)} (${records} records)`);
    return `Clients went more than ${MOST_PASSES} times through their records: ${some(named)}. The adapter may know these records by heart.`;
  },

  noHeldOut({ run }) {
    if (run.rounds.length === 0 || baseRound(run) !== undefined || lastRound(run) !== undefined) return undefined;
    return "No records are held out: a training loss does not show how the model answers new questions.";
  },

  fewHeldOut({ run }) {
    const few = scoresOfRound(baseRound(run) ?? lastRound(run) ?? EMPTY).filter(
      ({ records }) => records > 0 && records < FEWEST_RECORDS,
    );
    if (few.length === 0) return undefined;
    const named = few.map(({ set, records }) => `${set} ${records}`);
    return `Held-out sets of fewer than ${FEWEST_RECORDS} records say little: ${some(named)}.`;
  },

  notAllEvaluated({ run, course }) {
    const last = lastRound(run);
    const sets = new Set(last && scoresOfRound(last).map(({ set }) => set));
    if ([...sets].every((set) => set === COMMON_SET)) return undefined;
    const without = [...course.records.keys()].filter((client) => !sets.has(client));
    if (without.length === 0 || without.length === course.records.size) return undefined;
    return `${without.length} of ${course.records.size} clients have no held-out score of their own at the end: ${some(without)}.`;
  },

  late({ course }) {
    const late = course.rounds.flatMap((round) => lateClients(round).map((client) => ({ client, round: round.round })));
    if (late.length === 0) return undefined;
    const rounds = new Set(late.map(({ round }) => round));
    return `A deadline closed ${counted(rounds.size, "round")} of ${course.rounds.length} without somebody: ${some(tally(late.map(({ client }) => client)))}.`;
  },

  refused({ run }) {
    const refused = run.rounds.flatMap((round) => [...round.refused.keys()]);
    if (refused.length === 0) return undefined;
    return `${counted(refused.length, "update")} did not enter the result: ${some(tally(refused))}.`;
  },

  cutRecords({ course }) {
    const sum = (key: "records" | "truncated" | "dropped"): number =>
      [...course.read.values()].reduce((total, each) => total + each[key], 0);
    const [cut, dropped] = [sum("truncated"), sum("dropped")];
    if (cut + dropped === 0) return undefined;
    return `Of ${counted(sum("records"), "training record")}, ${cut} lost their end to data.maxLength and ${dropped} were left out.`;
  },

  bestOnSameSet({ run }) {
    if (run.chosenOn === "validation" || (run.chosenOn === undefined && !run.stoppedEarly)) return undefined;
    return CHOSEN_ON_REPORTED;
  },

  fewQuestions({ run }) {
    const asked = new Map(
      run.rounds.flatMap(({ benchmarks }) => benchmarks.map(({ benchmark, questions }) => [benchmark, questions])),
    );
    const few = [...asked].filter(([, questions]) => questions < FEWEST_QUESTIONS);
    if (few.length === 0) return undefined;
    const named = few.map(([benchmark, questions]) => `${benchmark} ${questions}`);
    return `Benchmarks of fewer than ${FEWEST_QUESTIONS} questions have wide intervals: ${some(named)}.`;
  },

  stillFalling({ run }) {
    const [before, last] = overallLosses(run).slice(-2);
    if (!run.finished || run.stoppedEarly || before === undefined || last === undefined) return undefined;
    // From before training to the end, every run that learns falls.
    if (before.round === 0 || before.loss - last.loss <= FALL * Math.abs(before.loss)) return undefined;
    return `Held-out loss still fell from round ${before.round} to round ${last.round} (${change(before.loss, last.loss)}): more rounds may give more.`;
  },

  oneSeed({ run, seeds }) {
    if (seeds > 1) return undefined;
    return `This is one run with one seed (${run.seed}): another seed gives other numbers, and nothing here shows how far apart they lie.`;
  },

  notTuned({ run, tuned }) {
    const rate = section(run.config["training"])["learningRate"];
    if (tuned || typeof rate !== "number") return undefined;
    return `The learning rate ${rate} was not tuned here: at another rate another method may be the best.`;
  },

  simulated({ run, course }) {
    if (course.read.size === 0 || course.rounds.length === 0) return undefined;
    const { algorithm } = section(run.config["federation"]);
    if (algorithm === "local" || algorithm === "centralized") {
      return `The algorithm ${algorithm} is a baseline: it has no federation, and sends nothing.`;
    }
    return "The federation was simulated: one process held the records of all clients, and no network lay between them.";
  },
} as const satisfies Readonly<Record<string, Doubt>>;

/** A sentence on a best round that no validation part has chosen. */
export const CHOSEN_ON_REPORTED = "The best round was chosen on the records that are reported: its score is too good.";

const EMPTY = { heldOut: new Map(), personal: new Map() } as never;

/** The sentences of all rules that find a reason. */
export function doubtsOf(figures: RunFigures): string[] {
  return Object.values<Doubt>(DOUBTS).flatMap((rule) => rule(figures) ?? []);
}

/** A sentence on a held-out loss that rose; undefined if it did not. */
export function heldOutRise(before: number, after: number, start: string): string | undefined {
  if (!(after > before)) return undefined;
  return `Held-out loss rose from ${number(before)} before training to ${number(after)} at the end (${change(before, after)}): the adapter answers new questions worse than ${start}. A lower training.learningRate or fewer passes (training.localEpochs or localSteps, federation.rounds) may help.`;
}

/** What a run has before training. */
export function startText(model: unknown): string {
  return section(model)["adapter"] === undefined ? "the base" : "the adapter that it started from";
}

/** A sentence on a client that is going to make many passes; undefined for few. `epochs`: `localEpochs` is set. */
export function manyPassesAhead({ client, passes, records }: Passes, epochs: boolean): string | undefined {
  if (!(passes > MOST_PASSES)) return undefined;
  return `${client} goes ${times(passes)} through its ${counted(records, "record")} in this run and may learn them by heart; a lower ${epochs ? "training.localEpochs" : "training.localSteps"} or federation.rounds makes fewer passes.`;
}

function section(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function roundText(round: number): string {
  return round === 0 ? "before training" : `after round ${round}`;
}

function number(value: number): string {
  return value.toFixed(3);
}

function change(before: number, after: number): string {
  const percent = (100 * (after - before)) / Math.abs(before);
  return Number.isFinite(percent) ? `${percent < 0 ? "" : "+"}${percent.toFixed(1)}%` : "from 0";
}

function times(passes: number): string {
  return `${passes < 10 ? Number(passes.toFixed(1)) : Math.round(passes)} times`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** `bank (2 times), mill` */
function tally(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${name} (${count} times)`));
}

function some(names: readonly string[]): string {
  const shown = names.length <= MOST_NAMES + 1 ? names : names.slice(0, MOST_NAMES);
  const rest = names.length - shown.length;
  return shown.join(", ") + (rest === 0 ? "" : ` and ${rest} more`);
}
