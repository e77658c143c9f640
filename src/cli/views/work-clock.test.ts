import { expect, test } from "vitest";
import { workClock, workLog } from "./work-clock.ts";

const work = (done: number, what = "scoring") => ({ what, unit: "records", done, of: 100 });

test("work of a known amount has its rate and the time left once they can be told", () => {
  let at = 0;
  const clock = workClock(() => at);
  expect(clock.text(work(0))).toBe("scoring: 0 of 100 records");
  at = 2000;
  expect(clock.text(work(20))).toBe("scoring: 20 of 100 records, 10 a second, about 8.0s left");
  expect(clock.text(work(100))).toBe("scoring: 100 of 100 records");
  // Other work begins anew.
  expect(clock.text(work(50, "answering"))).toBe("answering: 50 of 100 records");
});

test("a log has a line for each quarter of work longer than two seconds", () => {
  let at = 0;
  const lines: string[] = [];
  const count = workLog(
    (line) => lines.push(line),
    () => at,
  );
  for (let done = 0; done <= 100; done += 5) {
    count(work(done));
    at += 250;
  }
  expect(lines.map((line) => line.slice(0, 24))).toEqual([
    "scoring: 40 of 100 recor",
    "scoring: 50 of 100 recor",
    "scoring: 75 of 100 recor",
  ]);
  const short: string[] = [];
  const quick = workLog(
    (line) => short.push(line),
    () => (at += 1),
  );
  for (let done = 0; done <= 100; done++) quick(work(done));
  expect(short).toEqual([]);
});
