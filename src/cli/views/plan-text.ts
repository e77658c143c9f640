import type { MeasuredPace } from "../../experiment/plan/measured-pace.ts";
import type { Plan } from "../../experiment/plan/plan.ts";
import { manyPassesAhead } from "../../study/doubts.ts";
import { type Column, tableLines } from "../tables/table.ts";
import { counted, formatBytes, formatCount, formatDuration } from "./quantities.ts";
import { clip, oneLine, wrap } from "./text-width.ts";

export interface MeasuredPlan extends Plan {
  /** Absent where no step was measured. */
  readonly pace?: MeasuredPace;
  /** The most memory that this process had, in bytes, after the measured steps. */
  readonly peakMemory?: number;
}

/** Clients with a line of their own. */
const MOST_CLIENTS = 20;

export interface Estimate {
  /** Seconds of all optimizer steps, and of all evaluations on held-out records. */
  readonly training: number;
  readonly evaluation: number;
}

/** The time of a run at the pace of the measured steps. */
export function estimate(plan: Plan, { stepSeconds, scoringSeconds = 0 }: MeasuredPace): Estimate {
  return {
    training: plan.steps * median(stepSeconds),
    evaluation: (plan.evaluations * plan.tokensPerEvaluation * scoringSeconds) / 1000,
  };
}

/** A plan for people: what is trained, what travels, memory, time, and the passes over each client's records. */
export function planLines(plan: MeasuredPlan, { columns, epochs }: { columns: number; epochs: boolean }): string[] {
  const { model, adapter, traffic, memory, clients, pace, peakMemory } = plan;
  const share = ((100 * adapter.parameters) / model.parameters).toPrecision(2);
  const facts: [string, string][] = [
    ["model", `${oneLine(model.name)}, ${model.family}: ${formatCount(model.parameters)} parameters, frozen`],
    ["adapter", `${formatCount(adapter.parameters)} parameters in ${counted(adapter.tensors, "tensor")} (${share}%)`],
    [
      "training",
      `${counted(plan.rounds, "round")} of ${counted(plan.clientsPerRound, "client")}, ${counted(plan.steps, "optimizer step")} in all`,
    ],
    ["evaluation", evaluationText(plan)],
    ["traffic", trafficText(traffic)],
    [
      "memory",
      `${formatBytes(memory.total)}: program ${formatBytes(memory.program)}, weights ${formatBytes(memory.weights)}, the engine's copies ${formatBytes(memory.arranged)}, one micro-batch ${formatBytes(memory.step)}`,
    ],
    ...(peakMemory === undefined ? [] : [["", `measured: ${formatBytes(peakMemory)} at most`] as [string, string]]),
    ["time", timeText(plan, pace)],
  ];
  const indent = Math.max(...facts.map(([name]) => name.length)) + 2;
  const factLines = facts.flatMap(([name, text]) =>
    wrap(text, Math.max(30, columns - indent)).map((line, i) => (i === 0 ? name : "").padEnd(indent) + line),
  );
  const right = { align: "right" } as const;
  const table: Column[] = [
    { header: "client" },
    { header: "records", ...right },
    { header: "steps a round", ...right },
    { header: "passes in all", ...right },
  ];
  const shown = clients.slice(0, MOST_CLIENTS);
  const rows = shown.map(({ name, records, steps, passes }) => [
    clip(oneLine(name), 24),
    formatCount(records),
    formatCount(steps),
    passes.toFixed(1),
  ]);
  const rest = clients.length - shown.length;
  const notes = clients.flatMap(({ name, ...each }) => manyPassesAhead({ client: name, ...each }, epochs) ?? []);
  return [
    ...factLines,
    "",
    ...tableLines(table, rows),
    ...(rest === 0 ? [] : [`… and ${counted(rest, "more client")}`]),
    ...notes.slice(0, 3).flatMap((note) => ["", ...wrap(`note: ${oneLine(note)}`, columns)]),
  ];
}

function evaluationText({ evaluations, tokensPerEvaluation }: Plan): string {
  if (evaluations === 0) return "none: no record is held out (data.heldOutRecords)";
  return `${counted(evaluations, "time")} ${formatCount(tokensPerEvaluation)} tokens of held-out records`;
}

function trafficText({ up, down, round, total }: Plan["traffic"]): string {
  if (round === 0) return "nothing travels: a baseline without federation";
  return `${formatBytes(down)} to a client and ${formatBytes(up)} back in a round; ${formatBytes(round)} a round, ${formatBytes(total)} in all`;
}

function timeText(plan: Plan, pace: MeasuredPace | undefined): string {
  if (pace === undefined) return "not measured";
  const { training, evaluation } = estimate(plan, pace);
  const [least, most] = [Math.min(...pace.stepSeconds), Math.max(...pace.stepSeconds)];
  const steps = `${formatDuration(training)} of steps (three took ${seconds(least)} to ${seconds(most)} each)`;
  return `about ${formatDuration(training + evaluation)} on this machine: ${steps} and ${formatDuration(evaluation)} of evaluations`;
}

function seconds(value: number): string {
  return `${value.toPrecision(2)}s`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
