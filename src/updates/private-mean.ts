import type { AdaptiveClip } from "../privacy/adaptive-clip.ts";
import { nextClip, unclippedBit, updateNoiseMultiplier } from "../privacy/adaptive-clip.ts";
import {
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "../privacy/discrete-gaussian.ts";
import { gridStep, onGrid } from "../privacy/noise-grid.ts";
import { secretStream } from "../privacy/secret-stream.ts";
import type { Groups } from "../tensor/groups.ts";
import { mapParams, type Params, zerosLike } from "../tensor/params.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { Aggregator } from "./aggregator.ts";
import { clipFactor, type GroupScales, normOf } from "./clipped.ts";
import { bytesOfTensors } from "./group-arithmetic.ts";

/** A clip that follows the norms of the updates. */
export interface FollowingClip extends AdaptiveClip {
  /** σ_b: standard deviation of the noise on the count of unclipped updates. */
  readonly countDeviation: number;
  /** Keeps the clip of a round; the first one that is kept counts. */
  readonly keep: (round: number, clip: number) => Promise<void>;
}

/** The rules of a private mean. */
export interface PrivateMeanRules {
  /** Largest norm of one client's contribution in a round, C, and the noise multiplier z of all that the round releases. */
  readonly terms: (round: number) => { readonly clip: number; readonly noiseMultiplier: number };
  /** The number that the sum is divided by, fixed before the round: qN. */
  readonly divisor: number;
  /** 32 secret bytes that noise is drawn from, stored before they are used. */
  readonly key: Uint8Array;
  /** Stands for the run: another run with the same key has other noise. */
  readonly run: string;
  /** Factors on groups within the clip. Default: 1 for each. */
  readonly scales?: GroupScales | undefined;
  /** Default: the clip does not follow. */
  readonly following?: FollowingClip | undefined;
}

/**
 * The mean of clipped changes with noise for differential privacy of clients (McMahan et al. 2018, "Learning differentially
 * private recurrent language models", alg. 1; arXiv 1710.06963): (Σ clip(Δ_k) + N(0, (zC)²))/(qN), one noise vector on the sum.
 *
 * A client may have lied about its clip, so each change is clipped here. Sum and noise are whole steps of a grid, the noise a
 * discrete Gaussian (Canonne, Kamath & Steinke 2020), so that floating point leaves no gaps by which noise can be told from data.
 * The divisor never follows how many updates arrived. The noise follows from key, run, round and the sum: a replayed
 * round has the same noise, and no two sums have.
 *
 * With `following`, the count of updates within C is released with noise too, and the next round's clip follows from it (Andrew
 * et al. 2021, arXiv 1905.03871, alg. 1); the noise on the sum is then so much larger that both cost one Gaussian of z.
 */
export function privateMean({ terms, divisor, key, run, scales = {}, following }: PrivateMeanRules): Aggregator {
  // The same as long as the clip is, and slow to make.
  let table: DiscreteGaussianTable | undefined;
  let countTable: DiscreteGaussianTable | undefined;
  return {
    name: "privateMean",
    weighted: false,
    on: "delta",
    async combine(groups, { entries, read }, { round }) {
      const { clip, noiseMultiplier } = terms(round);
      const ofUpdate =
        following === undefined ? noiseMultiplier : updateNoiseMultiplier(noiseMultiplier, following.countDeviation);
      const deviation = ofUpdate * clip;
      const step = gridStep(deviation);
      const sums: Record<string, Params> = {};
      for (const [name, { like }] of Object.entries(groups)) sums[name] = zerosLike(like, Float64Array);
      let unclipped = 0;
      for (const place of entries.keys()) unclipped += addClipped(sums, await read(place), { clip, step, scales });
      const digest = await sha256(bytesOfTensors(sums));
      if (following !== undefined) {
        const counted = await secretStream(key, `count|${run}|${round}|${unclipped}|${digest}`);
        const countStep = gridStep(following.countDeviation);
        countTable ??= discreteGaussianTable(following.countDeviation / countStep);
        const [noise] = await drawDiscreteGaussian(countTable, counted, 1);
        const noisy = (onGrid(unclipped, countStep) + noise!) * countStep;
        await following.keep(round + 1, nextClip(clip, noisy, divisor, following));
      }
      const stream = await secretStream(key, `noise|${run}|${round}|${digest}`);
      if (table?.sigma !== deviation / step) table = discreteGaussianTable(deviation / step);
      for (const params of Object.values(sums)) {
        for (const { data } of params.values()) {
          const noise = await drawDiscreteGaussian(table, stream, data.length);
          for (let i = 0; i < data.length; i++) data[i]! += noise[i]!;
        }
      }
      return Object.fromEntries(
        Object.entries(sums).map(([name, sum]) => {
          const over = (groups[name]!.combined === "sum" ? 1 : divisor) * (scales[name] ?? 1);
          return [name, mapParams(sum, (steps) => (steps * step) / over)];
        }),
      );
    },
  };
}

/**
 * Adds a change to sums of whole steps, in place, and returns its bit for the count of unclipped changes. It throws an Error
 * that names a tensor of another shape.
 */
function addClipped(
  sums: Readonly<Record<string, Params>>,
  update: Groups,
  { clip, step, scales }: { readonly clip: number; readonly step: number; readonly scales: GroupScales },
): number {
  const own = Object.fromEntries(Object.keys(sums).map((name) => [name, update[name]!]));
  const norm = normOf(own, scales);
  const factor = clipFactor(norm, clip);
  for (const [name, sum] of Object.entries(sums)) {
    const scaled = factor * (scales[name] ?? 1);
    for (const [tensor, { data: into }] of sum) {
      const data = own[name]!.get(tensor)?.data;
      if (data?.length !== into.length) throw new Error(`tensor ${tensor}: of another shape in one update`);
      if (factor === 0) continue;
      for (let i = 0; i < into.length; i++) into[i]! += onGrid(data[i]! * scaled, step);
    }
  }
  return unclippedBit(norm, clip);
}
