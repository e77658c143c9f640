import { z } from "zod";
import { FAMILY_TITLES } from "../model/families/registry.ts";
import { ATTACKS } from "../attacks/registry.ts";
import { FIDELITIES } from "../algorithms/settings.ts";
import { PARTITIONERS } from "../data/partition.ts";
import { TEMPLATES } from "../data/template.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import { OPTIMIZERS } from "../optim/optimizer.ts";
import { derived } from "../registry/additions.ts";
import { fieldsOf } from "../registry/declared.ts";
import type { Objective } from "../train/objective.ts";
import { objectiveOf, type ObjectiveName, OBJECTIVES } from "../train/objective-registry.ts";
import { evaluationSchema } from "./evaluation-schema.ts";
import { federationSchema } from "./federation-schema.ts";
import { privacySchema } from "./privacy-schema.ts";
import {
  count,
  files,
  fraction,
  names,
  natural,
  positive,
  readingFields,
  share,
  text,
  threads,
} from "./schema-parts.ts";
import { secureSchema } from "./secure-schema.ts";
import { SECTIONS } from "./sections.ts";
import { trackerFields } from "./tracker-settings.ts";

/** The names of the objectives that learn from items of a kind. */
function learnsFrom(items: Objective["items"]): string {
  const all = Object.keys(OBJECTIVES) as ObjectiveName[];
  return all.filter((name) => objectiveOf(name).items === items).join(", ");
}

const clientFiles = z.strictObject({
  name: text.describe("Name of the client in tables, events and the run folder."),
  train: files
    .optional()
    .describe(
      "Files to train on, or datasets of the Hugging Face Hub. Where the client trains on another machine (openfedllm host), leave them out.",
    ),
  heldOut: files.optional().describe("Files to evaluate on. The client never trains on them."),
});

/**
 * Every setting of a run: type, default and help. The checks of the command line, the JSON Schema for editors and
 * docs/configuration.md are made from it.
 */
