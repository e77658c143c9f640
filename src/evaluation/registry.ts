import type { Benchmark } from "./benchmark.ts";
import { advBench } from "./benchmarks/adv-bench.ts";
import { alpacaEval } from "./benchmarks/alpaca-eval.ts";
import { bbh } from "./benchmarks/bbh.ts";
import { drop } from "./benchmarks/drop.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { math } from "./benchmarks/math.ts";
import { mtBenchPairwise } from "./benchmarks/mt-bench-pairwise.ts";
import { mtBench } from "./benchmarks/mt-bench.ts";
import { vicunaBench } from "./benchmarks/vicuna-bench.ts";

/** Benchmarks by their names; these keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  bbh,
  drop,
  gsm8k,
  math,
  "mt-bench": mtBench,
  "mt-bench-pairwise": mtBenchPairwise,
  vicuna: vicunaBench,
  "alpaca-eval": alpacaEval,
  advbench: advBench,
};
