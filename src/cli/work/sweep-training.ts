import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { isRunFolder, readStoredRun } from "../../node/store/stored-runs.ts";
import { type SweepRecord, writeSweepRecord } from "../../node/store/sweep-record.ts";
import { type SweepFile, type SweepState, stateOf } from "../../node/sweep-file.ts";
import { valueText } from "../../study/setting-texts.ts";
import type { StoredRun } from "../../study/stored-run.ts";
import type { Candidate, Method, Setting, SweepRun } from "../../study/sweep.ts";
import { type TunedMethod, tuneMethod, type Tuning } from "../../study/tuning.ts";
import type { CommandContext } from "../command.ts";
import { describeFailure } from "../failure.ts";
import { counted, formatDuration } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";
import { trainIn } from "./training.ts";

/** A run of a sweep and its run folder. */
export interface PlacedRun {
  readonly run: SweepRun;
  readonly folder: string;
}

/** A run, and what is known of it before its turn. */
export interface PlannedRun extends PlacedRun {
  /** `waiting`: its settings are not chosen yet. */
  readonly state: SweepState | { readonly state: "waiting" };
}

export interface FailedRun extends PlacedRun {
  readonly error: unknown;
}

/** A sweep in its folder. */
export class PlacedSweep {
  readonly #sweep: SweepFile;
  readonly #out: string;
  /** Candidates whose training could not go on. A learning rate that is too high may do that. */
  readonly #diverged = new Set<Candidate>();

  constructor(sweep: SweepFile, out: string) {
    this.#sweep = sweep;
    this.#out = out;
  }

