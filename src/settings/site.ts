import { z } from "zod";
import { ALGORITHMS } from "../algorithms/registry.ts";
import { TEMPLATES } from "../data/template.ts";
import { derived } from "../registry/additions.ts";
import { OBJECTIVES } from "../train/objective-registry.ts";
import type { Origin } from "./apply-setting.ts";
import { explainEach } from "./explain.ts";
import { mistakesIn } from "./mistakes.ts";
import { MECHANISMS } from "./privacy-schema.ts";
import { count, files, names, natural, positive, readingFields, text, threads } from "./schema-parts.ts";

/**
 * Everything that a site decides for itself when it takes part in a federation: its records, its machine, and the tasks that
 * it accepts. None of it leaves the site. The task of the federation has everything else.
 */
const siteSchema = derived(() =>
  z.strictObject({
    data: z
      .strictObject({
        train: files.optional().describe("Files to train on, or datasets of the Hugging Face Hub."),
        heldOut: files.optional().describe("Files to evaluate on. The site never trains on them."),
        heldOutRecords: natural
          .default(0)
          .describe("Number of records that a site without heldOut files keeps for evaluation and never trains on."),
        limit: count.optional().describe("Largest number of records to train on; the seed of the run draws them."),
        ...readingFields,
      })
      .prefault({}),

    model: z
      .strictObject({
        base: text
          .optional()
          .describe(
            "Own copy of the base model, such as a local folder. Default: the name in the task. Its weights have to be the federation's.",
          ),
      })
      .prefault({}),

    runtime: z
      .strictObject({
        threads: threads(),
      })
      .prefault({}),

    allow: z
      .strictObject({
        bases: z.array(text).min(1).optional().describe("Base models, as tasks name them. Default: any."),
        algorithms: z.array(names(ALGORITHMS)).min(1).optional().describe("Federated algorithms. Default: any."),
        objectives: z.array(names(OBJECTIVES)).min(1).optional().describe("Objectives. Default: any."),
        templates: z.array(names(TEMPLATES)).min(1).optional().describe("Templates. Default: any."),
        maxRounds: count.optional().describe("Largest number of rounds. Default: no limit."),
        maxLocalSteps: count.optional().describe("Largest number of optimizer steps in a round. Default: no limit."),
        maxHours: positive
          .optional()
          .describe(
            "Longest time of training in one run, in hours. After it the site declines further rounds. Default: no limit.",
          ),
        maxUploadMegabytes: positive
          .optional()
          .describe("Largest update that the site sends in a round, in megabytes (10^6 bytes). Default: no limit."),
        minClients: count
          .default(1)
          .describe(
            "Smallest number of updates that a round has to combine. With fewer an update of this site stands out.",
          ),
        privacy: z
          .strictObject({
            maxEpsilon: positive
              .optional()
              .describe("Largest budget ε of privacy.client over the whole run. Default: no limit."),
            maxDelta: positive.lt(1).optional().describe("Largest δ of privacy.client. Default: no limit."),
            mechanisms: z
              .array(z.enum(MECHANISMS))
              .min(1)
              .optional()
              .describe("Parties that may add the noise, as in privacy.client.mechanism. Default: any."),
          })
          .optional()
          .describe(
            "Least privacy of the clients. A task without privacy.client is declined. Default: none is asked for.",
          ),
        scores: z.boolean().default(true).describe("Send scores on held-out records: means and counts."),
        minScoreRecords: count.default(1).describe("Smallest number of held-out records for a score to be sent."),
        benchmarks: z.boolean().default(true).describe("Run benchmarks that the task names (algorithm local)."),
        generatedCode: z
          .boolean()
          .default(false)
          .describe("Run programs that a model wrote, for benchmarks that need it."),
      })
      .prefault({})
      .describe("The tasks that the site accepts. A task beyond them is declined with the reason."),
  }),
);

/** The settings of a site with all defaults filled in. */
export type SiteSettings = z.output<ReturnType<typeof siteSchema>>;

/** The JSON Schema of a site's settings file, for editors. */
function siteJsonSchema(): object {
  return z.toJSONSchema(siteSchema(), { io: "input" });
}

/**
 * Checks the settings of a site read from YAML or JSON. `where` names the file in errors, or the origin of the setting at
 * fault.
 *
 * @throws UserError of kind `config` about every mistake, with its place and the nearest legal key or the legal values.
 */
export function parseSite(value: unknown, where: string | Origin): SiteSettings {
  const parsed = siteSchema().safeParse(value);
  if (parsed.success) return parsed.data;
  const { problems, total } = explainEach(parsed.error.issues, value, siteJsonSchema());
  throw mistakesIn(where, problems, total);
}
