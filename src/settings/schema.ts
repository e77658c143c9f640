import { z } from "zod";
import { FAMILY_TITLES } from "../model/families/registry.ts";
import { ALGORITHMS } from "../algorithms/registry.ts";
import { FIDELITIES } from "../algorithms/settings.ts";
import { BENCHMARKS } from "../evaluation/registry.ts";
import { PARTITIONERS } from "../data/partition.ts";
import { ALIASES } from "../data/record.ts";
import { FORMATS } from "../data/source.ts";
import { TEMPLATES } from "../data/template.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import { OPTIMIZERS } from "../optim/optimizer.ts";
import { fieldsOf, type Registry } from "../registry/declared.ts";
import type { Objective } from "../train/objective.ts";
import { objectiveOf, type ObjectiveName, OBJECTIVES } from "../train/objective-registry.ts";
import { AGGREGATORS } from "../updates/aggregator-registry.ts";
import { STAGES } from "../updates/stage-registry.ts";

/** The legal names of a registry, as an enumeration. */
function names<T extends object>(registry: T): z.ZodEnum<{ [K in Extract<keyof T, string>]: K }> {
  return z.enum(Object.keys(registry) as [Extract<keyof T, string>]) as never;
}

/** The names of the objectives that learn from items of a kind. */
function learnsFrom(items: Objective["items"]): string {
  const all = Object.keys(OBJECTIVES) as ObjectiveName[];
  return all.filter((name) => objectiveOf(name).items === items).join(", ");
}

/** An entry of a list of things from a registry: `name`, and the settings of the one that it names. */
function entries<T extends Registry>(registry: T, help: string): z.ZodType<{ name: Extract<keyof T, string> }> {
  const all = Object.entries(registry).map(([name, one]) =>
    z.strictObject({ name: z.literal(name).describe(help), ...fieldsOf({ [name]: one }) }),
  );
  return z.discriminatedUnion("name", all as [(typeof all)[number]]) as never;
}

const count = z.int().min(1);
const natural = z.int().min(0);
const positive = z.number().positive();
const fraction = z.number().min(0).lt(1);
const text = z.string().min(1);
const files = z.union([text, z.array(text).min(1)]);

const clientFiles = z.strictObject({
  name: text.describe("Name of the client, in tables, events and the run folder."),
  train: files.describe("Files, or datasets of the Hugging Face Hub, it trains on."),
  heldOut: files.optional().describe("File or files it is evaluated on and never trains on."),
});

/**
 * The one place a setting is written: type, default, help. The command line's checks, the JSON Schema for editors and
 * docs/configuration.md are made from it. Keys in camelCase; sizes in what their name says.
 */