  /** The runs of the methods of these names, in the order of training: those of a method's grid, then its seeds. */
  planned(only: ReadonlySet<string> | undefined): PlannedRun[] {
    return this.#methods(only).flatMap((method) => {
      const placed = [...method.candidates, ...this.#seedRuns(method)].map((run) => this.#place(run));
      const waits = method.candidates.length > 0 && this.#tuned(method).chosen === undefined;
      return placed.map((each, i): PlannedRun => {
        const isWaiting = waits && i >= method.candidates.length;
        return { ...each, state: isWaiting ? { state: "waiting" } : stateOf(each.run, each.folder) };
      });
    });
  }

  /** The runs to compare. */
  reported(): PlacedRun[] {
    return this.#sweep.methods.flatMap((method) => this.#seedRuns(method).map((run) => this.#place(run)));
  }

  /** What tuning has found so far; undefined for a sweep without it. */
  tuning(): Tuning | undefined {
    const { tune, methods } = this.#sweep;
    if (tune === undefined) return undefined;
    return {
      ...tune,
      methods: methods.filter(({ candidates }) => candidates.length > 0).map((method) => this.#tuned(method)),
    };
  }

  /** Keeps what a later comparison needs to know. */
  async keepRecord(): Promise<void> {
    const runs: SweepRecord["runs"] = this.reported().map(({ run }) => ({ folder: run.folder, name: run.name }));
    await writeSweepRecord(this.#out, { runs, tuning: this.tuning() });
  }

  /** Trains what is not finished, one run after another. A failed run does not stop the others; an interruption does. */
  async train(only: ReadonlySet<string> | undefined, context: CommandContext): Promise<FailedRun[]> {
    const { stderr } = context;
    const planned = this.planned(only);
    const finished: Finished[] = planned.flatMap(({ run, state }) =>
      state.state === "finished" ? [{ name: run.name, seconds: state.seconds }] : [],
    );
    if (finished.length > 0) stderr.write(`${finished.length} of ${counted(planned.length, "run")} already finished\n`);
    const done = new Set(planned.filter(({ state }) => state.state === "finished").map(({ folder }) => folder));
    const failures: FailedRun[] = [];
    const trainOne = async ({ run, folder }: PlacedRun): Promise<FailedRun | undefined> => {
      if (stateOf(run, folder).state === "finished") return undefined;
      const seconds = secondsLeft(
        planned.filter((each) => !done.has(each.folder)),
        finished,
      );
      const time = seconds === undefined ? "" : `, about ${formatDuration(seconds)} left`;
      const place = planned.findIndex((each) => each.folder === folder) + 1;
      stderr.write(`${stderr.style("bold", `run ${place} of ${planned.length}: ${oneLine(run.folder)}`)}${time}\n`);
      const started = performance.now();
      try {
        await trainIn(run.config, { baseDir: this.#sweep.baseDir, folder }, context);
        finished.push({ name: run.name, seconds: (performance.now() - started) / 1000 });
        return undefined;
      } catch (error) {
        if (isInterruption(error)) throw error;
        stderr.write(`${describeFailure(error, { style: stderr.style, debug: false }).lines.join("\n")}\n`);
        return { run, folder, error };
      } finally {
        done.add(folder);
      }
    };
    for (const method of this.#methods(only)) {
      const { candidates } = method;
      let hindered = false;
      for (const candidate of candidates) {
        const failed = await trainOne(this.#place(candidate));
        if (failed === undefined) continue;
        if (failed.error instanceof UserError && failed.error.kind === "training") this.#diverged.add(candidate);
        else {
          failures.push(failed);
          hindered = true;
        }
      }
      if (candidates.length > 0) {
        await this.keepRecord();
        const tuned = this.#tuned(method);
        if (!hindered) stderr.write(`${tunedText(tuned, this.#sweep.tune!.metric)}\n`);
        if (tuned.chosen === undefined) {
          if (!hindered) failures.push(this.#untuned(method));
          continue;
        }
      }
      for (const run of this.#seedRuns(method)) {
        const failed = await trainOne(this.#place(run));
        if (failed !== undefined) failures.push(failed);
      }
    }
    await this.keepRecord();
    return failures;
  }

  #methods(only: ReadonlySet<string> | undefined): readonly Method[] {
    return this.#sweep.methods.filter(({ name }) => only?.has(name) ?? true);
  }

  #place<Run extends SweepRun>(run: Run): { readonly run: Run; readonly folder: string } {
    return { run, folder: path.join(this.#out, ...run.folder.split("/")) };
  }

  #tuned(method: Method): TunedMethod {
    const runOf = (candidate: Candidate): StoredRun | undefined => {
      const { folder } = this.#place(candidate);
      // Not by its folder alone: a folder of other settings would choose for this sweep.
      return isRunFolder(folder) && stateOf(candidate, folder).state === "finished" ? readStoredRun(folder) : undefined;
    };
    return tuneMethod(method, this.#sweep.tune!, runOf, this.#diverged);
  }

  /** A method's runs of all seeds. While nothing is chosen they have the first values of the grid. */
  #seedRuns(method: Method): readonly SweepRun[] {
    const [first] = method.candidates;
    if (first === undefined) return method.runs();
    const { trials, chosen } = this.#tuned(method);
    return method.runs(trials[chosen ?? 0]!.values);
  }

  #untuned(method: Method): FailedRun {
    const error = new UserError("training", `run ${method.name}: no values of its grid end with a finite score`, {
      hint: "Add lower learning rates to its grid.",
    });
    return { ...this.#place(method.candidates[0]!), error };
  }
}

function isInterruption(error: unknown): boolean {
  return error instanceof UserError
    ? error.kind === "interrupted"
    : (error as Error | undefined)?.name === "AbortError";
}

interface Finished {
  readonly name: string;
  readonly seconds: number;
}

/** An estimate from the finished runs of the same name or, if there are none, of any name. */
function secondsLeft(left: readonly PlacedRun[], finished: readonly Finished[]): number | undefined {
  if (finished.length === 0) return undefined;
  const mean = (of: readonly Finished[]): number => of.reduce((sum, { seconds }) => sum + seconds, 0) / of.length;
  return left.reduce((sum, { run }) => {
    const alike = finished.filter(({ name }) => name === run.name);
    return sum + mean(alike.length > 0 ? alike : finished);
  }, 0);
}

/** `tuned fedavg: training.learningRate 6e-4 (validation loss 3.254), …` */
function tunedText({ name, trials, chosen, atEdge }: TunedMethod, metric: string): string {
  if (chosen === undefined) return `tuned ${oneLine(name)}: nothing chosen`;
  const { values, value } = trials[chosen]!;
  const text = values.map(([key, setting]: Setting) => `${key} ${valueText(key, setting)}`).join(", ");
  const edge =
    atEdge.length === 0 ? "" : `; ${atEdge.join(" and ")} at the edge of the grid: a value beyond it may be better`;
  return `tuned ${oneLine(name)}: ${oneLine(text)} (validation ${metric} ${value!.toFixed(3)})${edge}`;
}
