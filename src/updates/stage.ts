import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";

/** The place of an update in a run: the client and the coordinator know the same. */
export interface StageContext {
  readonly round: number;
  readonly client: string;
  /** The global adapter that the client was sent. */
  readonly received: Params;
  /** Streams of random numbers for this stage of this client-round, one a key. */
  readonly random: (...key: (string | number)[]) => RandomStream;
}

/**
 * A step of processing between the client and the coordinator: pure functions over the groups of an update. The group
 * `delta` is the change of the adapter; the other groups belong to the algorithm.
 */
export interface Stage {
  readonly name: string;
  /** The client's side: makes the groups to send from those of the stage before. */
  readonly encode: (groups: Groups, context: StageContext) => Groups;
  /** The coordinator's side: undoes `encode` as far as that is possible. The result has the shape that `encode` was given. */
  readonly decode: (groups: Groups, context: StageContext) => Groups;
  /** Gives the shape of what `encode` returns, as groups with arbitrary values. `groups` has the shape of its input. */
  readonly shape: (groups: Groups) => Groups;
}

/** Declares a stage with its settings, the other keys of its entry in `federation.stages`. */
export function defineStage<F extends SettingFields>(stage: Declared<F, [], Stage>): Declared<F, [], Stage> {
  return stage;
}
