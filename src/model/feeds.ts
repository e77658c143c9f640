/** Names under which a model's graphs are fed. A training graph's loss has inputs of its own besides. */
export const FEEDS = {
  /** int64 [batch, length], padded on the right with anything. */
  ids: "ids",
  /** int64 [rows]: positions in the flattened batch whose next token is predicted. */
  rows: "rows",
  /** int64 [rows]: the tokens that came next. */
  labels: "labels",
  /** int64 [batch]: how many positions of each row the cache holds. */
  starts: "starts",
} as const;

/** Names under which their results are fetched. */
export const FETCHES = {
  /** float32 []: what the objective makes of the log-probabilities. */
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

/** A layer's cached keys and values [batch, key heads, places, head dimension] are fed under these names. */
export function cacheNames(layer: number): string[] {
  return ["keys", "values"].map((kind) => `cached:${layer}:${kind}`);
}

export const dropoutFeed = (module: string): string => `dropout:${module}`;
export const gradientFetch = (parameter: string): string => `gradient:${parameter}`;