export const experimentSchema = z.strictObject({
  model: z.strictObject({
    base: text.describe(
      `Base model: a local folder in Hugging Face layout, org/name on the Hugging Face Hub (@revision after it), or npm:package. ${FAMILY_TITLES} architectures.`,
    ),
  }),

  adapter: z
    .strictObject({
      rank: count.default(8).describe("LoRA rank r."),
      alpha: positive.default(16).describe("LoRA alpha; the update is scaled by alpha/rank."),
      dropout: fraction.default(0).describe("Probability that training zeroes an element of an adapted layer's input."),
      targets: z
        .union([z.literal("all-linear"), z.array(z.string()).min(1)])
        .default(["q_proj", "v_proj"])
        .describe("Linear modules to adapt, by name (q_proj) or all-linear."),
      rsLora: z.boolean().default(false).describe("Scale by alpha/sqrt(rank) instead."),
    })
    .prefault({}),

  data: z.strictObject({
    clients: z
      .array(clientFiles)
      .min(1)
      .optional()
      .describe("One entry a client, each with files of its own. Instead of `train`."),
    train: files
      .optional()
      .describe(
        "Files, or datasets of the Hugging Face Hub (docs/hub.md), that are pooled and dealt to `federation.clients` clients by `partition`.",
      ),
    partition: z
      .strictObject({
        by: names(PARTITIONERS).default("iid").describe("How pooled records are dealt to clients."),
        field: text.optional().describe("Column whose values make clients differ (dirichlet, field)."),
        alpha: positive
          .default(0.5)
          .describe("Concentration of the Dirichlet draw; smaller is more uneven (dirichlet, quantity)."),
        minRecords: count.default(1).describe("Fewest records a client may end with."),
      })
      .prefault({}),
    heldOut: files.optional().describe("File or files of the common held-out set, reported as `common`."),
    heldOutRecords: natural
      .default(0)
      .describe("Records each client without a heldOut file keeps apart for evaluation."),
    poolLimit: count
      .optional()
      .describe("Deal out at most this many of the pooled records, drawn by the seed (train)."),
    limit: count.optional().describe("Use at most this many records a client, drawn by the seed."),
    fields: z
      .partialRecord(names(ALIASES), text)
      .default({})
      .describe("Where a record's parts lie, e.g. { instruction: question, response: answer }."),
    format: names(FORMATS).optional().describe("File format, where the extension does not tell."),
    template: names(TEMPLATES)
      .default("chat")
      .describe("How a record becomes text; `chat` is the model's own chat template."),
    inputs: z
      .enum(["section", "joined"])
      .default("section")
      .describe("Whether an instruction's input has a section of its own, or is joined to it as OpenFedLLM does."),
    system: z
      .string()
      .optional()
      .describe("System message put before conversations that have none (templates chat and vicuna)."),
    maxLength: z
      .int()
      .min(8)
      .default(512)
      .describe("Longest sequence in tokens; longer ones are cut on the right and counted."),
    maxPromptLength: count
      .optional()
      .describe(
        "Preference data: longest prompt in tokens; a longer one keeps its end. Default: what the longer answer leaves, half of maxLength at least.",
      ),
    invalid: z
      .enum(["refuse", "skip"])
      .optional()
      .describe(
        "Rows that are no usable records: refuse the file, or leave them out and count them. Default: refuse, but skip for datasets of the Hugging Face Hub.",
      ),
    // Without a default, so that runs that plant none stay what they were.
    canaries: z
      .strictObject({
        clients: z
          .array(text)
          .min(1)
          .describe(
            "Clients whose training records get made-up secrets, to measure what the model remembers (docs/memorisation.md).",
          ),
        count: count.max(1000).default(9).describe("Secrets each of these clients gets."),
        repeats: z
          .union([count, z.array(count).min(1)])
          .default(1)
          .describe("How often a secret stands in its client's records; numbers of a list are taken in turn."),
        digits: z
          .int()
          .min(2)
          .max(9)
          .default(4)
          .describe("Digits of a secret; 4 make 10,000 possible ones, all of which are ranked."),
      })
      .optional(),
  }),

  objective: z
    .strictObject({
      name: names(OBJECTIVES)
        .default("sft")
        .describe(
          `The loss that training lowers. Single answers: ${learnsFrom("example")}; pairs of answers: ${learnsFrom("pair")}; rated answers, or pairs: ${learnsFrom("rated")}.`,
        ),
      ...fieldsOf(OBJECTIVES),
    })
    .prefault({}),

  training: z
    .strictObject({
      batchSize: count.default(16).describe("Records of one micro-step."),
      gradientAccumulation: count
        .default(1)
        .describe("Micro-steps that make one optimizer step; tokens weigh alike over all of them."),
      localSteps: count.default(10).describe("Optimizer steps a client takes in a round."),
      localEpochs: positive
        .optional()
        .describe("Passes over its own records a client makes in a round, instead of localSteps."),
      learningRate: positive.default(3e-4).describe("Learning rate of round 1."),
      minLearningRate: z
        .number()
        .min(0)
        .optional()
        .describe("Floor of the cosine schedule over rounds; default 1e-6, for preference objectives 1e-5."),
      schedule: names(SCHEDULES).default("cosine").describe("Learning rate over rounds; constant inside a round."),
      optimizer: names(OPTIMIZERS).default("adamw").describe("Local optimizer, fresh in each client-round."),
      beta1: fraction.default(0.9).describe("AdamW's decay of the first moment."),
      beta2: fraction.default(0.999).describe("AdamW's decay of the second moment."),
      epsilon: positive.default(1e-8).describe("AdamW's epsilon."),
      momentum: fraction.default(0).describe("SGD's momentum."),
      weightDecay: z.number().min(0).default(0).describe("Decoupled (AdamW) or L2 (SGD) weight decay."),
      maxGradNorm: z.number().min(0).default(1).describe("Gradients are scaled to at most this global norm; 0: never."),
      microBatchTokens: count
        .default(1024)
        .describe(
          "Padded tokens that run through the model at once. Changes memory and speed; the result only by rounding.",
        ),
    })
    .prefault({}),

  federation: z
    .strictObject({
      algorithm: names(ALGORITHMS).default("fedavg").describe("Federated algorithm."),
      rounds: count.default(10).describe("Communication rounds."),
      clients: count
        .optional()
        .describe("Number of clients that pooled data is dealt to; with data.clients it follows from there."),
      clientsPerRound: count.optional().describe("Clients drawn for each round; default: all."),
      minClients: count.default(1).describe("Fewest usable updates a round can go on with."),
      ...fieldsOf(ALGORITHMS),
      // Without defaults, so that runs that set neither stay what they were.
      aggregator: names(AGGREGATORS)
        .optional()
        .describe("How the clients' updates become one (docs/algorithms.md). Default: mean."),
      ...fieldsOf(AGGREGATORS),
      stages: z
        .array(entries(STAGES, "A stage on an update's way; a client applies them in this order (docs/algorithms.md)."))
        .min(1)
        .optional()
        .describe(
          "Stages that a client's update goes through before it is sent. With stages the change of the adapter is sent, not the adapter. Default: none.",
        ),
    })
    .prefault({}),

  evaluation: z
    .strictObject({
      every: natural
        .default(0)
        .describe("Held-out loss after every so many rounds; 0: only before the first and after the last."),
      limit: count.optional().describe("At most this many records of each held-out set."),
      crossClients: z
        .boolean()
        .default(false)
        .describe("Score every client's own adapter on every client's held-out set (local), not only on its own."),
      labels: z
        .array(text)
        .min(2)
        .optional()
        .describe(
          "Answers to choose from: held-out records whose answer is one of them are classified by likelihood (accuracy, F1).",
        ),
      benchmarks: z
        .array(
          z.strictObject({
            name: names(BENCHMARKS).describe("Which; `openfedllm eval --list` says what each is."),
            data: text.optional().describe("Local folder or file of its data; default: the Hugging Face Hub."),
            limit: count.optional().describe("At most this many questions, drawn by the seed."),
            every: count
              .default(1)
              .describe(
                "Of the evaluated rounds only every so manyth round; also before the first and after the last.",
              ),
            shots: natural.optional().describe("Worked examples before each question; default: as the authors do."),
            answerBy: z
              .enum(["likelihood", "generation"])
              .optional()
              .describe("Take the likeliest option, or read the answer out of words; default: the benchmark's."),
            maxNewTokens: count.optional().describe("Longest answer; default: the benchmark's."),
            maxLength: z.int().min(8).default(2048).describe("Question and answer together, in tokens."),
          }),
        )
        .default([])
        .describe(
          "Benchmarks put to the adapter in evaluated rounds (to every client's own, where clients keep their own).",
        ),
      prompts: z.array(text).default([]).describe("Prompts answered by the base and by the final adapter, greedily."),
      maxNewTokens: count.default(96).describe("Longest answer to a prompt, in tokens."),
      best: z
        .strictObject({
          metric: text
            .optional()
            .describe(
              "Keep the adapter of the best evaluated round in best/, best by this metric: loss, accuracy, margin, …. Default with earlyStopping: loss; without: nothing is kept.",
            ),
          over: z
            .enum(["common", "clients"])
            .optional()
            .describe(
              "Where that metric is taken: on the common set, or as the mean over the clients' own sets. Default: the common set where there is one.",
            ),
        })
        .prefault({}),
      earlyStopping: z
        .strictObject({
          patience: count
            .optional()
            .describe("Stop after so many evaluations in a row without improvement of best.metric; default: never."),
          minDelta: z.number().min(0).default(0).describe("Only a change by more than this is an improvement."),
        })
        .prefault({}),
    })
    .prefault({}),

  output: z
    .strictObject({
      saveEvery: natural
        .default(0)
        .describe("Keep the adapter after every so many rounds; the first and the last are always kept."),
      tensorboard: z
        .boolean()
        .default(false)
        .describe("Write what is measured as a TensorBoard event file, in tensorboard/."),
    })
    .prefault({}),

  runtime: z
    .strictObject({
      threads: count
        .max(256)
        .optional()
        .describe("Threads of the engine; default: one a processor. A run goes on with as many as it began with."),
    })
    .prefault({}),

  fidelity: z
    .enum(FIDELITIES)
    .default("paper")
    .describe("Algorithms as their papers have them, or as the original OpenFedLLM codes them (decision 0013)."),

  seed: natural.default(42).describe("All randomness follows from it."),
});

type ParsedConfig = z.output<typeof experimentSchema>;

/** A configuration with every default that always holds one filled in. */
export type ExperimentConfig = ParsedConfig & { training: { minLearningRate: number } };

/** The JSON Schema of a configuration file, for editors. */
export function experimentJsonSchema(): object {
  return z.toJSONSchema(experimentSchema, { io: "input" });
}
