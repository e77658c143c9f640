import type { Bytes } from "../../secagg/bytes.ts";
import { text } from "../../store/check.ts";
import { BlobError, keySegment, type Store } from "../../store/store.ts";
import { createMessage, readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";

/** The facts of a round that a client fixes before it acts on them: each has one value, whatever it is told later. */
export type Pinned = "key-list" | "masked" | "answered";

/**
 * What a client keeps for secure rounds, in a store of its own: a master key for each round, and what it has done with it. The
 * key is a blob, so that it can be deleted; the cell that names it stays.
 */
export class OwnSecretStore {
  readonly #own: Store;
  readonly #prefix: string;
  readonly #newKey: (round: number) => Bytes | Promise<Bytes>;
  #wiped = 0;

  /** @param newKey makes 32 secret bytes. Default: the platform's random numbers. */
  constructor(own: Store, client: string, newKey: (round: number) => Bytes | Promise<Bytes> = randomKey) {
    this.#own = own;
    this.#prefix = `secagg/${keySegment(client)}/`;
    this.#newKey = newKey;
  }

  /** The master key of a round, which is written before it is used. Undefined once it is deleted. */
  async master(round: number): Promise<Bytes | undefined> {
    const key = this.#key(round, "master");
    const named = await readMessage(this.#own, key, text);
    const hash =
      named ?? (await createMessage(this.#own, key, text, await this.#own.putBlob(await this.#newKey(round))));
    try {
      return new Uint8Array(await this.#own.blob(hash));
    } catch (error) {
      if (error instanceof BlobError) return undefined;
      throw error;
    }
  }

  /** Fixes a value. Returns the one that was fixed first. */
  pin(round: number, what: Pinned, value: string): Promise<string> {
    return createMessage(this.#own, this.#key(round, what), text, value);
  }

  pinned(round: number, what: Pinned): Promise<string | undefined> {
    return readMessage(this.#own, this.#key(round, what), text);
  }

  /** The identity key that signed for another client first. */
  pinIdentity(client: string, by: string): Promise<string> {
    return createMessage(this.#own, `${this.#prefix}identity/${keySegment(client)}`, text, by);
  }

  /** Deletes the master keys of all rounds up to this one, which are over. */
  async wipe(round: number): Promise<void> {
    if (round <= this.#wiped) return;
    for (const key of await this.#own.list(this.#prefix)) {
      const [, , which, what] = key.split("/");
      if (what !== "master" || Number(which?.slice("round-".length)) > round) continue;
      const hash = await readMessage(this.#own, key, text);
      if (hash !== undefined) await this.#own.forget([hash]);
    }
    this.#wiped = round;
  }

  #key(round: number, what: Pinned | "master"): string {
    return `${this.#prefix}${keys.round(round)}/${what}`;
  }
}

function randomKey(): Bytes {
  return crypto.getRandomValues(new Uint8Array(32));
}
