import type { Benchmark } from "./benchmark.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";

/** Benchmarks by their names; these keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  gsm8k,
};
