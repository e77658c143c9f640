import type { Judgement } from "../updates/aggregator.ts";
import type { BenchmarkScore, ByteLedger, EvaluationScore, WithheldScore } from "./protocol/messages.ts";

/**
 * The one stream a run reports through. The terminal, `events.jsonl` and every later consumer read these; nothing in
 * the core prints. Losses are in nats, a supervised token (SFT) or a record (preference objectives); seconds are wall
 * time.
 */
export type RunEvent =
  | {
      readonly type: "run-start";
      readonly algorithm: string;
      readonly rounds: number;
      readonly adapterParameters: number;
      /** `records` is 0 for a client that does not tell. */
      readonly clients: readonly { readonly name: string; readonly records: number; readonly heldOut: number }[];
    }
  /** The run folder already held work: rounds up to and including `afterRound` are kept. */
  | { readonly type: "run-resume"; readonly afterRound: number }
  /** The client does not take part; it may join later all the same. */
  | { readonly type: "client-declined"; readonly client: string; readonly reason: string }
  /** The client is a member from this round on. */
  | {
      readonly type: "client-joined";
      readonly round: number;
      readonly client: string;
      readonly records: number;
      readonly heldOut: number;
    }
  /** The client left or was put out, and takes no part from this round on. */
  | { readonly type: "client-left"; readonly round: number; readonly client: string }
  | {
      readonly type: "round-start";
      readonly round: number;
      readonly clients: readonly string[];
      readonly learningRate: number;
      /** sha256 of the adapter the round starts from (a blob of the store). */
      readonly adapter: string;
    }
  /** Clients of the round have paid for it (privacy.client), before it was opened. */
  | {
      readonly type: "privacy-spent";
      readonly round: number;
      readonly mechanism: string;
      /** Largest ε that a client of the round has spent, at `delta`, of its `budget`. */
      readonly epsilon: number;
      readonly budget: number;
      readonly delta: number;
      /** The noise on the sum has standard deviation noiseMultiplier·clip; the sum is divided by `divisor`. */
      readonly noiseMultiplier: number;
      readonly clip: number;
      readonly divisor: number;
      /** sha256 of the key that the noise is drawn from. */
      readonly noiseKey: string;
      readonly clients: readonly { readonly client: string; readonly epsilon: number }[];
    }
  | { readonly type: "client-start"; readonly round: number; readonly client: string; readonly steps: number }
  /** Enough to replay the step elsewhere: which records in which order, at which learning rate, and what came out. */
  | {
      readonly type: "client-step";
      readonly round: number;
      readonly client: string;
      readonly step: number;
      /** This and the other figures of the step's records are absent where records are private. */
      readonly records?: readonly string[] | undefined;
      readonly learningRate: number;
      readonly loss?: number | undefined;
      /** `loss` is a mean over this many supervised tokens (SFT) or records (preference objectives). */
      readonly count?: number | undefined;
      readonly metrics?: Readonly<Record<string, number>> | undefined;
      readonly gradientNorm?: number | undefined;
      readonly supervisedTokens?: number | undefined;
      readonly seconds: number;
    }
  | {
      readonly type: "client-update";
      readonly round: number;
      readonly client: string;
      /** This and the other figures of training are absent where the client keeps them. */
      readonly loss?: number | undefined;
      /** `loss` is a mean over this many supervised tokens (SFT) or records (preference objectives). */
      readonly count?: number | undefined;
      readonly metrics?: Readonly<Record<string, number>> | undefined;
      readonly steps?: number | undefined;
      readonly examples?: number | undefined;
      readonly supervisedTokens?: number | undefined;
      readonly bytesDown: number;
      readonly bytesUp: number;
      /** The same by kind, and in float32; absent where updates and adapters travel as they are. */
      readonly ledger?: ByteLedger | undefined;
      readonly seconds?: number | undefined;
      /** sha256 of the update blob. */
      readonly update: string;
    }
  /** The client's update does not enter the round (non-finite loss or values); the round goes on if enough remain. */
  | { readonly type: "client-refused"; readonly round: number; readonly client: string; readonly reason: string }
  /**
   * `round` 0 is before any training. `set` is a client's name, or `common` for the shared held-out set; `client` whose
   * own adapter was scored, where clients keep their own.
   */
  | ({
      readonly type: "evaluation-end";
      readonly round: number;
      readonly seconds: number;
    } & EvaluationScore)
  /** The same of a set's validation part, which chooses the best round and is not reported. */
  | ({
      readonly type: "validation-end";
      readonly round: number;
      readonly seconds: number;
    } & EvaluationScore)
  /** A site does not give a score. */
  | ({ readonly type: "evaluation-withheld"; readonly round: number } & WithheldScore)
  | ({
      readonly type: "benchmark-end";
      readonly round: number;
      readonly seconds: number;
    } & BenchmarkScore)
  /** The part of an accepted update in the round's result, where the aggregator judges updates one by one. */
  | ({ readonly type: "update-weighed"; readonly round: number } & Judgement)
  | {
      readonly type: "round-end";
      readonly round: number;
      readonly accepted: readonly string[];
      readonly refused: readonly string[];
      /** The reason why the round has no aggregate; the adapter is that of the round before. */
      readonly failed?: string;
      /** Mean of the accepted clients' training losses, weighted by what each is a mean over; absent where none was sent. */
      readonly loss?: number | undefined;
      /** sha256 of the aggregated adapter. */
      readonly adapter: string;
      readonly seconds: number;
    }
  /** The frozen base's log-probabilities of a client's answers (or of the set `common`) are in the run folder. */
  | {
      readonly type: "reference-end";
      readonly client: string;
      /** `train`, `heldOut`, `validation`, or `heldOutPairs`, `validationPairs` (KTO's held-out records as pairs). */
      readonly set: string;
      readonly records: number;
      readonly seconds: number;
    }
  /** The run ends with this round, as `patience` evaluations in a row did not improve. */
  | {
      readonly type: "early-stop";
      readonly round: number;
      readonly metric: string;
      /** Present where it was taken on validation parts, and not on the records that are reported. */
      readonly chosenOn?: "validation" | undefined;
      readonly patience: number;
      /** Only a change by more than this is an improvement. */
      readonly minDelta: number;
      /** The best evaluated round, 0 for the base; absent where no evaluation gave a number. */
      readonly bestRound?: number | undefined;
      readonly bestValue?: number | undefined;
    }
  | { readonly type: "adapter-saved"; readonly round: number; readonly path: string }
  /** Records that were cut to the window, or dropped for having nothing to learn from, counted a client. */
  | {
      readonly type: "data-report";
      readonly client: string;
      readonly records: number;
      readonly truncated: number;
      readonly dropped: number;
      readonly tokens: number;
      readonly supervisedTokens: number;
      /** Records with several answers of which only the last one is learnt; absent where there are none. */
      readonly lastOnly?: number;
    }
  | {
      readonly type: "run-end";
      /** Rounds that were done: fewer than planned after an `early-stop`. */
      readonly rounds: number;
      /** sha256 of the final adapter's tensors, as stored. */
      readonly adapter: string;
      readonly seconds: number;
    };

/** The events of one type. */
export type EventOf<Type extends RunEvent["type"]> = Extract<RunEvent, { readonly type: Type }>;

export type EmitEvent = (event: RunEvent) => void;

/** Takes a run's events. */
export interface EventSink {
  readonly emit: EmitEvent;
  /** Resolves once everything emitted so far is durable; the run waits for it before each step it cannot take back. */
  flush(): Promise<void>;
}

/** The fields that, with the type, say what an event is about; the others are what came out. */
const ABOUT: readonly string[] = ["round", "client", "step", "set", "benchmark", "path"];

/**
 * Names the thing that an event is about. A run has at most one event of each identity, so a resumed run that reports a
 * thing again does not double it. Undefined for `run-resume`: each one counts.
 */
export function eventIdentity(event: RunEvent): string | undefined {
  if (event.type === "run-resume") return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...event };
  return JSON.stringify([event.type, ...ABOUT.map((field) => fields[field])]);
}
