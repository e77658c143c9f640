import type { Benchmark } from "./benchmark.ts";
import { bbh } from "./benchmarks/bbh.ts";
import { drop } from "./benchmarks/drop.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { math } from "./benchmarks/math.ts";

/** Benchmarks by their names; these keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  bbh,
  drop,
  gsm8k,
  math,
};
