import type { Output } from "../output.ts";

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_BELOW = "\u001b[J";
const REDRAW_MS = 100;

/**
 * Lines at the bottom of a terminal that are redrawn in place, at most ten times a second, below lines that stay. The
 * cursor is hidden while there are any and comes back however the process ends (but for kill -9).
 */
export class LiveArea {
  readonly #output: Output;
  #frame: (() => readonly string[]) | undefined;
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #restore = (): void => this.#output.write(SHOW_CURSOR);

  constructor(output: Output) {
    this.#output = output;
  }

  /** Draws a frame from now on, until `clear`. `frame` gives lines no wider than the terminal. */
  show(frame: () => readonly string[]): void {
    this.#frame = frame;
    if (this.#timer !== undefined) return;
    process.on("exit", this.#restore);
    this.#output.write(HIDE_CURSOR);
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
    this.#draw();
  }

  /** Writes lasting lines above the redrawn ones. */
  print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#output.write(`${this.#erase()}${lines.join("\n")}\n`);
    if (this.#timer !== undefined) this.#draw();
  }

  /** Removes the redrawn lines and shows the cursor. */
  clear(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#frame = undefined;
    this.#output.write(`${this.#erase()}${SHOW_CURSOR}`);
    process.off("exit", this.#restore);
  }

  #draw(): void {
    const lines = this.#frame?.() ?? [];
    // One write, so that no terminal shows half of the area.
    this.#output.write(this.#erase() + lines.map((line) => `${line}\n`).join(""));
    this.#drawn = lines.length;
  }

  #erase(): string {
    const erase = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\r${CLEAR_BELOW}`;
    this.#drawn = 0;
    return erase;
  }
}
