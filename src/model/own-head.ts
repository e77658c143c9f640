import { sameShape } from "../tensor/shape.ts";
import type { ModelConfig } from "./config.ts";

export const EMBEDDING = "model.embed_tokens.weight";
export const HEAD = "lm_head.weight";

/** The part of `SourceWeights` that is read here. */
interface Pieces {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  pieces(name: string): AsyncIterable<Float32Array>;
}

type TiedConfig = ModelConfig & { readonly tiedHead: true };

/** True where the configuration takes the embedding as the LM head. */
export function saysTied(config: ModelConfig): config is TiedConfig {
  return "tiedHead" in config && config.tiedHead === true;
}

/** The configuration with an LM head of its own. */
export function untied(config: ModelConfig): ModelConfig {
  return { ...config, tiedHead: false } as ModelConfig;
}

/**
 * True where the weights hold an LM head that differs from the embedding, as a merge of an adapter on both leaves it. Both
 * are read up to the first difference.
 */
export async function hasOwnHead(weights: Pieces, embeddingName: string): Promise<boolean> {
  const [head, embedding] = [weights.shapes.get(HEAD), weights.shapes.get(embeddingName)];
  if (head === undefined || embedding === undefined) return false;
  if (!sameShape(head, embedding)) return true;
  const others = weights.pieces(embeddingName)[Symbol.asyncIterator]();
  for await (const piece of weights.pieces(HEAD)) {
    const { value: other } = (await others.next()) as { value: Float32Array | undefined };
    if (other === undefined || !piece.every((element, i) => element === other[i])) return true;
  }
  return false;
}
