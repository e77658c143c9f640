import { createInterface } from "node:readline/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import type { CommandContext } from "../command.ts";

export interface AskedQuestion<T> {
  readonly text: string;
  readonly fallback: T;
  /** Returns undefined for an answer that cannot be used. */
  readonly parse: (answer: string) => T | undefined;
  /** What can be used, for a person who is asked again. */
  readonly expected: string;
}

export interface Asker {
  /** The answer, or the fallback for an empty line. */
  readonly ask: <T>(question: AskedQuestion<T>) => Promise<T>;
  readonly close: () => void;
}

/** True where questions can be asked. */
export function canAsk({ stderr }: Pick<CommandContext, "stderr">): boolean {
  return process.stdin.isTTY && stderr.live;
}

/**
 * Asks questions on the terminal. Ctrl-C and the end of the input throw a UserError of kind `interrupted` that says
 * `stopped`.
 */
export function openAsker(stopped: string): Asker {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new AbortController();
  terminal.on("SIGINT", () => gone.abort());
  terminal.on("close", () => gone.abort());
  const line = async (prompt: string): Promise<string> => {
    try {
      return await terminal.question(prompt, { signal: gone.signal });
    } catch (cause) {
      process.stderr.write("\n");
      throw new UserError("interrupted", stopped, { hint: "Run the same command again to start.", cause });
    }
  };
  return {
    async ask({ text, fallback, parse, expected }) {
      for (;;) {
        const answer = (await line(`${text} [${String(fallback)}] `)).trim();
        const value = answer === "" ? fallback : parse(answer);
        if (value !== undefined) return value;
        process.stderr.write(`Expected ${expected}.\n`);
      }
    },
    close: () => terminal.close(),
  };
}
