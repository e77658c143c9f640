import type { EventOf } from "../../federation/events.ts";
import type { Prepared } from "../../experiment/prepare.ts";
import { counted, formatCount } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** Facts of a run that its events do not have, for headings and for suggested commands. */
export interface RunFacts {
  readonly model: string;
  /** `llama, 8 layers of 512` */
  readonly architecture: string;
  readonly adapter: string;
  readonly folder: string;
  readonly maxLength: number;
  readonly evaluateEvery: number;
  readonly prompts: number;
  /** True if held-out records have an accuracy: with pairs, and with labels to choose from. */
  readonly measuresAccuracy: boolean;
}

export function runFacts({ config, model }: Pick<Prepared, "config" | "model">, folder: string): RunFacts {
  const { family, layers, hiddenSize } = model.modelConfig;
  const { rank, targets } = config.adapter;
  const objective = config.objective.name === "sft" ? "" : `${config.objective.name}, `;
  return {
    model: model.ref,
    architecture: `${family}, ${counted(layers, "layer")} of ${hiddenSize}`,
    adapter: `${objective}LoRA rank ${rank} on ${Array.isArray(targets) ? targets.join(", ") : targets}`,
    folder,
    maxLength: config.data.maxLength,
    evaluateEvery: config.evaluation.every,
    prompts: config.evaluation.prompts.length,
    measuresAccuracy: config.objective.name !== "sft" || config.evaluation.labels !== undefined,
  };
}

/** `clinic, bank, workshop, cityhall` or `client-01, client-02, client-03 and 97 more`. */
export function someNames(names: readonly string[], most: number): string {
  const shown = names.length <= most + 1 ? names : names.slice(0, most);
  const rest = names.length - shown.length;
  return shown.map(oneLine).join(", ") + (rest === 0 ? "" : ` and ${formatCount(rest)} more`);
}

/** A line about records that were cut or left out; undefined if all of them fit. */
export function dataNote(reports: readonly EventOf<"data-report">[], maxLength: number): string | undefined {
  const records = reports.reduce((sum, report) => sum + report.records, 0);
  const truncated = reports.reduce((sum, report) => sum + report.truncated, 0);
  const dropped = reports.reduce((sum, report) => sum + report.dropped, 0);
  if (truncated + dropped === 0) return undefined;
  const cut = `${formatCount(truncated)} of ${counted(records, "record")} cut to ${maxLength} tokens`;
  const out = `${truncated > 0 ? formatCount(dropped) : `${formatCount(dropped)} of ${counted(records, "record")}`} left out: the answer starts ${truncated > 0 ? "later" : `after ${maxLength} tokens`}`;
  const parts = [...(truncated > 0 ? [cut] : []), ...(dropped > 0 ? [out] : [])];
  const affected = reports.filter((report) => report.truncated + report.dropped > 0).map(({ client }) => client);
  return `${parts.join(", ")} (${someNames(affected, 3)})`;
}
