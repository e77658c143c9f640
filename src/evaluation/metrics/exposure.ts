export interface Exposure {
  /** Where the secret stands among the candidates, 1 the likeliest; of those as likely as it, half count as likelier. */
  readonly rank: number;
  /** log2 of how many times likelier a guesser finds the secret with the model than without. */
  readonly bits: number;
  /** No candidate was likelier: the true value is this or more, where not all possible secrets were looked at. */
  readonly first: boolean;
}

/**
 * How much a model gives away of a secret drawn uniformly from a space R (Carlini et al. 2019, "The Secret Sharer",
 * definition 2): log2|R| − log2(rank). `others` are the log-probabilities of other secrets: all of R, or a uniform sample of
 * it, with which the share of R that is likelier is estimated by the share of the sample (section 4.2), and no more than
 * log2 of the candidates can be seen. The paper's third way, a skew-normal fit that goes beyond, is not taken: it is an
 * assumption where this is a count. A model that knows nothing has log2(e) = 1.44 bits on average.
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
