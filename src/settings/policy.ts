import { clientPrivacyOf } from "./client-privacy.ts";
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
    ...privacyReasons(allow.privacy, config),
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

/** Reasons against the privacy of a task, where a site asks for any. */
function privacyReasons(
  least: SiteSettings["allow"]["privacy"],
  config: ExperimentConfig,
): readonly (string | undefined)[] {
  if (least === undefined) return [];
  const clients = config.data.clients?.length ?? config.federation.clients ?? 1;
  const privacy = clientPrivacyOf(config, clients);
  if (privacy === undefined) return ["the task has no privacy.client, and this site asks for it"];
  return [
    above("as privacy.client.epsilon", privacy.epsilon, least.maxEpsilon),
    above("as privacy.client.delta", privacy.delta, least.maxDelta),
    notIn("privacy.client.mechanism", privacy.mechanism, least.mechanisms),
  ];
}

function notIn(what: string, value: string, allowed: readonly string[] | undefined): string | undefined {
  if (allowed === undefined || allowed.includes(value)) return undefined;
  return `${what} is ${value}, and this site allows ${allowed.join(", ")}`;
}

function above(what: string, value: number, most: number | undefined): string | undefined {
  return most === undefined || value <= most ? undefined : `${value} ${what}, and this site allows ${most}`;
}
