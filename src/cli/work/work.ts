import type { NodePlatformOptions } from "../../node/platform.ts";
import type { CommandContext } from "../command.ts";
import { watchInterruption } from "../interruption.ts";
import { LiveArea } from "../views/live-area.ts";
import { liveStatus, plainStatus, type Status } from "../views/status.ts";

export interface WorkOptions {
  /** False: do not redraw lines on a terminal. Default: true. */
  readonly live?: boolean;
  /** True for work of minutes: a log gets a line for each step. */
  readonly long?: boolean;
  /** True for work that ends by itself after the signal. Other work is not waited for after the first Ctrl-C. */
  readonly endsItself?: boolean;
}

/** Tools for work with a status line that Ctrl-C stops. */
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

/** Status of short work in a log: only notes, and long steps such as a download. */
function quietStatus(status: Status): Status {
  return { ...status, say: () => {} };
}
