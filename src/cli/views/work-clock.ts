import type { CountedWork, OnCount } from "../../concurrency/counted-work.ts";
import { formatCount, formatDuration } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** A rate of less time says little. */
const FIRST_MS = 500;

/** Tells the progress of one piece of counted work after the other. */
export function workClock(now: () => number = () => performance.now()) {
  let what = "";
  let begun = { at: 0, done: 0 };
  let last = 0;
  return {
    /** `tokenising: 3,200 of 10,000 records, 1,530 a second, about 4s left` */
    text(work: CountedWork): string {
      if (work.what !== what || work.done < last) {
        what = work.what;
        // What was done before the first call may come from a cache, or took unknown time.
        begun = { at: now(), done: work.done };
      }
      last = work.done;
      const ms = now() - begun.at;
      const done = work.done - begun.done;
      const rate = (1000 * done) / ms;
      const pace =
        ms < FIRST_MS || done === 0 || work.done === work.of
          ? ""
          : `, ${rateText(rate)}, about ${formatDuration((work.of - work.done) / rate)} left`;
      return `${oneLine(work.what)}: ${formatCount(work.done)} of ${formatCount(work.of)} ${work.unit}${pace}`;
    },
    /** Seconds since the first call for the present piece of work. */
    seconds: (): number => (now() - begun.at) / 1000,
  };
}

/** Number of lines for long work in a log. */
export const LOG_QUARTERS = 4;
/** Shorter work gets no lines in a log. */
const LOG_SECONDS = 2;

/** Writes a line for each quarter of long counted work into a log. */
export function workLog(write: (line: string) => void, now?: () => number): OnCount {
  const clock = workClock(now);
  let reported = "";
  return (work) => {
    const text = clock.text(work);
    const line = `${work.what} ${Math.floor((LOG_QUARTERS * work.done) / work.of)}`;
    // Short work needs no lines, and its end shows by the next line.
    if (clock.seconds() < LOG_SECONDS || work.done === work.of || line === reported) return;
    reported = line;
    write(text);
  };
}

/** `1,530 a second`, `2.5 a second`, `12 a minute`. */
function rateText(perSecond: number): string {
  if (perSecond >= 10) return `${formatCount(Math.round(perSecond))} a second`;
  return perSecond >= 1 ? `${perSecond.toFixed(1)} a second` : `${(60 * perSecond).toFixed(1)} a minute`;
}
