/** A text's negative log-likelihood and its number of tokens. */
export interface TextLikelihood {
  /** Sum over tokens, in nats, as a `Scorer`'s negated log-probability. */
  readonly nll: number;
  readonly tokens: number;
}

/**
 * Computes exp of the mean negative log-likelihood of a token over all texts together, 1 or more: a long text counts for more, as
 * usual for perplexity. It depends on the tokenizer. Throws an Error where there is no token.
 */
export function perplexity(texts: readonly TextLikelihood[]): number {
  const tokens = texts.reduce((sum, text) => sum + text.tokens, 0);
  if (tokens === 0) throw new Error(`perplexity needs at least one token, got ${texts.length} texts without any`);
  return Math.exp(texts.reduce((sum, text) => sum + text.nll, 0) / tokens);
}
