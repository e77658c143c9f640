import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { UserError } from "../../diagnostics/user-error.ts";
import type { CodeOutcome } from "../../evaluation/code-runner.ts";
import { makeFolder, removeFolder } from "./program-folder.ts";
import { PYTHON_LAUNCHER, type LaunchOrder } from "./python-launcher.ts";

export interface Confinement {
  /** The interpreter itself, not a wrapper that needs an environment. */
  readonly python: string;
  /** Address space, bytes. */
  readonly memoryBytes: number;
  /** The longest a file may become, bytes. */
  readonly fileBytes: number;
  /** False leaves out the rules that only Linux has (`LaunchOrder`). */
  readonly kernelRules: boolean;
}

/** Bytes of a program's output that are kept, from its end. */
const KEPT_BYTES = 4096;
/** A program that writes more than this is stopped. */
const OUTPUT_BYTES = 8 * 2 ** 20;
/** Time for the interpreter to begin, on a busy machine. */
const START_SECONDS = 60;
/** Time after its end to read the rest of the pipes. */
const DRAIN_MILLISECONDS = 1000;

/** Leaves out site packages and `PYTHON…` variables, so that a program finds the standard library alone, everywhere. */
const FLAGS = ["-s", "-S", "-B", "-X", "utf8", "-c", PYTHON_LAUNCHER];

/**
 * Runs one Python program in a process group of its own, in a fresh folder that is removed afterwards.
 *
 * @throws UserError("config") where the interpreter does not begin, and the signal's reason where it is aborted
 */
export async function runConfined(
  program: string,
  confinement: Confinement,
  { timeoutSeconds, signal }: { readonly timeoutSeconds: number; readonly signal?: AbortSignal | undefined },
): Promise<CodeOutcome> {
  signal?.throwIfAborted();
  const folder = await makeFolder();
  try {
    const order: LaunchOrder = {
      ...confinement,
      program,
      nonce: randomUUID(),
      folder,
      parent: process.pid,
      cpuSeconds: Math.ceil(timeoutSeconds) + 1,
    };
    const ended = await watch(start(confinement.python, order), order, timeoutSeconds, signal);
    signal?.throwIfAborted();
    return outcomeOf(ended, timeoutSeconds);
  } finally {
    await removeFolder(folder);
  }
}

function start(python: string, order: LaunchOrder): ChildProcessWithoutNullStreams {
  const { folder } = order;
  const child = spawn(python, FLAGS, {
    cwd: folder,
    // A program's sets of words come in the same order every time.
    env: { HOME: folder, TMPDIR: folder, PYTHONHASHSEED: "0", ...windowsEnvironment() },
    detached: process.platform !== "win32",
    stdio: ["pipe", "pipe", "pipe"],
    windowsHide: true,
  });
  // An interpreter that died before it read its order says so by its end.
  child.stdin.on("error", () => {}).end(JSON.stringify(order));
  return child;
}

/** Python does not start there without it. */
function windowsEnvironment(): NodeJS.ProcessEnv {
  return process.platform === "win32" ? { SystemRoot: process.env["SystemRoot"], TEMP: tmpdir() } : {};
}

interface Ended {
  readonly began: boolean;
  /** The launcher's verdict: `passed`, `failed`, `limit memory`, … */
  readonly verdict: string | undefined;
  /** The reason why it was stopped from outside. */
  readonly stopped: "time" | "output" | undefined;
  readonly exit: string;
  /** The end of its output. */
  readonly written: string;
}

function watch(
  child: ChildProcessWithoutNullStreams,
  { nonce }: LaunchOrder,
  timeoutSeconds: number,
  signal: AbortSignal | undefined,
): Promise<Ended> {
  const said = new Tail();
  const written = new Tail();
  const words = (): (string | undefined)[] =>
    said.text.split("\n").map((line) => (line.startsWith(`${nonce} `) ? line.slice(nonce.length + 1) : undefined));
  let began = false;
  let stopped: Ended["stopped"];
  const kill = (): void => killGroup(child);
  let clock = setTimeout(kill, START_SECONDS * 1000);
  signal?.addEventListener("abort", kill);
  const settle = (): void => {
    clearTimeout(clock);
    signal?.removeEventListener("abort", kill);
  };
  child.stdout.on("data", (bytes: Buffer) => {
    said.add(bytes);
    if (began || !words().includes("ready")) return;
    began = true;
    clearTimeout(clock);
    clock = setTimeout(() => {
      stopped ??= "time";
      kill();
    }, timeoutSeconds * 1000);
  });
  child.stderr.on("data", (bytes: Buffer) => {
    written.add(bytes);
    if (written.total <= OUTPUT_BYTES) return;
    stopped ??= "output";
    kill();
  });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => {
      settle();
      reject(new UserError("config", `${child.spawnfile} cannot be started: ${cause.message}`, { cause }));
    });
    child.on("exit", () => {
      // It may have left processes behind, which hold its pipes open.
      kill();
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, DRAIN_MILLISECONDS).unref();
    });
    child.on("close", (code, by) => {
      settle();
      const verdict = words().findLast((word) => word !== undefined && word !== "ready");
      const exit = by === null ? `exit code ${code}` : `signal ${by}`;
      resolve({ began, verdict, stopped, exit, written: written.text.trim() });
    });
  });
}

function outcomeOf({ began, verdict, stopped, exit, written }: Ended, timeoutSeconds: number): CodeOutcome {
  if (!began) {
    throw new UserError("config", `Python did not begin a program (${exit})${written && `: ${written}`}`, {
      hint: "Set OPENFEDLLM_PYTHON to another interpreter, or reduce the load of the machine.",
    });
  }
  const because = (why: string): string => [written, why].filter(Boolean).join("\n");
  if (verdict === "passed") return { outcome: "passed", detail: written };
  if (verdict === "failed") return { outcome: "failed", detail: written };
  if (verdict !== undefined) return { outcome: "limit", detail: because(`it reached a limit: ${verdict.slice(6)}`) };
  if (stopped === "time") return { outcome: "timed-out", detail: because(`it did not end within ${timeoutSeconds} s`) };
  if (stopped === "output") return { outcome: "limit", detail: because(`it wrote more than ${OUTPUT_BYTES >> 20} MB`) };
  if (exit === "signal SIGXCPU") return { outcome: "timed-out", detail: because("it used up its processor time") };
  return { outcome: "failed", detail: because(`it ended before its last line (${exit})`) };
}

function killGroup(child: ChildProcessWithoutNullStreams): void {
  try {
    if (process.platform === "win32") child.kill();
    else if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // No process of the group is left.
  }
}

/** The end of a stream. */
class Tail {
  total = 0;
  #kept: Buffer = Buffer.alloc(0);

  add(bytes: Buffer): void {
    this.total += bytes.length;
    this.#kept = Buffer.concat([this.#kept, bytes]).subarray(-KEPT_BYTES);
  }

  get text(): string {
    return this.#kept.toString("utf8");
  }
}
