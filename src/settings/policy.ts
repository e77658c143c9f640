import type { SiteSettings } from "./site.ts";
import type { ExperimentConfig } from "./schema.ts";

/** Facts about a task of a federation that a site judges. */
export interface Task {
  /** The settings of the task; those of files, machine and output are the site's own. */
  readonly config: ExperimentConfig;
  /** Optimizer steps of this site in a round. */
  readonly localSteps: number;
  /** Bytes of an update. */
  readonly updateBytes: number;
  /** Benchmarks of the task that run generated programs. */
  readonly runsCode: readonly string[];
}

/** Says why a site does not take part in a task, in sentences without a period; empty where its settings allow the task. */
export function reasonsToDecline({ allow }: SiteSettings, task: Task): string[] {
  const { config, localSteps, updateBytes, runsCode } = task;
  const { federation, objective, data, model, evaluation } = config;
  const megabytes = updateBytes / 1e6;
  const reasons: (string | undefined)[] = [
    notIn("the base model", model.base, allow.bases),
    notIn("the algorithm", federation.algorithm, allow.algorithms),
    notIn("the objective", objective.name, allow.objectives),
    notIn("the template", data.template, allow.templates),
    above("rounds", federation.rounds, allow.maxRounds),
    above("optimizer steps in a round", localSteps, allow.maxLocalSteps),
    above("megabytes of an update", Number(megabytes.toFixed(2)), allow.maxUploadMegabytes),
    federation.minClients < allow.minClients
      ? `a round may have ${federation.minClients} updates, and this site wants at least ${allow.minClients}`
      : undefined,
    // Benchmarks run at a site only where it keeps its own adapter.
    federation.algorithm === "local" && evaluation.benchmarks.length > 0 && !allow.benchmarks
      ? "the task runs benchmarks, and this site does not"
      : undefined,
    federation.algorithm === "local" && runsCode.length > 0 && !allow.generatedCode
      ? `${runsCode.join(", ")} runs programs that a model wrote, and this site does not`
      : undefined,
  ];
  return reasons.filter((reason) => reason !== undefined);
}

function notIn(what: string, value: string, allowed: readonly string[] | undefined): string | undefined {
  if (allowed === undefined || allowed.includes(value)) return undefined;
  return `${what} is ${value}, and this site allows ${allowed.join(", ")}`;
}

function above(what: string, value: number, most: number | undefined): string | undefined {
  return most === undefined || value <= most ? undefined : `${value} ${what}, and this site allows ${most}`;
}
