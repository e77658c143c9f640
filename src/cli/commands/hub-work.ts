import { type Hub, lazyHub } from "../../node/hub/hub.ts";
import type { CommandContext } from "./command-context.ts";
import { watchInterruption } from "../interruption.ts";
import { LiveArea } from "../views/live-area.ts";
import { liveStatus, plainStatus } from "../views/status.ts";

/** Runs work that may download, with a line about it and Ctrl-C. */
export async function withHub<T>(
  { stderr }: CommandContext,
  work: (tools: { readonly hub: () => Hub; readonly note: (message: string) => void }) => Promise<T>,
): Promise<T> {
  const area = new LiveArea(stderr);
  const status = stderr.live ? liveStatus(stderr, area) : plainStatus(stderr);
  const interruption = watchInterruption(() => {});
  const { signal } = interruption;
  try {
    const hub = lazyHub({ onDownload: status.downloading, onNote: status.note, signal });
    return await interruption.before(work({ hub, note: status.note }));
  } finally {
    area.clear();
    interruption.dispose();
  }
}
