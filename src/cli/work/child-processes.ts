import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Output } from "../output.ts";
import { oneLine } from "../views/text-width.ts";
import { pluginArgs } from "./plugins.ts";

/** This program, as a child process starts it. */
const PROGRAM = fileURLToPath(new URL("../main.js", import.meta.url));

/** A part of a rehearsal: a command in a process of its own. */
export interface Part {
  /** Stands before each line that it writes. */
  readonly name: string;
  readonly args: readonly string[];
}

/**
 * Runs commands of this program side by side, each in a process of its own, and shows their lines with the name before them.
 * Ends when all have ended.
 *
 * @throws UserError of the kind of the first that fails; the others are stopped then. `interrupted` once `signal` is aborted:
 * each part has stopped by itself before.
 */
export async function runParts(parts: readonly Part[], output: Output, signal: AbortSignal): Promise<void> {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const children: ChildProcess[] = [];
  const failures: { readonly name: string; readonly code: number | null }[] = [];
  const stop = (name: NodeJS.Signals): void => {
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill(name);
  };
  const onAbort = (): void => stop("SIGINT");
  signal.addEventListener("abort", onAbort);
  // A child that is left behind would wait for a federation that nobody leads.
  const onExit = (): void => stop("SIGKILL");
  process.on("exit", onExit);
  try {
    await Promise.all(
      parts.map(async ({ name, args }) => {
        const child = spawn(process.execPath, [PROGRAM, ...args, ...pluginArgs()], {
          stdio: ["ignore", "pipe", "pipe"],
          // In a group of its own: Ctrl-C reaches it through this process only, once.
          detached: process.platform !== "win32",
        });
        children.push(child);
        const label = `[${oneLine(name)}]`.padEnd(width + 3);
        showLines(child, (line) => output.write(`${label}${line}\n`));
        const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
        if (code === 0) return;
        failures.push({ name, code });
        stop("SIGTERM");
      }),
    );
  } finally {
    signal.removeEventListener("abort", onAbort);
    process.off("exit", onExit);
  }
  if (signal.aborted) {
    throw new UserError("interrupted", "Stopped; each part keeps what it has done.", {
      hint: "Run the same command again to continue.",
    });
  }
  const [first] = failures;
  if (first === undefined) return;
  throw new UserError("training", `${first.name} ended with exit code ${first.code ?? "of a signal"}.`, {
    hint: "Its last lines above say why. Run the same command again to continue.",
  });
}

function showLines(child: ChildProcess, show: (line: string) => void): void {
  for (const stream of [child.stdout!, child.stderr!]) {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) show(line);
    });
    stream.on("end", () => {
      if (rest !== "") show(rest);
    });
  }
}
