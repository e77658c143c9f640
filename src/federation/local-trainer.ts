import type { LocalResult, LocalRule } from "../optim/local-rule.ts";
import type { Params } from "../tensor/params.ts";
import type { RunEvent } from "./events.ts";

/** One optimizer step as the event stream tells it. */
export type StepReport = Omit<Extract<RunEvent, { type: "client-step" }>, "type" | "round" | "client">;

/** One client-round of local training. The same task gives the same result, bit for bit. */
export interface LocalTask {
  readonly round: number;
  readonly client: string;
  /** The adapter that training starts from; not to be changed in place. */
  readonly adapter: Params;
  readonly learningRate: number;
  readonly localRule: LocalRule;
  /** Rounds before this one that the client was drawn for: where its data order goes on. */
  readonly earlierRounds: number;
  /** Stands for all that the coordinator sends for the round: adapter, broadcast and learning rate. */
  readonly sent: string;
  readonly signal?: AbortSignal | undefined;
  /** Called once, before the first step, with the number of steps. */
  readonly onStart: (steps: number) => void;
  /** Called after every step. If it throws, the run stops: do not catch it. */
  readonly onStep: (report: StepReport) => void;
}

interface TrainingFigures {
  /** Mean training loss over `count` supervised tokens (SFT) or records (preference objectives). */
  readonly loss: number;
  readonly count: number;
  /** Further means the objective measures in training, by name; empty for SFT. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Examples and supervised tokens trained on, repeats counted. */
  readonly examples: number;
  readonly supervisedTokens: number;
}

/** A trained client, with figures or, where its records are private, without. */
export type TrainedClient = LocalResult & { readonly seconds: number } & (
    | TrainingFigures
    | { readonly [K in keyof TrainingFigures]?: undefined }
  );

/** PORT. Local training, whatever the engine. */
export interface LocalTrainer {
  train(task: LocalTask): Promise<TrainedClient>;
}