export const experimentSchema = derived(() =>
  z.strictObject({
    model: z.strictObject({
      base: text.describe(
        `Base model: a local folder in Hugging Face layout, org/name on the Hugging Face Hub (@revision after it), or npm:package. ${FAMILY_TITLES} architectures.`,
      ),
      // Without a default: the identity of runs without it must not change.
      adapter: text
        .optional()
        .describe(
          "Adapter to start training from: a run folder, or the folder of an adapter that a run or PEFT saved. Its rank, alpha and targets are those of `adapter`. Default: a fresh adapter, which changes nothing.",
        ),
    }),

    adapter: z
      .strictObject({
        rank: count.default(8).describe("LoRA rank r."),
        alpha: positive.default(16).describe("LoRA alpha. The product of the LoRA matrices is scaled by alpha/rank."),
        dropout: fraction
          .default(0)
          .describe("Probability that training zeroes an element of an adapted layer's input."),
        targets: z
          .union([z.literal("all-linear"), z.array(z.string()).min(1)])
          .default(["q_proj", "v_proj"])
          .describe("Linear modules to adapt: a list of names such as q_proj, or all-linear."),
        rsLora: z.boolean().default(false).describe("Scale by alpha/sqrt(rank) instead of alpha/rank."),
      })
      .prefault({}),

    data: z.strictObject({
      clients: z
        .array(clientFiles)
        .min(1)
        .optional()
        .describe("One entry for each client, with its own files. Use it instead of `train`."),
      train: files
        .optional()
        .describe(
          "Files, or datasets of the Hugging Face Hub (docs/hub.md). Their records are pooled and dealt to `federation.clients` clients as `partition` says.",
        ),
      partition: z
        .strictObject({
          by: names(PARTITIONERS).default("iid").describe("Rule for dealing pooled records to clients."),
          field: text.optional().describe("Column of the records that dirichlet and field deal by."),
          alpha: positive
            .default(0.5)
            .describe(
              "Concentration of the Dirichlet draw (dirichlet, quantity). A smaller value makes clients less alike.",
            ),
          minRecords: count.default(1).describe("Smallest number of records of a client."),
        })
        .prefault({}),
      heldOut: files.optional().describe("Files of the common held-out set, which reports call `common`."),
      // Without a default: the identity of runs must not change.
      root: files
        .optional()
        .describe(
          "Files that the coordinator trusts and trains on itself, for federation.aggregator fltrust. No client trains on them.",
        ),
      heldOutRecords: natural
        .default(0)
        .describe("Number of records that a client without heldOut files keeps for evaluation and never trains on."),
      // Without a default: the identity of runs must not change.
      heldOutCopies: z
        .enum(["keep", "leave-out"])
        .optional()
        .describe(
          "Action for held-out records that say what a training record says, in a client's set one of its own, in the common set one of any client: leave them out and count them, or keep them. Default: leave-out.",
        ),
      poolLimit: count
        .optional()
        .describe("Largest number of pooled records to deal out; the seed draws them. For data.train only."),
      limit: count.optional().describe("Largest number of records of a client; the seed draws them."),
      // Without a default: the identity of runs that have no such seed must not change.
      seed: natural
        .optional()
        .describe(
          "Seed of the draws that make the sets: pooled records, their clients, held-out records and their validation part. Set it to have the same sets with every `seed`. Default: `seed`.",
        ),
      ...readingFields,
      template: names(TEMPLATES)
        .default("chat")
        .describe("Template that turns a record into text; `chat` is the model's own chat template."),
      inputs: z
        .enum(["section", "joined"])
        .default("section")
        .describe(
          "Place of an instruction's input: in its own section, or joined to the instruction as in OpenFedLLM.",
        ),
      system: z
        .string()
        .optional()
        .describe("System message for conversations without one (templates chat and vicuna)."),
      maxLength: z
        .int()
        .min(8)
        .default(512)
        .describe("Longest sequence in tokens. A longer one loses its end, and the run reports how many did."),
      maxPromptLength: count
        .optional()
        .describe(
          "Longest prompt of preference data in tokens. A longer one loses its beginning. Default: the tokens of maxLength that the longer answer leaves, and at least half of maxLength.",
        ),
      // Without a default: the identity of runs without canaries must not change.
      canaries: z
        .strictObject({
          clients: z
            .array(text)
            .min(1)
            .describe(
              "Names of clients that get invented secrets among their training records, to measure memorisation (docs/memorisation.md).",
            ),
          count: count.max(1000).default(9).describe("Number of secrets for each of these clients."),
          repeats: z
            .union([count, z.array(count).min(1)])
            .default(1)
            .describe(
              "Number of copies of a secret in its client's records. A list gives the numbers for one secret after another.",
            ),
          digits: z
            .int()
            .min(2)
            .max(9)
            .default(4)
            .describe(
              "Number of digits of a secret. 4 digits make 10,000 possible secrets, and the measurement ranks all of them.",
            ),
        })
        .optional(),
      // Without a default: the identity of runs without an attack must not change.
      attack: z
        .strictObject({
          name: names(ATTACKS).describe("Behaviour of the hostile clients of a simulation (docs/robustness.md)."),
          clients: z.array(text).min(1).optional().describe("Names of the hostile clients. Use it instead of `share`."),
          share: share.optional().describe("Share of hostile clients; the seed draws them. Default: 0.2."),
          ...fieldsOf(ATTACKS),
        })
        .optional(),
    }),

    objective: z
      .strictObject({
        name: names(OBJECTIVES)
          .default("sft")
          .describe(
            `Loss that training minimises. For single answers: ${learnsFrom("example")}; for pairs of answers: ${learnsFrom("pair")}; for rated answers or pairs: ${learnsFrom("rated")}.`,
          ),
        ...fieldsOf(OBJECTIVES),
      })
      .prefault({}),

    training: z
      .strictObject({
        batchSize: count.default(16).describe("Number of records in one micro-step."),
        gradientAccumulation: count
          .default(1)
          .describe("Number of micro-steps in one optimizer step. Every token of the step has the same weight."),
        // Which of the two holds by default depends on the other (`completed` in parse.ts).
        localSteps: count
          .optional()
          .describe("Number of optimizer steps that a client takes in a round, however many records it has."),
        localEpochs: positive
          .optional()
          .describe(
            "Number of passes that a client makes over its records in a round. It replaces localSteps. Default: 1, where localSteps is not set.",
          ),
        learningRate: positive.default(3e-4).describe("Learning rate of round 1."),
        minLearningRate: z
          .number()
          .min(0)
          .optional()
          .describe(
            "Lowest learning rate of the cosine schedule. Default: 1e-6 for single answers, 1e-5 for preference objectives.",
          ),
        schedule: names(SCHEDULES)
          .default("cosine")
          .describe("Course of the learning rate over rounds. It is constant within a round."),
        optimizer: names(OPTIMIZERS)
          .default("adamw")
          .describe("Optimizer of a client. It starts afresh in every round."),
        beta1: fraction.default(0.9).describe("AdamW's decay of the first moment."),
        beta2: fraction.default(0.999).describe("AdamW's decay of the second moment."),
        epsilon: positive.default(1e-8).describe("AdamW's epsilon."),
        momentum: fraction.default(0).describe("SGD's momentum."),
        weightDecay: z.number().min(0).default(0).describe("Decoupled (AdamW) or L2 (SGD) weight decay."),
        maxGradNorm: z
          .number()
          .min(0)
          .default(1)
          .describe("Largest global norm of a gradient; a longer gradient is scaled down to it. 0: no limit."),
        microBatchTokens: count
          .default(1024)
          .describe(
            "Largest number of tokens, padding included, that the model computes at once. It changes memory and speed, and the result only by rounding.",
          ),
      })
      .prefault({}),

    federation: federationSchema(),

    // Without a default: the identity of runs without it must not change.
    privacy: privacySchema.optional(),

    // Without a default: the identity of runs without it must not change.
    secureAggregation: secureSchema.optional(),

    evaluation: evaluationSchema(),

    output: z
      .strictObject({
        saveEvery: natural
          .default(0)
          .describe(
            "Number of rounds from one kept adapter to the next. The first and the last adapter are always kept.",
          ),
        tensorboard: z
          .boolean()
          .default(false)
          .describe("Write the measurements as a TensorBoard event file in tensorboard/."),
        ...trackerFields,
      })
      .prefault({}),

    runtime: z
      .strictObject({
        threads: threads(" A continued run keeps the number it began with."),
      })
      .prefault({}),

    fidelity: z
      .enum(FIDELITIES)
      .default("paper")
      .describe(
        "Version of the algorithms: as in their papers, or as in the code of the original OpenFedLLM (docs/decisions/0013-fidelity.md).",
      ),

    seed: natural.default(42).describe("Seed of all randomness of the run."),
  }),
);

type ParsedConfig = z.output<ReturnType<typeof experimentSchema>>;

/** A checked configuration with all defaults filled in. */
export type ExperimentConfig = ParsedConfig & { training: { minLearningRate: number } };

/** The JSON Schema of a configuration file, for editors. */
export function experimentJsonSchema(): object {
  const schema = z.toJSONSchema(experimentSchema(), { io: "input" });
  const { $schema, ...rest } = schema;
  const described = { $schema, $id: "urn:openfedllm:settings", title: "Settings of an OpenFedLLM run", ...rest };
  for (const [key, description] of Object.entries(SECTIONS)) {
    const section = key
      .split(".")
      .reduce<Described | undefined>((at, name) => at?.properties?.[name], described as Described);
    if (section !== undefined) section.description ??= description;
  }
  return described;
}

interface Described {
  description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
}
