import type { Algorithm } from "../algorithms/algorithm.ts";
import { keySegment, type Store } from "../store/store.ts";
import type { Stage } from "../updates/stage.ts";
import { Judge } from "./decision.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type ClientTask, clientTask, type RoundClose, roundClose, roundOpening } from "./protocol/messages.ts";

export interface TasksOptions {
  readonly store: Store;
  readonly algorithm: Algorithm;
  readonly stages?: readonly Stage[] | undefined;
  /** A task that is older, in rounds, is given up. */
  readonly maxStaleness: number;
}

/**
 * The tasks of an asynchronous run: which client is to train from which round's adapter. A client has one at a time, and at
 * most one of each round. All of it is read from the cells; in memory it is only kept.
 */
export class Tasks {
  readonly #options: TasksOptions;
  /** Tasks so far, by the client as a segment of keys. */
  readonly #given = new Map<string, number>();
  /** Tasks that no close names, by client. */
  readonly #open = new Map<string, ClientTask>();
  readonly #arrived: ClientTask[] = [];
  readonly #judges = new Map<number, Promise<Judge>>();
  #ofRound: ReadonlySet<string> = new Set();
  #round = 0;
  #now = 0;

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Open tasks that are answered, the first to arrive first. */
  get arrived(): readonly ClientTask[] {
    return this.#arrived;
  }

  /** Open tasks without an answer, the next one on the clock of a simulation first. */
  get awaited(): readonly ClientTask[] {
    const arrived = new Set(this.#arrived);
    return [...this.#open.values()].filter((task) => !arrived.has(task)).sort(byDue);
  }

  /** True for a client that may be given a task of the round. */
  isFree(client: string): boolean {
    return !this.#open.has(client) && !this.#ofRound.has(keySegment(client));
  }

  /** Number of tasks of the round. */
  get given(): number {
    return this.#ofRound.size;
  }

  /** Goes on to the tasks of `round`, as its cells and the closes before it tell them. */
  async through(round: number): Promise<void> {
    const { store, maxStaleness } = this.#options;
    for (let next = this.#round + 1; next <= round; next++) {
      const close = await readMessage(store, keys.close(next - 1), roundClose);
      if (close !== undefined) this.#settle(close);
      for (const [client, task] of this.#open) if (next - task.round > maxStaleness) this.#drop(client);
      for (const earlier of this.#judges.keys()) if (next - earlier > maxStaleness) this.#judges.delete(earlier);
      const written = await store.list(keys.tasks(next));
      // A task of a long time ago counts and is not open any more.
      if (round - next <= maxStaleness + 1) for (const key of written) this.#add(await this.#read(key));
      this.#ofRound = new Set(written.map((key) => key.slice(keys.tasks(next).length)));
      for (const segment of this.#ofRound) this.#given.set(segment, (this.#given.get(segment) ?? 0) + 1);
      this.#round = next;
    }
  }

  /** Gives a client a task of the round. `seconds`: the time that it takes on the clock of a simulation. */
  async give(client: string, seconds: number | undefined): Promise<void> {
    const segment = keySegment(client);
    const earlierRounds = this.#given.get(segment) ?? 0;
    const round = this.#round;
    const message = { round, client, earlierRounds, ...(seconds !== undefined && { due: this.#now + seconds }) };
    this.#add(await createMessage(this.#options.store, keys.task(round, client), clientTask, message));
    this.#ofRound = new Set(this.#ofRound).add(segment);
    this.#given.set(segment, earlierRounds + 1);
  }

  /** Looks once for answers. Returns the tasks whose answers are new. */
  async look(): Promise<readonly ClientTask[]> {
    const { awaited } = this;
    const found: ClientTask[] = [];
    for (const round of new Set(awaited.map((task) => task.round))) {
      const written = new Set(await this.#options.store.list(keys.updates(round)));
      found.push(...awaited.filter((task) => task.round === round && written.has(keys.update(round, task.client))));
    }
    found.sort(byDue);
    for (const task of found) this.#arrive(task);
    return found;
  }

  /** The judge of the updates of a round. */
  judge(round: number): Promise<Judge> {
    const { store, algorithm, stages } = this.#options;
    const found =
      this.#judges.get(round) ??
      readMessage(store, keys.opening(round), roundOpening).then(
        (opening) => new Judge(store, algorithm, opening!, stages),
      );
    this.#judges.set(round, found);
    return found;
  }

  async #read(key: string): Promise<ClientTask> {
    return (await readMessage(this.#options.store, key, clientTask))!;
  }

  #add(task: ClientTask): void {
    this.#open.set(task.client, task);
  }

  #arrive(task: ClientTask): void {
    this.#arrived.push(task);
    this.#now = Math.max(this.#now, task.due ?? 0);
  }

  #settle({ accepted, refused }: RoundClose): void {
    for (const { client } of [...accepted, ...refused]) {
      this.#now = Math.max(this.#now, this.#open.get(client)?.due ?? 0);
      this.#drop(client);
    }
  }

  #drop(client: string): void {
    const at = this.#arrived.findIndex((task) => task.client === client);
    if (at >= 0) this.#arrived.splice(at, 1);
    this.#open.delete(client);
  }
}

/** By the clock of a simulation; without one by name. */
function byDue(a: ClientTask, b: ClientTask): number {
  return (a.due ?? 0) - (b.due ?? 0) || (a.client < b.client ? -1 : 1);
}
