import { clip, oneLine } from "./text-width.ts";
import { formatBytes } from "./quantities.ts";
import type { LiveArea } from "./live-area.ts";
import type { Output } from "./output.ts";
import { waitingLine } from "./run-frame.ts";

interface ConversionProgress {
  readonly stage: "hash" | "convert";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What is being done before there is anything to show: opening a model, converting its weights, reading data. */
export interface Status {
  readonly say: (what: string) => void;
  /** Weights being read (`hash`) or converted to the engine's layout, the first time a model is used. */
  readonly converting: (progress: ConversionProgress) => void;
}

const CONVERTING = "converting the weights (only the first time)";
/** In a log, conversion is worth a line each quarter. */
const LOG_QUARTERS = 4;

/** On a terminal: one line that is redrawn. */
export function liveStatus(output: Output, area: LiveArea): Status {
  let what = "";
  let started = performance.now();
  const draw = (): readonly string[] => {
    const frame = {
      columns: (output.columns() ?? 80) - 1,
      style: output.style,
      elapsedMs: performance.now() - started,
    };
    return [clip(waitingLine(what, frame), frame.columns)];
  };
  return {
    say(next) {
      what = oneLine(next);
      started = performance.now();
      area.show(draw);
    },
    converting({ stage, doneBytes, totalBytes }) {
      const percent = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
      what =
        stage === "hash"
          ? `reading the weights ${percent}%`
          : `${CONVERTING} ${percent}% of ${formatBytes(totalBytes)}`;
      area.show(draw);
    },
  };
}

/** In a log: a line for each thing that takes long. */
export function plainStatus(output: Output): Status {
  let reported = -1;
  return {
    say: (what) => output.write(`${oneLine(what)}\n`),
    converting({ stage, doneBytes, totalBytes }) {
      if (stage !== "convert" || totalBytes === 0) return;
      const quarter = Math.floor((LOG_QUARTERS * doneBytes) / totalBytes);
      if (quarter === reported) return;
      reported = quarter;
      output.write(`${CONVERTING} ${(100 * quarter) / LOG_QUARTERS}% of ${formatBytes(totalBytes)}\n`);
    },
  };
}
