import {
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "../privacy/discrete-gaussian.ts";
import { gridStep, onGrid } from "../privacy/noise-grid.ts";
import { secretStream } from "../privacy/secret-stream.ts";
import type { Groups } from "../tensor/groups.ts";
import { mapParams, type Params, type Tensor, zerosLike } from "../tensor/params.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { Aggregator } from "./aggregator.ts";
import { clipFactor, normOf } from "./clipped.ts";

/** The rules of a private mean. */
export interface PrivateMeanRules {
  /**
   * Largest norm of one client's contribution in a round, C, and the noise multiplier z: the noise on the sum has standard deviation
   * zC in each coordinate.
   */
  readonly terms: (round: number) => { readonly clip: number; readonly noiseMultiplier: number };
  /** The number that the sum is divided by, fixed before the round: qN. */
  readonly divisor: number;
  /** 32 secret bytes that noise is drawn from, stored before they are used. */
  readonly key: Uint8Array;
  /** Stands for the run: another run with the same key has other noise. */
  readonly run: string;
}

/**
 * The mean of clipped changes with noise for differential privacy of clients (McMahan et al. 2018, "Learning differentially
 * private recurrent language models", alg. 1; arXiv 1710.06963): (Σ clip(Δ_k) + N(0, (zC)²))/(qN), one noise vector on the sum.
 *
 * A client may have lied about its clip, so each change is clipped here. Sum and noise are whole steps of a grid, the noise a
 * discrete Gaussian (Canonne, Kamath & Steinke 2020), so that floating point leaves no gaps by which noise can be told from data.
 * The divisor never follows how many updates arrived. The noise follows from key, run, round and the sum: a replayed
 * round has the same noise, and no two sums have.
 */
export function privateMean({ terms, divisor, key, run }: PrivateMeanRules): Aggregator {
  // The same as long as the clip is, and slow to make.
  let table: DiscreteGaussianTable | undefined;
  return {
    name: "privateMean",
    weighted: false,
    on: "delta",
    async combine(groups, { entries, read }, { round }) {
      const { clip, noiseMultiplier } = terms(round);
      const deviation = noiseMultiplier * clip;
      const step = gridStep(deviation);
      const sums: Record<string, Params> = {};
      for (const [name, { like }] of Object.entries(groups)) sums[name] = zerosLike(like, Float64Array);
      for (const place of entries.keys()) addClipped(sums, await read(place), clip, step);
      const stream = await secretStream(key, `noise|${run}|${round}|${await digestOf(sums)}`);
      if (table?.sigma !== deviation / step) table = discreteGaussianTable(deviation / step);
      for (const params of Object.values(sums)) {
        for (const { data } of params.values()) {
          const noise = await drawDiscreteGaussian(table, stream, data.length);
          for (let i = 0; i < data.length; i++) data[i]! += noise[i]!;
        }
      }
      return Object.fromEntries(
        Object.entries(sums).map(([name, sum]) => [name, mapParams(sum, (steps) => (steps * step) / divisor)]),
      );
    },
  };
}

/** Adds a change to sums of whole steps, in place. It throws an Error that names a tensor of another shape. */
function addClipped(sums: Readonly<Record<string, Params>>, update: Groups, clip: number, step: number): void {
  const own = Object.fromEntries(Object.keys(sums).map((name) => [name, update[name]!]));
  const factor = clipFactor(normOf(own), clip);
  if (factor === 0) return;
  for (const [name, sum] of Object.entries(sums)) {
    for (const [tensor, { data: into }] of sum) {
      const data = own[name]!.get(tensor)?.data;
      if (data?.length !== into.length) throw new Error(`tensor ${tensor}: of another shape in one update`);
      for (let i = 0; i < into.length; i++) into[i]! += onGrid(data[i]! * factor, step);
    }
  }
}

function digestOf(sums: Readonly<Record<string, Params>>): Promise<string> {
  const tensors: readonly Tensor[] = Object.values(sums).flatMap((params) => [...params.values()]);
  const all = new Float64Array(tensors.reduce((total, { data }) => total + data.length, 0));
  let at = 0;
  for (const { data } of tensors) {
    all.set(data, at);
    at += data.length;
  }
  return sha256(new Uint8Array(all.buffer));
}
