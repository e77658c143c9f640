import type { EventOf } from "../../federation/events.ts";
import { benchmarkText } from "./benchmark-text.ts";
import { earlyStopText } from "./best-round-text.ts";
import type { LiveArea } from "./live-area.ts";
import type { Output } from "../output.ts";
import { membershipText, withheldText } from "./membership-text.ts";
import { roundHeading, roundRow } from "./round-row.ts";
import { dataNote, type RunFacts } from "./run-facts.ts";
import { type Frame, liveLines, runHeading, waitingLine } from "./run-frame.ts";
import { type RoundResult, RunProgress } from "./run-progress.ts";
import type { RunView } from "./run-view.ts";
import { clip, oneLine } from "./text-width.ts";
import { workClock } from "./work-clock.ts";

/** Shows a run on a terminal: finished rounds scroll up, and the current step is redrawn below them. */
export function liveView(output: Output, area: LiveArea): RunView {
  let facts: RunFacts | undefined;
  let progress: RunProgress | undefined;
  let trained = false;
  let doing: string | undefined;
  let phaseStarted = performance.now();
  const clock = workClock();
  const reports: EventOf<"data-report">[] = [];
  const frame = (): Frame => {
    // The last column stays free: some terminals wrap when it is written.
    return { columns: (output.columns() ?? 80) - 1, style: output.style, elapsedMs: performance.now() - phaseStarted };
  };
  const row = (round: RoundResult | undefined): void => {
    if (round !== undefined)
      area.print([
        clip(roundRow(round, progress!.start!.rounds, output.style, facts!.measuresAccuracy), frame().columns),
      ]);
  };
  const warn = (text: string): void => area.print([clip(`  ${output.style("yellow", text)}`, frame().columns)]);
  const heading = (): void => {
    const note = dataNote(reports, facts!.maxLength);
    area.print(runHeading(facts!, progress!, frame()));
    if (note !== undefined) warn(note);
    area.print([clip(roundHeading(output.style, facts!.measuresAccuracy), frame().columns)]);
  };

  return {
    begin(given) {
      facts = given;
      progress = new RunProgress(given);
    },
    event(event) {
      if (facts === undefined || progress === undefined) return;
      if (event.type !== "client-step") phaseStarted = performance.now();
      doing = undefined;
      trained ||= event.type === "round-start";
      // An event after the evaluation completes the round's row.
      const follows = ["early-stop", "evaluation-withheld", "benchmark-end"].includes(event.type);
      const completed = progress.apply(event);
      row(follows ? progress.takePending() : completed);
      if (event.type === "benchmark-end") area.print([clip(`  ${benchmarkText(event)}`, frame().columns)]);
      if (event.type === "evaluation-withheld") warn(withheldText(event));
      if (event.type === "early-stop") warn(earlyStopText(event));
      if (event.type === "data-report") reports.push(event);
      if (event.type === "run-start") {
        heading();
        area.show(() => {
          const waiting = doing === undefined ? [] : [waitingLine(oneLine(doing), frame())];
          return waiting.length > 0 ? waiting : liveLines(progress!, facts!, frame());
        });
      }
      if (event.type === "run-end" && !trained) warn(`all ${event.rounds} rounds were already done`);
      if (event.type === "run-resume") warn(`continuing with round ${event.afterRound + 1}`);
      if (event.type === "client-declined" || event.type === "client-joined" || event.type === "client-left")
        warn(membershipText(event));
      if (event.type === "client-refused")
        warn(`round ${event.round} leaves out ${oneLine(event.client)}: ${oneLine(event.reason)}`);
    },
    note: warn,
    counting(work) {
      doing = clock.text(work);
    },
    close() {
      row(progress?.takePending());
      area.clear();
    },
  };
}
