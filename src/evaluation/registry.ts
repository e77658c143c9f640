import type { Benchmark } from "./benchmark.ts";
import { bbh } from "./benchmarks/bbh.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { math } from "./benchmarks/math.ts";

/** Benchmarks by their names; these keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  bbh,
  gsm8k,
  math,
};
