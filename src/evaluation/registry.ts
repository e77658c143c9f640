import type { Benchmark } from "./benchmark.ts";
import { crass } from "./benchmarks/crass.ts";
import { fiqa } from "./benchmarks/fiqa.ts";
import { fpb } from "./benchmarks/fpb.ts";
import { gsm8k } from "./benchmarks/gsm8k.ts";
import { medmcqa } from "./benchmarks/medmcqa.ts";
import { medqa } from "./benchmarks/medqa.ts";
import { mmluMedical } from "./benchmarks/mmlu-medical.ts";
import { mmlu } from "./benchmarks/mmlu.ts";
import { nwgi } from "./benchmarks/nwgi.ts";
import { pubmedqa } from "./benchmarks/pubmedqa.ts";
import { tfns } from "./benchmarks/tfns.ts";

/** Benchmarks by their names; these keys are the only list. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  mmlu,
  crass,
  gsm8k,
  fpb,
  fiqa,
  tfns,
  nwgi,
  pubmedqa,
  medqa,
  medmcqa,
  "mmlu-medical": mmluMedical,
};
