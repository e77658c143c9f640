import type { Params } from "../tensor/params.ts";
import type { Decoder } from "./decoder.ts";
import { readPrompt } from "./prompt.ts";
import { logProbabilities } from "./token-score.ts";

interface Node {
  readonly tokens: readonly number[];
  readonly next: Map<number, Node>;
  /** Sum over the tokens up to here, nats. */
  logProbability: number;
}

export interface Continuations {
  readonly prompt: Int32Array;
  readonly continuations: readonly (readonly number[])[];
  /** Number of beginnings that run at once; default 64. */
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes the log-probabilities (nats) of many continuations of one prompt. The prompt is read once, and a beginning that
 * several continuations share is run once: ten thousand four-digit numbers take some eleven hundred short runs.
 */
export async function scoreContinuations(
  decoder: Decoder,
  adapter: Params,
  { prompt, continuations, batchSize = 64, signal }: Continuations,
): Promise<Float64Array> {
  const { leaves, inner, depth } = treeOf(continuations);
  if (prompt.length === 0) throw new RangeError("scoreContinuations: a prompt needs at least one token");
  const rows = Math.max(1, Math.min(batchSize, inner.length - 1));
  const cache = decoder.openCache(rows, prompt.length + Math.max(0, depth - 1));
  const logits = await readPrompt(decoder, adapter, { cache, row: 0, prompt, signal });
  const [root, ...others] = inner;
  if (root !== undefined) spread(root, logits);
  for (let row = 1; row < rows; row++) cache.move(0, row);
  // Shorter beginnings come first, so the log-probability that a run starts from is known.
  for (let at = 0; at < others.length; at += rows) {
    signal?.throwIfAborted();
    const some = others.slice(at, at + rows);
    const results = await decoder.extend(
      adapter,
      cache,
      0,
      some.map(({ tokens }) => tokens),
    );
    some.forEach((node, row) => {
      spread(node, results[row]!);
      cache.truncate(row, prompt.length);
    });
  }
  return Float64Array.from(leaves, ({ logProbability }) => logProbability);
}

/** Arranges continuations as a tree. `inner`: the nodes that another follows, shortest first. */
function treeOf(continuations: readonly (readonly number[])[]) {
  const root: Node = { tokens: [], next: new Map(), logProbability: 0 };
  const all: Node[] = [root];
  const leaves = continuations.map((tokens) => {
    let node = root;
    tokens.forEach((token, i) => {
      let child = node.next.get(token);
      if (child === undefined) {
        child = { tokens: tokens.slice(0, i + 1), next: new Map(), logProbability: Number.NaN };
        node.next.set(token, child);
        all.push(child);
      }
      node = child;
    });
    return node;
  });
  const inner = all.filter(({ next }) => next.size > 0).sort((a, b) => a.tokens.length - b.tokens.length);
  const depth = all.reduce((longest, { tokens }) => Math.max(longest, tokens.length), 0);
  return { leaves, inner, depth };
}

/** Gives each child of a node its log-probability, from the logits after the node. */
function spread({ next, logProbability }: Node, logits: Float32Array): void {
  const after = logProbabilities(logits);
  for (const [token, child] of next) child.logProbability = logProbability + after(token);
}
