import type { Algorithm, UpdateGroups } from "../algorithms/algorithm.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { MismatchError } from "../store/check.ts";
import { BlobError, type Store } from "../store/store.ts";
import type { Stage } from "../updates/stage.ts";
import { wireShape } from "../updates/wire.ts";
import { problemWith } from "./check-update.ts";
import { asLine, readMessage, readTheirs } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  type AcceptedUpdate,
  type Member,
  type Refusal,
  type RoundClose,
  roundClose,
  type RoundOpening,
  type Submission,
  submission,
  type SubmittedUpdate,
} from "./protocol/messages.ts";
import { readAdapter } from "./round.ts";
import { byClient } from "./staleness.ts";
import { updateOfBytes } from "./update-bytes.ts";

/** A client's submission to a round; undefined where there is none. A malformed one is a refusal. */
export async function readSubmission(store: Store, round: number, client: string): Promise<Submission | undefined> {
  const found = await readTheirs(store, keys.update(round, client), submission);
  if (found instanceof MismatchError) return { client, refused: `its message is malformed: ${found.message}` };
  if (found === undefined) return undefined;
  if (found.client !== client) return { client, refused: "its message names another client" };
  return "refused" in found ? { client, refused: asLine(found.refused) } : found;
}

/** An update that can enter a round, or the reason why it cannot. */
export type Verdict = AcceptedUpdate | Refusal;

/** Judges the updates of one round. It looks at each update once, and one is in memory at a time. */
export class Judge {
  readonly #store: Store;
  readonly opening: Pick<RoundOpening, "round" | "adapter">;
  readonly #stages: readonly Stage[];
  readonly #groups: () => Promise<UpdateGroups>;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(
    store: Store,
    algorithm: Algorithm,
    opening: Pick<RoundOpening, "round" | "adapter">,
    stages: readonly Stage[] = [],
  ) {
    this.#store = store;
    this.opening = opening;
    this.#stages = stages;
    let groups: Promise<UpdateGroups> | undefined;
    this.#groups = () =>
      (groups ??= readAdapter(store, opening.adapter).then((adapter) => algorithm.update(adapter, opening.round)));
  }

  /** The verdict on a client's submission; undefined where there is none. `given`: its message, where it was read already. */
  async verdict(
    client: string,
    { records }: Pick<Member, "records">,
    given?: Submission,
  ): Promise<Verdict | undefined> {
    const known = this.#verdicts.get(client);
    if (known !== undefined) return known;
    const found = given ?? (await readSubmission(this.#store, this.opening.round, client));
    if (found === undefined) return undefined;
    const verdict = "refused" in found ? found : await this.#look(found, records);
    this.#verdicts.set(client, verdict);
    return verdict;
  }

  async #look(found: SubmittedUpdate, records: number): Promise<Verdict> {
    const { client, base, update, loss, count } = found;
    const problem =
      base !== this.opening.adapter
        ? `it was trained from another adapter (${base})`
        : loss === undefined || Number.isFinite(loss)
          ? await this.#problemWithBlob(found)
          : `its training loss is ${loss}`;
    const figures = loss === undefined ? {} : { loss, count };
    return problem === undefined ? { client, update, records, ...figures } : { client, refused: problem };
  }

  async #problemWithBlob({ update, client }: SubmittedUpdate): Promise<string | undefined> {
    const groups = await this.#groups();
    const place = { round: this.opening.round, client };
    try {
      const bytes = await this.#store.blob(update, client);
      return problemWith(updateOfBytes(bytes, groups, this.#stages, place), wireShape(groups, this.#stages));
    } catch (error) {
      // The bytes are another party's. A store that does not answer is another matter, and ends the step.
      if (error instanceof BlobError || (error instanceof UserError && error.kind === "model")) return error.message;
      throw error;
    }
  }
}

export interface DecisionOptions {
  /** Default: one without stages. */
  readonly judge?: Judge | undefined;
  /** The clients to judge, the first to arrive first. Default: all of the opening. */
  readonly arrived?: readonly string[] | undefined;
  /** Clients that were put out: their updates are refused. Default: none. */
  readonly revoked?: ReadonlySet<string> | undefined;
}

/**
 * Decides which updates are in a round, or returns the stored decision. `closesWith` of the opening takes the first so many
 * usable ones. `members` are those of the round: a client's weight is the number of records that it joined with, whatever it
 * says later.
 */
export async function decideRound(
  store: Store,
  algorithm: Algorithm,
  opening: RoundOpening,
  members: readonly Member[] | ReadonlyMap<string, Member>,
  { judge = new Judge(store, algorithm, opening), arrived = opening.clients, revoked }: DecisionOptions = {},
): Promise<RoundClose> {
  const { round, clients, closesWith } = opening;
  const closed = await readMessage(store, keys.close(round), roundClose);
  if (closed !== undefined) return closed;
  const known = members instanceof Map ? members : new Map((members as readonly Member[]).map((m) => [m.client, m]));
  const accepted: AcceptedUpdate[] = [];
  const refused: Refusal[] = [];
  // Without a limit the order of arrival does not matter, and a client that wrote in between is in.
  for (const client of closesWith === undefined ? [...clients].sort() : arrived) {
    if (accepted.length === closesWith) break;
    const member = known.get(client);
    if (member === undefined) throw new Error(`${client} is not in the roster`);
    const verdict = await judge.verdict(client, member);
    if (verdict === undefined) continue;
    if ("refused" in verdict) refused.push(verdict);
    else if (revoked?.has(client) === true) refused.push({ client, refused: PUT_OUT });
    else accepted.push(verdict);
  }
  return { round, accepted: accepted.sort(byClient), refused: refused.sort(byClient) };
}

export const PUT_OUT = "the client was put out of the federation";
