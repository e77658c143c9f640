/** Rotary position embedding, resolved: one inverse frequency per pair of dimensions, scaling already applied. */
export interface RotaryConfig {
  /** As many as half a head has elements; fewer where only the front of each head is rotated. */
  readonly inverseFrequencies: readonly number[];
  /** Factor of cosines and sines; absent: 1. */
  readonly attentionFactor?: number;
  /** The inverse frequencies of graphs for sequences longer than `beyond` tokens; absent: the same for all (longrope). */
  readonly long?: { readonly inverseFrequencies: readonly number[]; readonly beyond: number };
}

/** Reads the numbers of a rotation, or throws. */
export interface Numbers {
  readonly number: (key: string, fallback?: unknown) => number;
  readonly given: (key: string) => boolean;
  readonly list: (key: string, length: number) => readonly number[];
}

interface Llama3Scaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  /** Longest sequence of pre-training, in tokens. */
  readonly originalPositions: number;
}

/** Llama 3.1: short wavelengths stay, long ones are divided by `factor`, and the ones between are interpolated. */
export function scaleLlama3(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalPositions / highFreqFactor) return frequency;
  if (wavelength > originalPositions / lowFreqFactor) return frequency / factor;
  const smooth = (originalPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

interface Stretch {
  readonly theta: number;
  /** Rotated elements of a head. */
  readonly width: number;
  readonly factor: number;
  /** Longest sequence of pre-training, in tokens. */
  readonly original: number;
}

/** Computes theta^(2i/width) of every pair, in float32 at every step, as PyTorch does. */
export function periods({ theta, width }: Pick<Stretch, "theta" | "width">): number[] {
  return Array.from({ length: Math.ceil(width / 2) }, (_, i) => Math.fround(theta ** Math.fround((2 * i) / width)));
}

/**
 * YaRN (Peng et al. 2023): frequencies with many turns within the original length stay, those with few are divided by the
 * factor, and between them is a ramp over the pairs. Cosines and sines grow with the logarithm of the factor.
 */
export function yarn(stretch: Stretch & { readonly truncate: boolean }, { number, given }: Numbers): RotaryConfig {
  const { theta, width, factor, original, truncate } = stretch;
  const pairOf = (turns: number): number =>
    (width * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  let low = pairOf(number("beta_fast", 32));
  let high = pairOf(number("beta_slow", 1));
  if (truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  [low, high] = [Math.max(low, 0), Math.min(high, width - 1)];
  if (low === high) high += 0.001;
  const inverseFrequencies = periods(stretch).map((period, i) => {
    const ramp = Math.fround(Math.min(1, Math.max(0, Math.fround(Math.fround(i - low) / Math.fround(high - low)))));
    const kept = Math.fround(1 - ramp);
    const divided = Math.fround(1 / Math.fround(factor * period));
    const plain = Math.fround(1 / period);
    return Math.fround(Math.fround(divided * Math.fround(1 - kept)) + Math.fround(plain * kept));
  });
  const growth = (by = 1): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const derived = (): number =>
    given("mscale") && given("mscale_all_dim") ? growth(number("mscale")) / growth(number("mscale_all_dim")) : growth();
  const attentionFactor = given("attention_factor") ? number("attention_factor") : derived();
  return { inverseFrequencies, attentionFactor };
}

/** LongRoPE (Ding et al. 2024): a factor of its own for each frequency, one list for short and one for long sequences. */
export function longRope(stretch: Stretch, { number, given, list }: Numbers): RotaryConfig {
  const { width, factor, original } = stretch;
  const divided = (factors: readonly number[]): number[] =>
    periods(stretch).map((period, i) => Math.fround(1 / Math.fround(Math.fround(factors[i]!) * period)));
  const derived = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  const pairs = Math.ceil(width / 2);
  return {
    inverseFrequencies: divided(list("short_factor", pairs)),
    attentionFactor: given("attention_factor") ? number("attention_factor") : derived,
    long: { inverseFrequencies: divided(list("long_factor", pairs)), beyond: original },
  };
}
