/** Two clocks further apart than this need a word to the person. */
const NOTABLE_MS = 5 * 60_000;

/** A time as a person reads it: `2026-03-01 14:05:09 UTC`. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A span as a person reads it, in its largest unit: `61 minutes`. */
export function spanText(milliseconds: number): string {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  const [count, unit] =
    seconds < 120
      ? [seconds, "second"]
      : seconds < 7200
        ? [Math.round(seconds / 60), "minute"]
        : seconds < 172_800
          ? [Math.round(seconds / 3600), "hour"]
          : [Math.round(seconds / 86_400), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Says that two clocks differ, with both times. Undefined if they agree within five minutes. */
export function clockNote(coordinator: Date, own: Date): string | undefined {
  const ahead = own.getTime() - coordinator.getTime();
  if (Math.abs(ahead) < NOTABLE_MS) return undefined;
  return `The clock of this machine (${timeText(own)}) is ${spanText(ahead)} ${ahead > 0 ? "ahead of" : "behind"} the coordinator's (${timeText(coordinator)}). Correct the one that is wrong.`;
}
