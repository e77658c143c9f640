import { progressBar } from "./bar.ts";
import type { Style } from "./output.ts";
import { counted, formatCount, formatDuration, formatLoss } from "./quantities.ts";
import { roundRow } from "./round-row.ts";
import { someNames, type RunFacts } from "./run-facts.ts";
import type { RunProgress } from "./run-progress.ts";
import { clip, oneLine, textWidth } from "./text-width.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const SPINNER_MS = 120;
const BAR = { least: 10, most: 40 } as const;

export interface Frame {
  readonly columns: number;
  readonly style: Style;
  /** Milliseconds since what is going on now began. */
  readonly elapsedMs: number;
}

/** A spinner, what is being done, for how long. */
export function waitingLine(what: string, { columns, style, elapsedMs }: Frame): string {
  const spinner = SPINNER[Math.floor(elapsedMs / SPINNER_MS) % SPINNER.length]!;
  const time = elapsedMs < 1000 ? "" : style("dim", ` ${formatDuration(Math.floor(elapsedMs / 1000))}`);
  return clip(`${style("cyan", spinner)} ${what}${time}`, columns);
}

/** What a run is, above its rounds. */
export function runHeading(facts: RunFacts, progress: RunProgress, { columns, style }: Pick<Frame, "columns" | "style">): string[] {
  const { start } = progress;
  if (start === undefined) return [];
  const { clients, rounds, algorithm, adapterParameters } = start;
  const line = (label: string, text: string): string => clip(`  ${style("dim", label.padEnd(9))}${text}`, columns);
  return [
    line("model", `${style("bold", oneLine(facts.model))}  ${facts.architecture}`),
    line("adapter", `${facts.adapter}, ${formatCount(adapterParameters)} parameters`),
    line("clients", `${style("bold", formatCount(clients.length))}  ${someNames(clients.map(({ name }) => name), 4)}`),
    line("rounds", `${style("bold", formatCount(rounds))}  ${algorithm}`),
    line("folder", oneLine(facts.folder)),
    "",
  ];
}

/** The lines that are redrawn: a round that waits for its evaluation, and what is going on. */
export function liveLines(progress: RunProgress, facts: RunFacts, frame: Frame): string[] {
  const { start, pending } = progress;
  if (start === undefined) return [];
  if (progress.ended) {
    return facts.prompts === 0 ? [] : [waitingLine(`answering ${counted(facts.prompts, "prompt")}, before and after`, frame)];
  }
  const lines = pending === undefined ? [] : [clip(roundRow(pending, start.rounds, frame.style), frame.columns)];
  if (progress.round === undefined) return [...lines, waitingLine("evaluating held-out records", frame)];
  return [...lines, trainingLine(progress, frame)];
}

/** `  3/10 ━━━━━━━╸─────── bank (2 of 4) step 7/10  loss 2.314  312 tok/s  12m 30s left`, as much of it as fits. */
function trainingLine(progress: RunProgress, { columns, style, elapsedMs }: Frame): string {
  const { round, rounds } = { round: progress.round!.round, rounds: progress.start!.rounds };
  const lead = `${`${round}/${rounds}`.padStart(9)} `;
  const { current } = progress;
  if (current === undefined) return waitingLine(`round ${round}/${rounds}, first client`, { columns, style, elapsedMs });
  const left = progress.secondsLeft;
  const speed = progress.supervisedTokensPerSecond;
  const part = (rank: number, text: string | undefined): { rank: number; text: string } | undefined => (text === undefined ? undefined : { rank, text });
  const of = progress.round!.clients.length;
  // The lowest ranks go first where a line is too narrow.
  const parts = [
    part(9, clip(oneLine(current.name), 18)),
    part(1, `${current.place} of ${of}`),
    part(4, `step ${current.step}/${current.steps}`),
    part(5, progress.loss === undefined ? undefined : `loss ${formatLoss(progress.loss)}`),
    part(2, speed === undefined ? undefined : `${formatCount(speed)} tok/s`),
    part(6, left === undefined ? undefined : `ETA ${formatDuration(left)}`),
  ].filter((each) => each !== undefined);
  const free = columns - textWidth(lead) - BAR.least;
  const width = (): number => parts.reduce((sum, { text }) => sum + 2 + textWidth(text), 0);
  while (parts.length > 1 && width() > free) {
    const lowest = parts.reduce((a, b) => (b.rank < a.rank ? b : a));
    parts.splice(parts.indexOf(lowest), 1);
  }
  const { done, left: track } = progressBar(progress.roundFraction, Math.max(1, Math.min(BAR.most, BAR.least + free - width())));
  return clip(`${lead}${style("cyan", done)}${style("dim", track)}${parts.map(({ text }) => `  ${text}`).join("")}`, columns);
}
