import { z } from "zod";

/** Events that a webhook may be told. Those of single steps and records stay here. */
const TOLD = [
  "run-start",
  "client-joined",
  "client-left",
  "client-declined",
  "client-refused",
  "round-start",
  "round-end",
  "evaluation-end",
  "benchmark-end",
  "early-stop",
  "run-end",
] as const;

const address = z.string().refine(
  (given) => {
    const url = URL.canParse(given) ? new URL(given) : undefined;
    return url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  },
  // Settings stay in the run folder.
  { error: "expected an address that begins with http:// or https:// and holds no name and no password" },
);

/** Places beside the run folder that a run's numbers are sent to, by name. */
export const trackerFields = {
  mlflow: z
    .strictObject({
      uri: address
        .optional()
        .describe("Address of the MLflow server. Default: the environment variable MLFLOW_TRACKING_URI."),
      experiment: z
        .string()
        .min(1)
        .max(500)
        .default("openfedllm")
        .describe("MLflow experiment, made where it is missing."),
    })
    .optional(),
  webhook: z
    .strictObject({
      url: address
        .optional()
        .describe("Address that gets each event. Default: the environment variable OPENFEDLLM_WEBHOOK_URL."),
      events: z
        .array(z.enum(TOLD))
        .min(1)
        .default(["run-start", "round-end", "evaluation-end", "benchmark-end", "early-stop", "run-end"])
        .describe("Kinds of events that are sent."),
    })
    .optional(),
};

export type TrackerName = keyof typeof trackerFields;

/** The settings of each tracker that a run has. */
export type TrackerSettings = { readonly [K in TrackerName]?: z.output<(typeof trackerFields)[K]> };
