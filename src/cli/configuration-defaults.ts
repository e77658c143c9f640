import { experimentSchema } from "../settings/schema.ts";

/** The defaults of a configuration, for flags with the meaning of a setting. */
export const DEFAULTS = experimentSchema().parse({
  model: { base: "-" },
  data: {},
  evaluation: { benchmarks: [{ name: "gsm8k" }] },
});

/** The defaults of an entry of `evaluation.benchmarks`. */
export const BENCHMARK_DEFAULTS = DEFAULTS.evaluation.benchmarks[0]!;
