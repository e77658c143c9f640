import { z } from "zod";
import { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
import { derived } from "../registry/additions.ts";
import { count, names, natural, share, text } from "./schema-parts.ts";

/** The settings of what is measured, when, and what follows from it. */
export const evaluationSchema = derived(() =>
  z
    .strictObject({
      every: natural
        .default(0)
        .describe(
          "Number of rounds from one evaluation to the next. 0: only before the first round and after the last.",
        ),
      limit: count.optional().describe("Largest number of records of each held-out set."),
      // Without defaults, here and below: the identity of runs without a validation part must not change.
      validation: share
        .optional()
        .describe(
          "Share of each held-out set to set apart as its validation part, to choose the best round or settings by. Nobody trains on it, and scores of the test part do not contain it. Default: half of each set of 20 records or more where a best round or an early stop is asked for, otherwise none.",
        ),
      part: z
        .enum(["test", "validation"])
        .optional()
        .describe(
          "Part of the held-out sets that this run is scored on, where evaluation.validation is set. Default: test.",
        ),
      minRecords: count
        .optional()
        .describe(
          "Smallest number of scored records of a client's held-out set. A client with fewer withholds its scores: a mean over few records says much about each. Default: 1.",
        ),
      crossClients: z
        .boolean()
        .default(false)
        .describe(
          "Score every client's own adapter on the held-out sets of all clients, not only on its own (algorithm local).",
        ),
      labels: z
        .array(text)
        .min(2)
        .optional()
        .describe(
          "Possible answers of a classification. Held-out records with one of these answers are classified by likelihood, which gives accuracy and F1.",
        ),
      benchmarks: z
        .array(
          z.strictObject({
            name: names(BENCHMARKS).describe("Name of the benchmark; `openfedllm eval --list` describes all."),
            data: text.optional().describe("Local folder or file with its data. Default: the Hugging Face Hub."),
            limit: count.optional().describe("Largest number of questions; the seed draws them."),
            every: count
              .default(1)
              .describe(
                "Run the benchmark in the evaluated rounds whose number is a multiple of this, and always before the first round and after the last.",
              ),
            shots: natural
              .optional()
              .describe("Number of worked examples before each question. Default: the number that its authors use."),
            answerBy: z
              .enum(["likelihood", "generation"])
              .optional()
              .describe(
                "Way to get an answer: take the likeliest option, or read it in generated text. Default: the benchmark's.",
              ),
            maxNewTokens: count.optional().describe("Longest answer in tokens. Default: the benchmark's."),
            maxLength: z.int().min(8).default(2048).describe("Longest question and answer together, in tokens."),
          }),
        )
        .default([])
        .describe(
          "Benchmarks to run on the adapter in evaluated rounds. Where every client has its own adapter, they run on each.",
        ),
      prompts: z
        .array(text)
        .default([])
        .describe("Prompts that the base and the final adapter answer, always with the likeliest token."),
      maxNewTokens: count.default(96).describe("Longest answer to one of these prompts, in tokens."),
      best: z
        .strictObject({
          metric: text
            .optional()
            .describe(
              "Metric that decides which evaluated round is the best, such as loss, accuracy or margin. The adapter of that round is kept in best/. Default: loss with earlyStopping; otherwise no best round is kept.",
            ),
          over: z
            .enum(["common", "clients"])
            .optional()
            .describe(
              "Records of that metric: the common set, or the mean over the clients' own sets. Default: the common set if there is one.",
            ),
        })
        .prefault({}),
      earlyStopping: z
        .strictObject({
          patience: count
            .optional()
            .describe(
              "Number of evaluations in a row without improvement of best.metric after which the run stops. Default: the run never stops early.",
            ),
          minDelta: z
            .number()
            .min(0)
            .default(0)
            .describe("Smallest change that counts as an improvement; it must be larger than this."),
        })
        .prefault({}),
    })
    .prefault({}),
);
