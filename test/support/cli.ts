import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

/** The built command line, as a person runs it: `npm test` builds first. */
export const CLI = path.join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

type Environment = Readonly<Record<string, string | undefined>>;

/** The command line in a folder, called and waited for. */
export function cliIn(folder: string, env: Environment) {
  return (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [CLI, ...args], { cwd: folder, env: { ...env }, encoding: "utf8" });
}

/** A run that writes its events to stdout while it goes on. */
export function startRun(folder: string, env: Environment, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [CLI, "run", ...args, "--json"], {
    cwd: folder,
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, stdout first. */
  readonly output: string;
}

/** A command under way. */
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until it has written a text to stderr. Throws where it ends before. */
  readonly says: (text: string) => Promise<void>;
}

/** Starts a command in a folder and does not wait for it. */
export function startIn(folder: string, env: Environment, ...args: string[]): Started {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { ...env } });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (output.stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (output.stderr += String(chunk)));
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (code) => resolve({ code, ...output, output: output.stdout + output.stderr })),
  );
  const says = async (text: string): Promise<void> => {
    while (!output.stderr.includes(text)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${output.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, ended, says };
}

/** Resolves once so many lines of events have come. False where the process ended first. */
export function afterEvents(child: ChildProcess, count: number): Promise<boolean> {
  return new Promise((resolve) => {
    let seen = 0;
    child.stdout!.on("data", (chunk: Buffer) => {
      seen += String(chunk).split("\n").length - 1;
      if (seen >= count) resolve(true);
    });
    child.on("exit", () => resolve(false));
  });
}

/** Kills a run with SIGKILL once so many lines of events have come. False where it ended first. */
export async function killedAfterEvents(child: ChildProcess, count: number): Promise<boolean> {
  const alive = await afterEvents(child, count);
  child.kill("SIGKILL");
  await new Promise((resolve) =>
    child.exitCode === null && child.signalCode === null ? child.on("exit", resolve) : resolve(undefined),
  );
  return alive;
}

/** A run's events without what may differ from one time to the next, sorted. */
export function eventsOf(runFolder: string): string[] {
  return readFileSync(path.join(runFolder, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ type }) => type !== "run-resume")
    .map(({ seconds: _seconds, ...event }) => JSON.stringify(event))
    .sort();
}
