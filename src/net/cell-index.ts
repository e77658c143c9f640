import { JetStreamApiError, type JetStreamManager, type StreamInfo } from "@nats-io/jetstream";
import { Semaphore } from "../concurrency/semaphore.ts";
import { cellKey, NO_STREAM, STREAMS } from "./layout.ts";
import type { Link } from "./link.ts";

/** Every stream is asked again after this time: hints may be lost. */
const WHOLE_MS = 10_000;

/** Streams that are asked at once. */
const ASKED_AT_ONCE = 16;

/** A stream of cells of one run. */
export interface CellSource {
  readonly stream: string;
  /** The subject of the run in it. */
  readonly runSubject: string;
  /** True for the keys that count; a member may write any. */
  readonly holds: (key: string) => boolean;
  /** Called when the stream takes no further message. */
  readonly onFull?: (() => void) | undefined;
}

/** The keys in several streams. A stream is asked only where a hint named it, or after some time. */
export class CellIndex {
  readonly #keys = new Map<string, ReadonlySet<string>>();
  /** Streams to ask again, with the key that they have to hold by then. */
  readonly #hinted = new Map<string, string>();
  readonly #places = new Semaphore(ASKED_AT_ONCE);
  #wholeAt = Number.NEGATIVE_INFINITY;

  readonly #link: Link;
  readonly #manager: JetStreamManager;
  readonly #sources: () => readonly CellSource[];

  constructor(link: Link, manager: JetStreamManager, sources: () => readonly CellSource[]) {
    this.#link = link;
    this.#manager = manager;
    this.#sources = sources;
  }

  hint(stream: string, key: string): void {
    this.#hinted.set(stream, key);
  }

  /** Asks every stream at the next look. */
  forget(): void {
    this.#wholeAt = Number.NEGATIVE_INFINITY;
  }

  /** The keys that begin with `prefix`, ascending. */
  async keys(prefix: string): Promise<string[]> {
    const sources = this.#sources();
    const all = performance.now() - this.#wholeAt > WHOLE_MS;
    if (all) this.#wholeAt = performance.now();
    const asked = sources.filter(({ stream }) => all || this.#hinted.has(stream) || !this.#keys.has(stream));
    // Each waits for the line to the server: of hundreds of members, one after another takes seconds.
    await Promise.all(asked.map((source) => this.#look(source, all)));
    // Only those under the prefix are sorted: a long run has many keys.
    return sources.flatMap(({ stream }) => [...this.#keys.get(stream)!].filter((key) => key.startsWith(prefix))).sort();
  }

  async #look(source: CellSource, all: boolean): Promise<void> {
    const { stream } = source;
    const hint = this.#hinted.get(stream);
    const leave = await this.#places.acquire();
    try {
      const keys = await this.#ask(source);
      this.#keys.set(stream, keys);
      // A hint may overtake its cell: the stream is asked until it has it, or until all are asked.
      if (this.#hinted.get(stream) === hint && (all || (hint !== undefined && keys.has(hint)))) {
        this.#hinted.delete(stream);
      }
    } finally {
      leave();
    }
  }

  async #ask({ stream, runSubject, holds, onFull }: CellSource): Promise<Set<string>> {
    const filter = { subjects_filter: `${runSubject}.c.>` };
    const ask = (): Promise<StreamInfo | undefined> =>
      this.#manager.streams.info(stream, filter).catch((error: unknown) => {
        // Of a member that joins at this moment: its record comes before its stream.
        if (stream !== STREAMS.cells && error instanceof JetStreamApiError && error.code === NO_STREAM)
          return undefined;
        throw error;
      });
    const info = await this.#link.ask(`list ${stream}`, ask);
    if (info !== undefined && info.config.max_msgs > 0 && info.state.messages >= info.config.max_msgs) onFull?.();
    return new Set(
      Object.keys(info?.state.subjects ?? {})
        .map((subject) => cellKey(runSubject, subject))
        .filter(holds),
    );
  }
}
