import type { CommandContext } from "../command.ts";
import { LiveArea } from "./live-area.ts";
import type { Output } from "../output.ts";
import { fitsSideBySide, sideBySide } from "../tables/side-by-side.ts";
import { printable } from "./text-width.ts";
import { wordWrapper } from "./word-wrapper.ts";

/** Gets the answer of a model, piece by piece. */
type Answer = (name: string, onText: (piece: string) => void) => Promise<void>;

/** The output of a chat. */
export interface ChatScreen {
  /** Shows a line that is not an answer. */
  note(text: string): void;
  /** Asks each model and shows its answer while it is written. An answer that fails stays as far as it came. */
  show(names: readonly string[], answer: Answer): Promise<void>;
}

/** Largest number of redrawn rows: a redrawn area must not be higher than the terminal. */
const LIVE_ROWS = 16;

/** Shows several answers in columns if these are wide enough, otherwise one below the other. */
export function terminalScreen(stdout: Output): ChatScreen {
  const { style } = stdout;
  const beneath = async (names: readonly string[], answer: Answer): Promise<void> => {
    for (const name of names) {
      if (names.length > 1) stdout.write(`${style("bold", name)}\n`);
      const wrapper = wordWrapper(stdout.columns() ?? 80);
      try {
        await answer(name, (piece) => stdout.write(wrapper.add(printable(piece))));
      } finally {
        stdout.write(`${wrapper.end()}\n\n`);
      }
    }
  };
  const beside = async (names: readonly string[], answer: Answer): Promise<void> => {
    const texts = new Map(names.map((name) => [name, ""]));
    const rows = (): string[] =>
      sideBySide(
        names.map((name) => ({ name, text: texts.get(name)! })),
        stdout.columns() ?? 80,
        style,
      );
    const area = new LiveArea(stdout);
    area.show(() => rows().slice(-LIVE_ROWS));
    const ended = await Promise.allSettled(
      names.map((name) => answer(name, (piece) => texts.set(name, texts.get(name)! + printable(piece)))),
    );
    area.clear();
    stdout.write(`${rows().join("\n")}\n\n`);
    for (const each of ended) if (each.status === "rejected") throw each.reason;
  };
  return {
    note: (text) => stdout.write(`${style("dim", printable(text))}\n`),
    show: (names, answer) =>
      (names.length > 1 && fitsSideBySide(names.length, stdout.columns() ?? 80) ? beside : beneath)(names, answer),
  };
}

/** Writes answers to stdout as they are, with the model's name in brackets if there are several, and notes to stderr. */
export function plainScreen({ stdout, stderr }: CommandContext): ChatScreen {
  return {
    note: (text) => stderr.write(`${text}\n`),
    async show(names, answer) {
      for (const name of names) {
        if (names.length > 1) stdout.write(`[${name}]\n`);
        await answer(name, (piece) => stdout.write(piece));
        stdout.write("\n");
      }
    },
  };
}
