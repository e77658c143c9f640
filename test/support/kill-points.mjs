// Loaded before a command (node --import) by scripts/kill-test.mjs: kills processes with SIGKILL when this one comes to a named
// point. The points are messages to the NATS server, known by their subjects, and files that get their name.
//
//   KILL_AT   {"point", "nth", "when", "victims"}: at the n-th time; when: before, sent (not answered yet) or after
//   KILL_PIDS a folder of files NAME with a process's number each; a victim is a NAME, and `self` is this process
import { appendFileSync, readFileSync } from "node:fs";
import fs from "node:fs/promises";
import { createRequire, syncBuiltinESMExports } from "node:module";
import path from "node:path";

const at = JSON.parse(process.env.KILL_AT ?? "null");
const pids = process.env.KILL_PIDS ?? "";

/** The point of a message, by the subject that it goes to: of the coordinator, then of a member. */
const POINTS = [
  ["account", /^\$SYS\.REQ\.CLAIMS\.UPDATE$/],
  ["lead", /^fl\.s\..*\.lead$/],
  ["task", /^fl\.all\.task$/],
  ["head", /^fl\.all\.r\..*\.head$/],
  ["chunk", /^(fl\.all|up)\.r\.[^.]+\.b\.[^.]+\.\d+$/],
  ["blob", /^(fl\.all|up)\.r\.[^.]+\.b\.[^.]+\.size$/],
  ["enrol", /^enrol\./],
  ["join", /^up\.r\.[^.]+\.c\.member\./],
  ["update", /^up\.r\.[^.]+\.c\..*\.update\./],
  ["scores", /^up\.r\.[^.]+\.c\..*\.scores\./],
  ...["manifest", "roster", "open", "close", "evaluate", "evaluation", "end"].map((name) => [
    name,
    new RegExp(String.raw`^fl\.all\.r\.[^.]+\.c\.(.*\.)?${name}$`),
  ]),
];

const counts = new Map();

/** True where the process has come to the point, for the n-th time. */
function isReached(point) {
  if (point === undefined || point !== at?.point) return false;
  const count = (counts.get(point) ?? 0) + 1;
  counts.set(point, count);
  return count === at.nth;
}

function strike() {
  appendFileSync(path.join(pids, "deaths"), `${at.victims.join(" ")}\n`);
  for (const victim of at.victims) if (victim !== "self") killVictim(pids, victim);
  // This process last: it had to kill the others first.
  if (at.victims.includes("self")) process.kill(process.pid, "SIGKILL");
}

/** Kills the process whose number is in a file of the folder. */
export function killVictim(folder, victim) {
  try {
    const pid = Number(readFileSync(path.join(folder, victim), "utf8"));
    // A file that is being written is empty, and process 0 would be the whole group of this one.
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch {
    // It is dead already, or was not started yet.
  }
}

if (at !== null) {
  const { NatsConnectionImpl } = createRequire(import.meta.url)("@nats-io/nats-core/internal");
  const { request } = NatsConnectionImpl.prototype;
  NatsConnectionImpl.prototype.request = async function (subject, ...rest) {
    const point = POINTS.find(([, pattern]) => pattern.test(subject))?.[0];
    if (!isReached(point)) return request.call(this, subject, ...rest);
    if (at.when === "before") strike();
    const answer = request.call(this, subject, ...rest);
    if (at.when === "sent") setImmediate(strike);
    try {
      return await answer;
    } finally {
      if (at.when === "after") strike();
    }
  };
  for (const name of ["link", "rename"]) {
    const original = fs[name];
    fs[name] = async (...args) => {
      const reached = isReached("save");
      if (reached && at.when !== "after") strike();
      const result = await original(...args);
      if (reached && at.when === "after") strike();
      return result;
    };
  }
  syncBuiltinESMExports();
}
