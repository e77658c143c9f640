import type { Example } from "../example.ts";
import type { PreferenceOptions } from "../preference-tokens.ts";
import type { DataRecord, LearnFrom } from "../record.ts";
import type { Template } from "../template.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { EncodeReport } from "../tokens.ts";

export interface ItemOptions extends PreferenceOptions {
  /** Tokens of one sequence, BOS and EOS included. */
  readonly maxLength: number;
}

/** One kind of training item: all that the program knows of it but the losses of the objectives that learn from it. */
export interface ItemKind<T> {
  /** Names an item in messages, such as "a pair", and several. */
  readonly one: string;
  readonly many: string;
  /** The part of a record that items are made from. */
  readonly learnFrom: LearnFrom;
  /**
   * True: items say which answers people prefer. Their answers are compared with each other or with the base at one
   * adapter, so training uses no dropout, and rewards are measured.
   */
  readonly isPreference: boolean;
  /** True: held-out records that are pairs are compared as pairs too. */
  readonly comparesHeldOutPairs: boolean;
  is(item: object): item is T & object;
  /**
   * Lists what items are made from, in order: plain values, each of which can be encoded without the others. @throws
   * UserError("data") for a record of another kind.
   */
  units(records: readonly DataRecord[]): readonly unknown[];
  /** The number of `units`, without making them. */
  countUnits(records: readonly DataRecord[]): number;
  /** Makes items of units, in order. */
  encodeUnits(
    units: readonly unknown[],
    template: Template,
    tokenizer: Tokenizer,
    options: ItemOptions,
  ): { examples: T[]; report: EncodeReport };
  /** Lists everything in an item that training depends on, for a hash. */
  parts(item: T): readonly (Example | string)[];
  /** The answer that training makes likelier; undefined where it makes none likelier. */
  wantedAnswer(item: T): Example | undefined;
  /** Undefined: no objective compares such items with the base. */
  readonly reference?: ItemReference<T>;
}

/** The log-probabilities (nats) that the frozen base gives sequences of an item: one number a sequence. */
export interface ItemReference<T> {
  sequences(item: T): readonly Example[];
  /** The numbers of an item that has them, in the order of `sequences`. */
  numbers(item: T): readonly number[];
  fill(item: T, numbers: readonly number[]): T;
}
