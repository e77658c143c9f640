import type { NodePlatformOptions } from "../../node/platform.ts";
import type { CommandContext } from "../command.ts";
import { watchInterruption } from "../interruption.ts";
import { LiveArea } from "../views/live-area.ts";
import { liveStatus, plainStatus, type Status } from "../views/status.ts";

export interface WorkOptions {
  /** False where a terminal is not to be redrawn. Default: true. */
  readonly live?: boolean;
  /** Give a log a line for each step too: for work that takes minutes. */
  readonly long?: boolean;
  /** True for work that reacts to the signal and ends by itself. Other work is left alone at the first Ctrl-C. */
  readonly endsItself?: boolean;
}

/** The tools of work that shows a status line and that Ctrl-C stops. */
export interface Work {
  readonly status: Status;
  readonly area: LiveArea;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** The result of work that takes no signal, or an AbortError at the first Ctrl-C. */
  readonly unlessStopped: <T>(work: Promise<T>) => Promise<T>;
  /** The platform's reports, shown in the status line. */
  readonly reports: Required<Pick<NodePlatformOptions, "onConvert" | "onDownload" | "onNote" | "signal">>;
}

/** Does the work of a command, with a status line on stderr and Ctrl-C. Leaves the terminal as it was. */
export async function withStatus<T>(
  { stderr }: CommandContext,
  work: (tools: Work) => Promise<T>,
  { live = true, long = false, endsItself = false }: WorkOptions = {},
): Promise<T> {
  const area = new LiveArea(stderr);
  const plain = long ? plainStatus(stderr) : quietStatus(plainStatus(stderr));
  const status = live && stderr.live ? liveStatus(stderr, area) : plain;
  const interruption = watchInterruption(() => {});
  const { signal } = interruption;
  const unlessStopped: Work["unlessStopped"] = (running) => interruption.before(running);
  const { converting: onConvert, downloading: onDownload, note: onNote } = status;
  const reports = { onConvert, onDownload, onNote, signal };
  try {
    const running = work({ status, area, signal, unlessStopped, reports });
    return await (endsItself ? running : unlessStopped(running));
  } finally {
    area.clear();
    interruption.dispose();
  }
}

/** The status of short work in a log: only long steps, such as a download, and notes. */
function quietStatus(status: Status): Status {
  return { ...status, say: () => {} };
}
