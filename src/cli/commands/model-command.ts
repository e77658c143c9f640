import type { Platform } from "../../experiment/ports.ts";
import { nodePlatform } from "../../node/platform.ts";
import type { CommandContext } from "./command-context.ts";
import { type Interruption, watchInterruption } from "../interruption.ts";
import { LiveArea } from "../views/live-area.ts";
import { liveStatus, plainStatus, type Status } from "../views/status.ts";

export interface ModelWork {
  readonly platform: Platform;
  readonly status: Status;
  readonly signal: AbortSignal;
  /** Takes the status line away, before results are written. */
  readonly clearStatus: () => void;
}

export interface ModelWorkOptions {
  /** Where relative paths start; default: the working directory. */
  readonly baseDir?: string;
  /** Whether a log has a line for each step too: of work that takes minutes. */
  readonly long?: boolean;
}

/** Runs work on a model from the command line: a status line, Ctrl-C. */
export async function withModel<T>(
  { stderr }: CommandContext,
  threads: number | undefined,
  work: (tools: ModelWork) => Promise<T>,
  { baseDir, long = false }: ModelWorkOptions = {},
): Promise<T> {
  const area = new LiveArea(stderr);
  const plain = long ? plainStatus(stderr) : quietStatus(plainStatus(stderr));
  const status = stderr.live ? liveStatus(stderr, area) : plain;
  const interruption: Interruption = watchInterruption(() => {});
  const { signal } = interruption;
  const { converting, downloading, note } = status;
  const options = {
    threads,
    ...(baseDir && { baseDir }),
    onConvert: converting,
    onDownload: downloading,
    onNote: note,
    signal,
  };
  try {
    const platform = nodePlatform(options);
    // Opening a model takes no signal, and nothing is lost by leaving it.
    return await interruption.before(work({ platform, status, signal, clearStatus: () => area.clear() }));
  } finally {
    area.clear();
    interruption.dispose();
  }
}

/** A log of these commands says only what takes long, fetching and converting a model, and what a person should know. */
function quietStatus(status: Status): Status {
  return { ...status, say: () => {} };
}
