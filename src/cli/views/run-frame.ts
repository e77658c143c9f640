import { progressBar } from "./bar.ts";
import type { Style } from "../output.ts";
import { counted, formatCount, formatDuration, formatLoss } from "./quantities.ts";
import { roundRow, WIDTHS } from "./round-row.ts";
import { someNames, type RunFacts } from "./run-facts.ts";
import type { RunProgress } from "./run-progress.ts";
import { clip, oneLine, padEnd, textWidth } from "./text-width.ts";

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const SPINNER_MS = 120;
const BAR = { least: 10, most: 40 } as const;
const GAP = 2;
const LONGEST_NAME = 18;

export interface Frame {
  readonly columns: number;
  readonly style: Style;
  /** Milliseconds since the current work began. */
  readonly elapsedMs: number;
}

/** A spinner, the current work and its time so far. */
export function waitingLine(what: string, { columns, style, elapsedMs }: Frame): string {
  const spinner = SPINNER[Math.floor(elapsedMs / SPINNER_MS) % SPINNER.length]!;
  const time =
    elapsedMs < 1000 ? "" : style("dim", ` ${formatDuration(Math.floor(elapsedMs / 1000)).replace(".0s", "s")}`);
  return clip(`${style("cyan", spinner)} ${what}${time}`, columns);
}

/** The facts of a run, above its rounds. */
export function runHeading(
  facts: RunFacts,
  progress: RunProgress,
  { columns, style }: Pick<Frame, "columns" | "style">,
): string[] {
  const { start } = progress;
  if (start === undefined) return [];
  const { clients, rounds, algorithm, adapterParameters } = start;
  const line = (label: string, text: string): string => clip(`  ${style("dim", label.padEnd(9))}${text}`, columns);
  return [
    line("model", `${style("bold", oneLine(facts.model))}  ${facts.architecture}`),
    line("adapter", `${formatCount(adapterParameters)} parameters, ${facts.adapter}`),
    line(
      "clients",
      `${style("bold", formatCount(clients.length))}  ${someNames(
        clients.map(({ name }) => name),
        4,
      )}`,
    ),
    line("rounds", `${style("bold", formatCount(rounds))}  ${algorithm}`),
    line("folder", oneLine(facts.folder)),
    "",
  ];
}

/** The redrawn lines: a round that waits for its evaluation, and the current work. */
export function liveLines(progress: RunProgress, facts: RunFacts, frame: Frame): string[] {
  const { start, pending } = progress;
  if (start === undefined) return [];
  if (progress.ended) {
    return facts.prompts === 0
      ? []
      : [waitingLine(`answering ${counted(facts.prompts, "prompt")}, before and after`, frame)];
  }
  const lines =
    pending === undefined
      ? []
      : [clip(roundRow(pending, start.rounds, frame.style, facts.measuresAccuracy), frame.columns)];
  if (progress.round === undefined) return [...lines, waitingLine("evaluating held-out records", frame)];
  return [...lines, trainingLine(progress, frame)];
}

/** `    3/10 ━━━━━━━╸───  bank  2 of 4  step 7/10  loss 2.314  312 tok/s  ETA 12m 30s`, as far as it fits. */
function trainingLine(progress: RunProgress, { columns, style, elapsedMs }: Frame): string {
  const { current, secondsLeft, loss, supervisedTokensPerSecond: speed } = progress;
  const { round, clients } = progress.round!;
  const place = `${round}/${progress.start!.rounds}`;
  if (current === undefined) return waitingLine(`round ${place}, first client`, { columns, style, elapsedMs });
  const lead = `${place.padStart(WIDTHS.round)} `;
  const names = clients.map((name) => clip(oneLine(name), LONGEST_NAME));
  const widest = names.reduce((most, name) => Math.max(most, textWidth(name)), 0);
  const digits = String(clients.length).length;
  // Each part has its greatest width, so that the bar keeps its length. In a narrow line the lowest ranks are left out.
  const parts = [
    { rank: 9, text: padEnd(clip(oneLine(current.name), LONGEST_NAME), widest) },
    { rank: 1, text: `${String(current.place).padStart(digits)} of ${clients.length}` },
    { rank: 4, text: `step ${String(current.step).padStart(String(current.steps).length)}/${current.steps}` },
    ...(loss === undefined ? [] : [{ rank: 5, text: `loss ${formatLoss(loss)}` }]),
    ...(speed === undefined ? [] : [{ rank: 2, text: `${formatCount(speed).padStart(5)} tok/s` }]),
    ...(secondsLeft === undefined ? [] : [{ rank: 6, text: `ETA ${formatDuration(secondsLeft).padEnd(7)}` }]),
  ];
  const free = columns - textWidth(lead) - BAR.least;
  const width = (): number => parts.reduce((sum, { text }) => sum + GAP + textWidth(text), 0);
  while (parts.length > 1 && width() > free) {
    const lowest = parts.reduce((a, b) => (b.rank < a.rank ? b : a));
    parts.splice(parts.indexOf(lowest), 1);
  }
  const { done, left } = progressBar(
    progress.roundFraction,
    Math.max(1, Math.min(BAR.most, BAR.least + free - width())),
  );
  const texts = parts.map(({ text }) => " ".repeat(GAP) + text).join("");
  return clip(`${lead}${style("cyan", done)}${style("dim", left)}${texts}`.trimEnd(), columns);
}
