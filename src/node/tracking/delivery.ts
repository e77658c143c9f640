import { readFile } from "node:fs/promises";
import { connectionCode, unreachableReason } from "../../diagnostics/connection-error.ts";
import { excerpt } from "../../diagnostics/excerpt.ts";
import { writeAtomically } from "../store/durable-file.ts";

/** One request may take so long. */
const REQUEST_MS = 10_000;
/** The end of a run waits so long for what is not sent yet. */
const CLOSE_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Items that wait for a place that does not answer. The log has them all, and the next start sends the rest. */
const MOST_WAITING = 200_000;

/** An answer that says no: to send the same again would not help. */
export class RefusedError extends Error {}

export interface DeliveryOptions<Item> {
  /** Where to, in notes: `MLflow at http://localhost:5000`. */
  readonly to: string;
  /** File that says how many items have arrived. */
  readonly file: string;
  /** Most items of one request. */
  readonly batch: number;
  /** `first`: the number of the first item; `request` ends by itself. */
  readonly send: (items: readonly Item[], request: typeof fetch, first: number) => Promise<void>;
  readonly onNote: (note: string) => void;
  /** For tests. */
  readonly waits?: { readonly requestMs?: number; readonly closeMs?: number; readonly firstPauseMs?: number };
}

/**
 * Sends items in their order, each once but where an answer was lost. The items of a run are the same at each of its starts, so
 * the number of those that have arrived says where to go on. A place that does not answer is asked again, at growing intervals.
 */
export class Delivery<Item> {
  readonly #options: DeliveryOptions<Item>;
  readonly #waits: { readonly requestMs: number; readonly closeMs: number; readonly firstPauseMs: number };
  readonly #stop = new AbortController();
  /** Items that have not arrived; the first is number `#arrived`. */
  #waiting: Item[] = [];
  #skip: number;
  #arrived: number;
  #begun = false;
  #closing = false;
  #refused = false;
  #left = 0;
  #pumping: Promise<void> | undefined;
  #wake = (): void => undefined;

  private constructor(options: DeliveryOptions<Item>, arrived: number) {
    this.#options = options;
    this.#waits = { requestMs: REQUEST_MS, closeMs: CLOSE_MS, firstPauseMs: FIRST_PAUSE_MS, ...options.waits };
    this.#arrived = arrived;
    this.#skip = arrived;
  }

  static async open<Item>(options: DeliveryOptions<Item>): Promise<Delivery<Item>> {
    return new Delivery(options, await readArrived(options.file));
  }

  add(item: Item): void {
    if (this.#skip > 0) this.#skip--;
    else if (this.#refused || this.#left > 0 || this.#waiting.length === MOST_WAITING) this.#left++;
    else {
      this.#waiting.push(item);
      this.#pump();
    }
  }

  begin(): void {
    this.#begun = true;
    this.#pump();
  }

  /**
   * Sends what waits, for some seconds at most, and tells what did not arrive. Where all of it did, `last` follows. True where
   * all of it did.
   */
  async close(last?: (request: typeof fetch) => Promise<void>): Promise<boolean> {
    this.#closing = true;
    this.#wake();
    const timer = setTimeout(() => this.#stop.abort(), this.#waits.closeMs);
    await this.#pumping;
    if (this.#waiting.length + this.#left === 0) await last?.(this.#request).catch(() => undefined);
    clearTimeout(timer);
    const missing = this.#waiting.length + this.#left;
    if (missing > 0 && !this.#refused) {
      const { onNote, to } = this.#options;
      onNote(`note: ${missing} messages did not reach ${to}. Run the same command again to send them.`);
    }
    return missing === 0;
  }

  #pump(): void {
    if (!this.#begun || this.#refused || this.#waiting.length === 0) return;
    this.#pumping ??= this.#sendAll().finally(() => {
      this.#pumping = undefined;
      // One may have come while the last answer was on its way.
      if (!this.#closing) this.#pump();
    });
  }

  async #sendAll(): Promise<void> {
    const { to, batch, send, onNote, file } = this.#options;
    let pauseMs = 0;
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
      const items = this.#waiting.slice(0, batch);
      try {
        await send(items, this.#request, this.#arrived);
      } catch (error) {
        if (error instanceof RefusedError) {
          this.#refused = true;
          onNote(`note: ${to} refuses what is sent: ${error.message}. The run goes on without it.`);
          return;
        }
        if (pauseMs === 0 && !this.#stop.signal.aborted) {
          onNote(`note: ${to} does not answer (${reasonOf(error)}). The run goes on; what is missing is sent later.`);
        }
        if (this.#closing) return;
        pauseMs = Math.min(Math.max(2 * pauseMs, this.#waits.firstPauseMs), LONGEST_PAUSE_MS);
        await this.#pause(pauseMs);
        continue;
      }
      pauseMs = 0;
      this.#waiting = this.#waiting.slice(items.length);
      this.#arrived += items.length;
      // Where the disk is full the run itself says so; the items are then sent twice.
      await writeAtomically(file, `${JSON.stringify({ arrived: this.#arrived })}\n`).catch(() => undefined);
    }
  }

  readonly #request: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#waits.requestMs)]) });

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** @throws RefusedError for an answer that another try would not change; Error for one that it may. */
export async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (response.ok) return parsed(text);
  const problem = `HTTP ${response.status}${text === "" ? "" : `, ${excerpt(text)}`}`;
  const passes = response.status >= 500 || response.status === 408 || response.status === 429;
  throw passes ? new Error(problem) : new RefusedError(problem);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  if (name === "TimeoutError") return "no answer in time";
  return unreachableReason(connectionCode(error)) ?? message;
}

/** A file that is missing or damaged says nothing: then all is sent again. */
async function readArrived(file: string): Promise<number> {
  const stored = parsed(await readFile(file, "utf8").catch(() => "")) as { arrived?: unknown } | undefined;
  const arrived = stored?.arrived;
  return Number.isSafeInteger(arrived) && (arrived as number) >= 0 ? (arrived as number) : 0;
}
