import { z } from "zod";
import { natural, share, text } from "../settings/schema-parts.ts";

const settingsOf = z.record(z.string(), z.unknown());
const seeds = z.array(natural).min(1);
const grid = z.record(z.string(), z.array(z.unknown()).min(1));

/** The keys of a sweep file. */
export const sweepSchema = z.strictObject({
  experiment: z.union([text, settingsOf]).describe("The configuration that all runs have in common, or its path."),
  set: settingsOf.default({}).describe("Settings that all runs change in it, by dotted key."),
  tune: z
    .strictObject({
      grid: grid
        .default({})
        .describe(
          "Settings to tune by dotted key, each with its values, such as { training.learningRate: [3e-4, 1e-3] }. Each run is tuned by itself, over all combinations.",
        ),
      metric: text.default("loss").describe("Held-out metric that the values are chosen by."),
      over: z
        .enum(["common", "clients"])
        .optional()
        .describe(
          "Records of that metric: the common set, or the mean over the clients' own sets. Default: the common set if there is one.",
        ),
      validation: share
        .optional()
        .describe(
          "Share of each held-out set to choose by; the runs with the chosen values are scored on the rest. Default: the configuration's evaluation.validation, or else 0.5.",
        ),
      seed: natural
        .optional()
        .describe(
          "Seed of the tuning runs. It also makes the sets of all runs (data.seed). Default: the first seed of the first run.",
        ),
    })
    .optional()
    .describe("Settings that are chosen for each run on a validation part, before its seeds are run on the test part."),
  runs: z
    .array(
      z.strictObject({
        name: text.describe("Name of the run, in tables and of its folder."),
        set: settingsOf
          .default({})
          .describe("Settings that this run changes too, such as { federation.algorithm: fedavg }."),
        tune: z
          .union([z.literal(false), grid])
          .optional()
          .describe("Settings to tune in this run, besides or in place of the sweep's. false: tune nothing in it."),
        seeds: seeds.optional().describe("Seeds to run it with. Default: the sweep's, or else the configuration's."),
      }),
    )
    .min(1)
    .describe("The runs, in order."),
  seeds: seeds.optional().describe("Seeds of the runs that name none."),
  compare: z
    .strictObject({
      by: z
        .union([text, z.array(text).min(1)])
        .optional()
        .describe("Setting or settings that label the rows."),
      names: z.boolean().optional().describe("Label the rows by the names of the runs. Default: true without `by`."),
      metric: text.optional().describe("Metric of the charts."),
      matrix: z
        .union([z.boolean(), text])
        .default(false)
        .describe("True or a metric: also show every adapter on every held-out set."),
    })
    .prefault({})
    .describe("Options of the comparison at the end."),
});

export type SweepContent = z.output<typeof sweepSchema>;

/** The JSON Schema of a sweep file, for editors. */
export function sweepJsonSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(sweepSchema, { io: "input" });
  return { $schema, $id: "urn:openfedllm:sweep", title: "A sweep of OpenFedLLM: runs and their comparison", ...schema };
}
