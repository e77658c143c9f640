import type { OnCount } from "../../concurrency/counted-work.ts";
import { LOG_QUARTERS, workClock, workLog } from "./work-clock.ts";
import { clip, oneLine } from "./text-width.ts";
import { formatBytes } from "./quantities.ts";
import type { LiveArea } from "./live-area.ts";
import type { Output } from "../output.ts";
import { waitingLine } from "./run-frame.ts";

interface ConversionProgress {
  readonly stage: "hash" | "convert";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

interface Download {
  readonly repository: string;
  readonly file: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** Shows work before the first result: opening a model, converting its weights, reading data. */
export interface Status {
  readonly say: (what: string) => void;
  /** Shows that weights are read (`hash`) or converted to the layout of the engine, at the first use of a model. */
  readonly converting: (progress: ConversionProgress) => void;
  /** Shows a download from the Hub. */
  readonly downloading: (progress: Download) => void;
  /** Shows how far work of a known amount is, its rate, and the time that is left. */
  readonly counting: OnCount;
  /** Shows a sentence that stays. */
  readonly note: (text: string) => void;
}

const CONVERTING = "converting the weights (only the first time)";
/** Smallest download that gets lines in a log. */
const LOG_BYTES = 1_000_000;

/** Status on a terminal, in one redrawn line. */
export function liveStatus(output: Output, area: LiveArea): Status {
  let what = "";
  let started = performance.now();
  const clock = workClock();
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
    downloading({ repository, file, doneBytes, totalBytes }) {
      const percent = totalBytes === 0 ? 100 : Math.floor((100 * doneBytes) / totalBytes);
      what = oneLine(`downloading ${repository} ${percent}% of ${formatBytes(totalBytes)} (${file})`);
      area.show(draw);
    },
    counting(work) {
      what = clock.text(work);
      area.show(draw);
    },
    note: (text) => area.print([oneLine(text)]),
  };
}

/** Status in a log, with a line for each long piece of work. */
export function plainStatus(output: Output): Status {
  let reported = "";
  const quarterOf = (what: string, doneBytes: number, totalBytes: number): void => {
    const quarter = Math.floor((LOG_QUARTERS * doneBytes) / totalBytes);
    const line = `${what} ${(100 * quarter) / LOG_QUARTERS}% of ${formatBytes(totalBytes)}`;
    if (line === reported) return;
    reported = line;
    output.write(`${line}\n`);
  };
  return {
    say: (what) => output.write(`${oneLine(what)}\n`),
    converting({ stage, doneBytes, totalBytes }) {
      if (stage === "convert" && totalBytes > 0) quarterOf(CONVERTING, doneBytes, totalBytes);
    },
    downloading({ repository, doneBytes, totalBytes }) {
      if (totalBytes >= LOG_BYTES) quarterOf(`downloading ${oneLine(repository)}`, doneBytes, totalBytes);
    },
    counting: workLog((line) => output.write(`${line}\n`)),
    note: (text) => output.write(`${oneLine(text)}\n`),
  };
}
