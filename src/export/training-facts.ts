import { overallLosses } from "../study/run-figures.ts";
import type { StoredRun } from "../study/stored-run.ts";

/** The facts of a run that a model card may tell: counts and means, and no name of a member. */
export interface TrainingFacts {
  readonly algorithm: string;
  readonly objective: string;
  /** The adapter that round 1 began with, as the configuration names it; undefined for a fresh one. */
  readonly startedFrom?: string | undefined;
  /** Rounds that were done. */
  readonly rounds: number;
  readonly members: number;
  /** Records trained on, repeats counted; 0 where members do not tell. */
  readonly examples: number;
  readonly supervisedTokens: number;
  readonly template: string;
  readonly maxLength: number;
  /** Mean loss over all held-out sets in nats; undefined where nothing was held out. */
  readonly heldOut:
    | { readonly sets: number; readonly records: number; readonly before: number; readonly after: number }
    | undefined;
  readonly memorisation: readonly MemorisationFact[];
  /** The configuration's section, if it has one. */
  readonly privacy: unknown;
  readonly stages: readonly string[];
}

/** Shares over all members: of training records that came out word by word, and of held-out records, which it never saw. */
export interface MemorisationFact {
  readonly adapter: string;
  readonly train: number;
  readonly heldOut: number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Reads the facts of a run. `memorisation` is the content of its `memorisation.json`, if it has been measured. */
export function trainingFacts(run: StoredRun, memorisation?: unknown): TrainingFacts {
  const section = (name: string): Json => (run.config[name] ?? {}) as Json;
  const [federation, data] = [section("federation"), section("data")];
  const members = new Set(run.rounds.flatMap(({ clients }) => [...clients.keys()]));
  const all = run.rounds.flatMap(({ clients }) => [...clients.values()]);
  const stages = (federation["stages"] ?? []) as readonly { readonly name: string }[];
  return {
    algorithm: String(federation["algorithm"]),
    objective: String(section("objective")["name"]),
    ...(typeof section("model")["adapter"] === "string" && { startedFrom: String(section("model")["adapter"]) }),
    // Members that keep their figures tell no loss.
    rounds: run.rounds.filter(({ round, clients }) => round > 0 && clients.size > 0).length,
    members: members.size,
    examples: all.reduce((sum, { examples }) => sum + examples, 0),
    supervisedTokens: all.reduce((sum, { supervisedTokens }) => sum + supervisedTokens, 0),
    template: String(data["template"]),
    maxLength: Number(data["maxLength"]),
    heldOut: heldOutOf(run),
    memorisation: memorisationOf(memorisation),
    privacy: run.config["privacy"],
    stages: stages.map(({ name }) => name),
  };
}

function heldOutOf(run: StoredRun): TrainingFacts["heldOut"] {
  const losses = overallLosses(run);
  const [before, after] = [losses[0], losses.at(-1)];
  if (before?.round !== 0 || after === undefined || after.round === 0) return undefined;
  const last = run.rounds.findLast(({ heldOut, personal }) => heldOut.size + personal.size > 0)!;
  const sets = [last.heldOut, ...last.personal.values()].flatMap((scores) => [...scores.values()]);
  const records = sets.reduce((sum, score) => sum + (score.records ?? 0), 0);
  return { sets: sets.length, records, before: before.loss, after: after.loss };
}

function memorisationOf(value: unknown): MemorisationFact[] {
  const records = (value as { records?: unknown } | undefined)?.records;
  if (!Array.isArray(records)) return [];
  return (records as readonly Json[]).flatMap((row) => {
    const train = share(row["trainExtracted"]);
    return row["client"] !== null || train === undefined
      ? []
      : [{ adapter: String(row["adapter"]), train, heldOut: share(row["heldOutExtracted"]) }];
  });
}

function share(interval: unknown): number | undefined {
  const value = (interval as { value?: unknown } | null | undefined)?.value;
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
