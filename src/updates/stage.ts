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
  /** Streams of random numbers for this stage of this round, the same for all clients. */
  readonly shared: (...key: (string | number)[]) => RandomStream;
}

/**
 * A step of processing between the client and the coordinator: pure functions over the groups of an update. The group
 * `delta` is the change of the adapter; the other groups belong to the algorithm.
 */
export interface Stage {
  readonly name: string;
  /** The client's side: makes the groups to send from those of the stage before. */
  readonly encode: (groups: Groups, context: StageContext) => Groups;
  /**
   * The coordinator's side: undoes `encode` as far as that is possible. The result has the shape that `encode` was given,
   * that of `shape`.
   */
  readonly decode: (groups: Groups, context: StageContext, shape: Groups) => Groups;
  /** Gives the shape of what `encode` returns, as groups with arbitrary values. `groups` has the shape of its input. */
  readonly shape: (groups: Groups) => Groups;
  /** Makes the bytes of what `encode` returns. Only the last stage of a list has it. Default: safetensors. */
  readonly codec?: Codec;
  /**
   * True if the client keeps what this stage and those after it lose, and adds it to its next change. False for a stage that
   * loses something and keeps nothing; absent for one that loses nothing.
   */
  readonly errorFeedback?: boolean;
}

/** The round and the client that packed bytes are of. */
export type PackedPlace = Pick<StageContext, "round" | "client">;

/** A way to write groups as bytes. The reader knows the shape of the groups, so it is not written. */
export interface Codec {
  readonly pack: (groups: Groups, context: StageContext) => Uint8Array<ArrayBuffer>;
  /**
   * Reads groups of a shape, in float64. It allocates no more than the shape says.
   *
   * @throws UserError of kind `model` for bytes that `pack` does not write for this shape and place.
   */
  readonly unpack: (bytes: Uint8Array, shape: Groups, place: PackedPlace) => Groups;
}

/** Declares a stage with its settings, the other keys of its entry in `federation.stages`. */
export function defineStage<F extends SettingFields>(stage: Declared<F, [], Stage>): Declared<F, [], Stage> {
  return stage;
}

/** A stage that changes nothing but how groups become bytes. */
export function codecStage(name: string, codec: Codec, errorFeedback: boolean): Stage {
  const asTheyAre = (groups: Groups): Groups => groups;
  return { name, encode: asTheyAre, decode: asTheyAre, shape: asTheyAre, codec, errorFeedback };
}
