export interface Exposure {
  /** Rank of the secret among the candidates, 1 for the likeliest. Half of the equally likely ones count as likelier. */
  readonly rank: number;
  /** log2 of the factor by which the model makes a guess of the secret likelier to be right. */
  readonly bits: number;
  /** True where no candidate is likelier. Unless all possible secrets were compared, the true value is then this or more. */
  readonly first: boolean;
}

/**
 * Measures the exposure of a secret drawn uniformly from a space R (Carlini et al. 2019, "The Secret Sharer",
 * definition 2): log2|R| − log2(rank). `others` are the log-probabilities of other secrets: all of R, or a uniform sample
 * of it. With a sample, its share of likelier secrets estimates that of R (section 4.2), and the exposure is at most log2 of
 * the candidates. The paper's third way, a skew-normal fit that goes beyond, is not used: it is an assumption, and this is
 * a count. A model that knows nothing has log2(e) = 1.44 bits on average.
 */
export function exposureOf(own: number, others: ArrayLike<number>): Exposure {
  let likelier = 0;
  let ties = 0;
  for (let i = 0; i < others.length; i++) {
    // A model that has broken down gives NaN, and ranks nothing.
    if (others[i]! > own || Number.isNaN(others[i]! - own)) likelier++;
    else if (others[i] === own) ties++;
  }
  const rank = 1 + likelier + ties / 2;
  return { rank, bits: Math.log2(1 + others.length) - Math.log2(rank), first: rank === 1 };
}
