import { UserError } from "../diagnostics/user-error.ts";
import { decodeJson, encodeJson } from "../store/codec.ts";
import { type Store, keySegment } from "../store/store.ts";

/** The head: how far the run is. No wall-clock time is in it or in anything it names, so equal runs have equal heads. */
export interface RunHead {
  /** Rounds that are done; 0 before the first. */
  readonly round: number;
  /** sha256 of the adapter after that round (safetensors, PEFT's names) and of the algorithm's server state. */
  readonly adapter: string;
  readonly state: string;
  /** What the run was started with; a run goes on with nothing else. */
  readonly config: string;
}

/** `round-0003/open`: the round's task, for every client the same. */
export interface RoundOpening {
  readonly round: number;
  readonly clients: readonly string[];
  readonly learningRate: number;
  readonly adapter: string;
  /** sha256 of what the algorithm sends besides the adapter, or null where that is nothing. */
  readonly broadcast: string | null;
}

/** `round-0003/update/<client>`: a client's answer. Its first one counts, so a refusal stays one when a run resumes. */
export type Submission = SubmittedUpdate | SelfRefusal;

export interface SubmittedUpdate {
  readonly client: string;
  /** The adapter it trained from. */
  readonly base: string;
  readonly update: string;
  /** The client's number of records, its weight in an average. */
  readonly records: number;
  /** Mean training loss over `count` supervised tokens (SFT) or records (preference objectives). */
  readonly loss: number;
  readonly count: number;
}

export interface SelfRefusal {
  readonly client: string;
  readonly refused: string;
}

/** `round-0003/close`: the commit point. What is not named here is not in the round, however late it arrives. */
export interface RoundClose {
  readonly round: number;
  /** Ascending by client: the order of aggregation. */
  readonly accepted: readonly SubmittedUpdate[];
  readonly refused: readonly SelfRefusal[];
}

/**
 * One score of an adapter. `set` is a client's name, or `common`; `loss` is in nats per supervised token for SFT, per
 * record for preference objectives.
 */
export interface EvaluationScore {
  readonly set: string;
  /** Whose own adapter was scored, where clients keep their own; absent: the global one. */
  readonly client?: string | undefined;
  readonly records: number;
  readonly supervisedTokens: number;
  readonly loss: number;
  /** What `loss` is a mean over: supervised tokens (SFT) or records (preference objectives). */
  readonly count: number;
  /** Further means by name: what the objective measures, what `evaluation.labels` asks for. */
  readonly metrics?: Readonly<Record<string, number>> | undefined;
}

/** What an adapter came to on a benchmark. */
export interface BenchmarkScore {
  readonly benchmark: string;
  /** Whose own adapter was asked, where clients keep their own; absent: the global one. */
  readonly client?: string | undefined;
  readonly questions: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** `round-0003/evaluation`: scores of the adapter after round 3. */
export interface RoundEvaluation {
  readonly round: number;
  readonly scores: readonly EvaluationScore[];
  /** Absent where no benchmark was due. */
  readonly benchmarks?: readonly BenchmarkScore[] | undefined;
}

/** The keys of the cells. */
export const cells = {
  round: (round: number): string => `round-${String(round).padStart(4, "0")}`,
  opening: (round: number): string => `${cells.round(round)}/open`,
  updates: (round: number): string => `${cells.round(round)}/update/`,
  update: (round: number, client: string): string => `${cells.updates(round)}${keySegment(client)}`,
  close: (round: number): string => `${cells.round(round)}/close`,
  evaluation: (round: number): string => `${cells.round(round)}/evaluation`,
};

function parse(bytes: Uint8Array, where: string): unknown {
  try {
    return decodeJson(bytes);
  } catch (cause) {
    throw damaged(`The cell ${where}`, "it is not JSON", cause);
  }
}

function damaged(what: string, how: string, cause?: unknown): UserError {
  return new UserError("storage", `${what} of the run is damaged: ${how}.`, {
    hint: "Put the run folder back from a copy, or start the run in a new folder.",
    cause,
  });
}

/** A cell's message, or undefined where it was not written. Throws a `UserError` of kind `storage` for a damaged one. */
export async function readMessage(exchange: Store, key: string): Promise<unknown> {
  const bytes = await exchange.read(key);
  return bytes === undefined ? undefined : parse(bytes, key);
}

/** Writes a message once and returns the one that won. */
export async function createMessage<T>(exchange: Store, key: string, message: T): Promise<T> {
  return parse(await exchange.create(key, encodeJson(message)), key) as T;
}

/** The head and its revision; undefined where no run was started. */
export async function readHead(exchange: Store): Promise<{ revision: number; head: RunHead } | undefined> {
  const found = await exchange.head();
  if (found === undefined) return undefined;
  const head = parse(found.bytes, "head") as RunHead | null;
  if (!Number.isInteger(head?.round)) throw damaged("The cell head", "it names no round");
  return { revision: found.revision, head: head! };
}
