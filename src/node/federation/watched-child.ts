import { spawn } from "node:child_process";
import type { EnvironmentVariables } from "./environment.ts";

/** Time that a program has to end by itself, milliseconds. */
export const GRACE_MS = 10_000;

/** Time for the last words of a program that ended. */
const LAST_WORDS_MS = 200;
/** Characters of standard error that are kept. */
const KEPT = 4000;

/**
 * A small Node program between this process and its child. Its standard input is a pipe from this process: however this process
 * ends, also by SIGKILL, the system closes the pipe, and the watcher asks the child to end, and kills it after the grace. Its
 * arguments are the grace in milliseconds, the program and the arguments of that. It first writes the child's number.
 */
const WATCHER = `
const { spawn } = require("node:child_process");
const [grace, program, ...args] = process.argv.slice(1);
const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
let ending = false;
const end = () => {
  if (ending) return;
  ending = true;
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), Number(grace)).unref();
};
process.stdout.on("error", () => {});
process.stdout.write(String(child.pid));
child.on("error", (error) => {
  process.stderr.write(error.message + "\\n");
  process.exit(1);
});
child.on("exit", (code) => process.exit(code === null ? 1 : code));
process.stdin.on("data", () => {}).on("end", end).on("close", end).on("error", end);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
`;

export interface WatchedChild {
  /** Resolves once the program has ended, whatever ended it. */
  readonly ended: Promise<void>;
  readonly isOver: () => boolean;
  /** The end of its standard error. */
  readonly said: () => string;
  /** Asks the program to end (SIGTERM), and kills it after the grace. */
  stop(): Promise<void>;
}

/** Starts a program that ends with this process, however that ends. It needs nothing but Node. */
export function startWatched(program: string, args: readonly string[], env: EnvironmentVariables): WatchedChild {
  const watcher = spawn(process.execPath, ["-e", WATCHER, String(GRACE_MS), program, ...args], {
    // Its own group: Ctrl-C in the terminal reaches this process alone, which ends its work first.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...env },
    windowsHide: true,
  });
  let said = "";
  let childId = "";
  let isOver = false;
  watcher.stderr.on("data", (chunk) => (said = (said + String(chunk)).slice(-KEPT)));
  watcher.stdout.on("data", (chunk) => (childId += String(chunk)));
  watcher.stdin.on("error", () => {});
  const ended = new Promise<void>((resolve) => {
    const over = (): void => {
      isOver = true;
      resolve();
    };
    watcher.on("error", (error) => {
      said += error.message;
      over();
    });
    watcher.on("exit", (_code, signal) => {
      // Somebody killed the watcher: its child would stay.
      if (signal !== null && childId !== "") killed(Number(childId));
      setTimeout(over, LAST_WORDS_MS);
    });
    watcher.on("close", over);
  });
  return {
    ended,
    isOver: () => isOver,
    said: () => said,
    async stop() {
      watcher.stdin.end();
      await ended;
    },
  };
}

function killed(id: number): void {
  try {
    process.kill(id, "SIGTERM");
  } catch {
    // It has ended.
  }
}
