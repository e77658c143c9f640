/** Names of the inputs of a model's graphs. The loss of a training graph has further inputs. */
export const FEEDS = {
  /** int64 [batch, length], padded on the right with any ids. */
  ids: "ids",
  /** int64 [rows]: positions in the flattened batch whose next token is predicted. */
  rows: "rows",
  /** int64 [rows]: the tokens that follow. */
  labels: "labels",
  /** int64 [batch]: number of cached positions of each row. */
  starts: "starts",
} as const;

/** Names of the inputs and outputs of a decoder as transformers.js and Optimum have them. */
export const EXPORTED = {
  /** int64 [batch, length] */
  ids: "input_ids",
  /** int64 [batch, total]: 1 for each place, earlier ones included, that may be seen. */
  mask: "attention_mask",
  /** int64 [batch, length] */
  positions: "position_ids",
  /** float32 [batch, length, vocabulary] */
  logits: "logits",
  /** float32 [batch, key heads, places, head dimension]: keys and values of a layer before these tokens. */
  past: (layer: number): readonly [string, string] => [
    `past_key_values.${layer}.key`,
    `past_key_values.${layer}.value`,
  ],
  /** float32 [batch, key heads, total, head dimension]: the same with these tokens. */
  present: (layer: number): readonly [string, string] => [`present.${layer}.key`, `present.${layer}.value`],
} as const;

/** Names of the outputs of these graphs. */
export const FETCHES = {
  /** float32 []: the objective's value. */
  loss: "loss",
  /** float32 [rows]: log-probability of each label. */
  logProbabilities: "logProbabilities",
  /** float32 [rows, vocabulary]. */
  logits: "logits",
  /**
   * float32 [2·layers·batch, key heads, length, head dimension]: keys and values of the new positions, in the order of
   * `cacheNames`.
   */
  fresh: "fresh",
} as const;

/** Names of the inputs of a layer's cached keys and values [batch, key heads, places, head dimension]. */
export function cacheNames(layer: number): string[] {
  return ["keys", "values"].map((kind) => `cached:${layer}:${kind}`);
}

export const dropoutFeed = (module: string): string => `dropout:${module}`;
export const gradientFetch = (parameter: string): string => `gradient:${parameter}`;
