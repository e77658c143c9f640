import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { watchInterruption } from "../interruption.ts";

/** The lines that a person types, or that a pipe holds. */
export interface ChatInput {
  /** The next line; undefined at the end: Ctrl-D, Ctrl-C outside an answer, or the end of a file. */
  next(): Promise<string | undefined>;
  /** Does work that Ctrl-C stops; a second Ctrl-C ends the input. */
  whileAnswering(work: (signal: AbortSignal) => Promise<void>): Promise<void>;
  close(): void;
}

/**
 * Reads a terminal, with a prompt, editing and history. Text that is typed during an answer appears at the next prompt.
 */
export function terminalInput(prompt: string): ChatInput {
  let answering: AbortController | undefined;
  const { stdin, stdout } = process;
  const screen = new Writable({
    write(chunk, _encoding, done) {
      if (answering === undefined) stdout.write(chunk as Uint8Array);
      done();
    },
  });
  Object.defineProperty(screen, "columns", { get: () => stdout.columns });
  const lines = createInterface({ input: stdin, output: screen, terminal: true, prompt });
  const typed: string[] = [];
  let ended = false;
  let left = false;
  let wake: (() => void) | undefined;
  lines.on("line", (line) => {
    typed.push(line);
    wake?.();
  });
  lines.on("close", () => {
    if (!left) stdout.write("\n");
    ended = true;
    wake?.();
  });
  lines.on("SIGINT", () => {
    if (answering !== undefined && !answering.signal.aborted) return answering.abort();
    if (answering === undefined && lines.line !== "") {
      // As in a shell, Ctrl-C discards the typed text.
      stdout.write("^C\n");
      lines.write(null, { ctrl: true, name: "e" });
      lines.write(null, { ctrl: true, name: "u" });
      return;
    }
    lines.close();
  });
  return {
    async next() {
      if (typed.length > 0) stdout.write(`${prompt}${typed[0]}\n`);
      else if (!ended) {
        lines.prompt(true);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return ended ? undefined : typed.shift();
    },
    async whileAnswering(work) {
      answering = new AbortController();
      try {
        await withSignals(() => work(answering!.signal));
      } finally {
        answering = undefined;
      }
    },
    close() {
      left = true;
      lines.close();
    },
  };
}

/**
 * Calls a function with Ctrl-C as the terminal's signal, which ends the process, and not as a key: the template and the
 * tokenizer of a model come first, they may have no end, and no key is read before theirs.
 */
function withSignals<T>(work: () => T): T {
  process.stdin.setRawMode(false);
  try {
    return work();
  } finally {
    process.stdin.setRawMode(true);
  }
}

/** Reads a pipe or a file. Ctrl-C ends the chat. */
export function pipedInput(): ChatInput {
  const lines = createInterface({ input: process.stdin, terminal: false });
  const each = lines[Symbol.asyncIterator]();
  const interruption = watchInterruption(() => lines.close());
  const { signal } = interruption;
  return {
    async next() {
      const { done, value } = await each.next();
      signal.throwIfAborted();
      return done === true ? undefined : value;
    },
    whileAnswering: (work) => work(signal),
    close() {
      interruption.dispose();
      lines.close();
    },
  };
}
