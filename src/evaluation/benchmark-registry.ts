import type { Benchmark } from "./benchmark.ts";
import { advBench } from "./benchmarks/adv-bench.ts";
import { alpacaEval } from "./benchmarks/alpaca-eval.ts";
import { bbh } from "./benchmarks/bbh.ts";
import { crass } from "./benchmarks/crass.ts";
import { drop } from "./benchmarks/drop.ts";
import { fiqa } from "./benchmarks/fiqa.ts";
import { fpb } from "./benchmarks/fpb.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { math } from "./benchmarks/math.ts";
import { medmcqa } from "./benchmarks/medmcqa.ts";
import { medqa } from "./benchmarks/medqa.ts";
import { mmluMedical } from "./benchmarks/mmlu-medical.ts";
import { mmlu } from "./benchmarks/mmlu.ts";
import { mtBenchPairwise } from "./benchmarks/mt-bench-pairwise.ts";
import { mtBench } from "./benchmarks/mt-bench.ts";
import { nwgi } from "./benchmarks/nwgi.ts";
import { pubmedqa } from "./benchmarks/pubmedqa.ts";
import { tfns } from "./benchmarks/tfns.ts";
import { vicunaBench } from "./benchmarks/vicuna-bench.ts";
import { conala } from "./benchmarks/conala.ts";
import { concode } from "./benchmarks/concode.ts";
import { humaneval } from "./benchmarks/humaneval.ts";
import { mbpp } from "./benchmarks/mbpp.ts";

/** All benchmarks by their names. These keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  mmlu,
  bbh,
  drop,
  crass,
  gsm8k,
  math,
  humaneval,
  mbpp,
  conala,
  concode,
  fpb,
  fiqa,
  tfns,
  nwgi,
  pubmedqa,
  medqa,
  medmcqa,
  "mmlu-medical": mmluMedical,
  "mt-bench": mtBench,
  "mt-bench-pairwise": mtBenchPairwise,
  vicuna: vicunaBench,
  "alpaca-eval": alpacaEval,
  advbench: advBench,
};
