import type { SecretStream } from "../privacy/secret-stream.ts";
import { drawWideNoise, wideNoise } from "../privacy/wide-noise.ts";
import { globalNorm, parameterCount, type Params, type Tensor } from "../tensor/params.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { DropoutStreams } from "./micro-batch-runs.ts";
import type { RecordGradientEngine } from "./record-gradients.ts";

/** The rules of a noised step. */
export interface StepNoise {
  /** C: largest norm of one record's gradient over all LoRA tensors together. */
  readonly clip: number;
  /** z: the noise on the sum has standard deviation z·C in each coordinate. 0: no noise, for tests alone. */
  readonly noiseMultiplier: number;
  /** B: the number of records that a step has on average, whatever this one has. */
  readonly expectedBatch: number;
}

/** Steps of the grid, times √d, in the clip norm C: d coordinates of equal size have so many steps each. */
const FINENESS = 16;

/**
 * Computes the gradient of one step of DP-SGD (Abadi et al. 2016, arXiv 1607.00133, alg. 1): (Σ clip(gᵢ) + N(0, (zC)²)) / B.
 * A step without records has noise all the same.
 *
 * Sum and noise are whole steps of a grid γ, the noise a discrete Gaussian: floating point would leave gaps in it by which it
 * can be told from data (Mironov 2012). The gradient of a record that is not finite counts as 0.
 *
 * @param trained gives the tensors that train: the others are in no norm and get no noise, and the result lacks them.
 */
export async function privateGradient(
  engine: RecordGradientEngine,
  adapter: Params,
  items: readonly TrainingItem[],
  dropout: DropoutStreams,
  { clip, noiseMultiplier, expectedBatch }: StepNoise,
  noise: SecretStream,
  trained: (all: Params) => Params = (all) => all,
): Promise<Params> {
  const like = trained(adapter);
  const onGrid = wideNoise(noiseMultiplier * FINENESS * Math.sqrt(parameterCount(like)));
  const step = noiseMultiplier === 0 ? 0 : (noiseMultiplier * clip) / onGrid.deviation;
  const sums = new Map([...like].map(([name, { data }]) => [name, new Float64Array(data.length)]));
  await engine.each(adapter, items, dropout, (_place, all) => {
    const gradient = trained(all);
    const clipped = step === 0 ? clippedTo(gradient, clip) : clippedOnGrid(gradient, clip, step);
    for (const [name, { data }] of clipped) {
      const sum = sums.get(name)!;
      for (let i = 0; i < sum.length; i++) sum[i]! += data[i]!;
    }
  });
  const result = new Map<string, Tensor>();
  const unit = (step === 0 ? 1 : step) / expectedBatch;
  for (const name of [...sums.keys()].sort()) {
    const sum = sums.get(name)!;
    const draws = step === 0 ? undefined : await drawWideNoise(onGrid, noise, sum.length);
    const data = Float32Array.from(sum, (value, i) => (value + (draws === undefined ? 0 : draws[i]!)) * unit);
    result.set(name, { shape: like.get(name)!.shape, data });
  }
  return result;
}

/** The gradient, scaled down to the norm C where it is longer; zeros where it is not finite. */
function clippedTo(gradient: Params, clip: number): Params {
  const norm = globalNorm(gradient);
  return scaled(gradient, Number.isFinite(norm) ? Math.min(1, clip / norm) : 0, (x) => x);
}

/**
 * The clipped gradient in whole steps of the grid, rounded to the nearest. Rounding may lengthen it, so it is scaled down until
 * the norm of the whole numbers, which doubles hold exactly, is at most C/γ. It depends on this record alone.
 */
export function clippedOnGrid(gradient: Params, clip: number, step: number): Params {
  const norm = globalNorm(gradient);
  const longest = clip / step;
  let factor = Number.isFinite(norm) ? Math.min(1, clip / norm) / step : 0;
  for (;;) {
    const whole = scaled(gradient, factor, Math.round);
    const length = globalNorm(whole);
    if (length <= longest) return whole;
    factor *= Math.min(longest / length, 0.999);
  }
}

function scaled(gradient: Params, factor: number, round: (x: number) => number): Params {
  const result = new Map<string, Tensor>();
  for (const [name, { shape, data }] of gradient) {
    const out = new Float64Array(data.length);
    if (factor !== 0) for (let i = 0; i < out.length; i++) out[i] = round(data[i]! * factor);
    result.set(name, { shape, data: out });
  }
  return result;
}
