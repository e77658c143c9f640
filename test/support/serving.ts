import { spawn } from "node:child_process";
import { once } from "node:events";
import { CLI } from "./cli.ts";

export interface ServeProcess {
  /** The base URL for a client. */
  readonly url: string;
  /** What it wrote to stderr so far. */
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** `openfedllm serve` as a process of its own at a free port; resolves once it listens. */
export async function startServe(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
  ...args: string[]
): Promise<ServeProcess> {
  const child = spawn(process.execPath, [CLI, "serve", "--port", "0", ...args], {
    cwd: folder,
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += String(chunk)));
  const ended = once(child, "exit").then(([code]) => code as number | null);
  let written = "";
  for await (const chunk of child.stdout) {
    written += String(chunk);
    const url = /^listening at (\S+)$/m.exec(written)?.[1];
    if (url === undefined) continue;
    return { url, log: () => log, signal: (name) => child.kill(name), ended };
  }
  throw new Error(`the server ended: ${log}`);
}
