/** How likely a model finds a token after those before it. */
export interface TokenScore {
  /** Nats. */
  readonly logProbability: number;
  /** The likeliest tokens in its place, the likeliest first. */
  readonly likeliest: readonly { readonly token: number; readonly logProbability: number }[];
}

/** Scores a token by the logits [vocabulary] of its place, with `alternatives` of the likeliest tokens. */
export function scoreOf(logits: Float32Array, token: number, alternatives: number): TokenScore {
  const logProbability = logProbabilities(logits);
  /** Tokens in the order of their logits, the largest first; of equals the first. */
  const best: number[] = [];
  logits.forEach((logit, each) => {
    if (best.length >= alternatives && !(logit > logits[best.at(-1)!]!)) return;
    let at = best.length;
    while (at > 0 && logit > logits[best[at - 1]!]!) at--;
    best.splice(at, 0, each);
    best.length = Math.min(best.length, alternatives);
  });
  return {
    logProbability: logProbability(token),
    likeliest: best.map((each) => ({ token: each, logProbability: logProbability(each) })),
  };
}

/** Computes the logarithm of the softmax of logits [vocabulary], token by token. */
export function logProbabilities(logits: Float32Array): (token: number) => number {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const normaliser = max + Math.log(sum);
  return (token) => logits[token]! - normaliser;
}
