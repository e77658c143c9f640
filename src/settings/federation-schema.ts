import { z } from "zod";
import { FACTOR_RULES } from "../algorithms/factors/registry.ts";
import { ALGORITHMS } from "../algorithms/registry.ts";
import { derived } from "../registry/additions.ts";
import { fieldsOf, type Registry } from "../registry/declared.ts";
import { AGGREGATORS } from "../updates/aggregator-registry.ts";
import { CODECS, STAGES } from "../updates/stage-registry.ts";
import { DEFAULT_MAX_STALENESS, LARGEST_MAX_STALENESS, STALENESS } from "../updates/staleness.ts";
import { count, names, natural, positive } from "./schema-parts.ts";

/** Schema of a list entry that names one thing of a registry and gives its settings. */
function entries<T extends Registry>(registry: T, help: string): z.ZodType<{ name: Extract<keyof T, string> }> {
  const all = Object.entries(registry).map(([name, one]) =>
    z.strictObject({ name: z.literal(name).describe(help), ...fieldsOf({ [name]: one }) }),
  );
  return z.discriminatedUnion("name", all as [(typeof all)[number]]) as never;
}

/** The codecs of the way down. What they lose is in the next difference, so they have no setting of error feedback. */
const downCodecs = derived(() => {
  const all = Object.entries(CODECS as Registry).map(([name, { settings, make }]) => {
    const { errorFeedback: _own, ...others } = settings;
    return [name, { settings: others, make }];
  });
  return Object.fromEntries(all) as typeof CODECS;
});

/** The settings of a federation: the algorithm, its rounds, and for whom a round waits. */
export const federationSchema = derived(() =>
  z
    .strictObject({
      algorithm: names(ALGORITHMS).default("fedavg").describe("Federated algorithm."),
      rounds: count.default(3).describe("Number of communication rounds."),
      clients: count
        .optional()
        .describe("Number of clients that pooled records are dealt to. With data.clients it follows from the list."),
      clientsPerRound: count.optional().describe("Number of clients drawn for each round. Default: all."),
      minClients: count.default(1).describe("Smallest number of usable updates in a round. With fewer the run stops."),
      // Without defaults: the identity of runs that set none of these must not change.
      joinDeadline: positive
        .optional()
        .describe(
          "Seconds to wait for all clients to join. After that, minClients of them are enough, and the others may join later. Default: wait for all.",
        ),
      roundDeadline: positive
        .optional()
        .describe(
          "Seconds after which a round closes without late clients, once minClients have answered. It is measured by the coordinator's clock. A run in one process has no deadline. Default: wait for all.",
        ),
      extendDeadline: natural
        .optional()
        .describe(
          "Number of times that roundDeadline is extended while fewer than minClients have answered. After that the run stops. Default: as often as needed.",
        ),
      overSelect: z
        .number()
        .min(1)
        .max(10)
        .optional()
        .describe(
          "Factor for the number of clients that are drawn. The round closes with the first clientsPerRound usable updates. Default: 1.",
        ),
      lateUpdates: z
        .enum(["drop", "next"])
        .optional()
        .describe(
          "Action for an update that missed the close of its round: drop it, or add its change to a later round with the weight of `staleness`. Default: drop.",
        ),
      mode: z
        .enum(["sync", "async"])
        .optional()
        .describe(
          "Way of the rounds. sync: a round's clients begin together. async: each client goes on at its own pace, and a round closes with bufferSize updates (FedBuff). Default: sync.",
        ),
      bufferSize: count.optional().describe("Number of updates with which a round of mode async closes."),
      concurrency: count
        .optional()
        .describe("Largest number of clients that train at the same time in mode async. Default: all."),
      staleness: names(STALENESS)
        .optional()
        .describe(
          "Weight of an update that is s rounds old: sqrt is 1/√(1+s), inverse is 1/(1+s), constant is 1. Default: sqrt.",
        ),
      maxStaleness: count
        .max(LARGEST_MAX_STALENESS)
        .optional()
        .describe(`Largest age of an update in rounds. An older update is dropped. Default: ${DEFAULT_MAX_STALENESS}.`),
      ...fieldsOf(ALGORITHMS),
      factors: names(FACTOR_RULES)
        .optional()
        .describe(
          "LoRA factors that clients train and send. ffa: B, with the A of the start; rolora: B in odd rounds, A in even ones; fedsa: both are trained, A is sent, and each client keeps its B. Default: both are trained and sent.",
        ),
      // Without defaults: the identity of runs that set neither must not change.
      aggregator: names(AGGREGATORS)
        .optional()
        .describe("Rule that combines the clients' updates (docs/algorithms.md). Default: mean."),
      ...fieldsOf(AGGREGATORS),
      stages: z
        .array(entries(STAGES, "Name of the stage. A client applies the stages in this order (docs/algorithms.md)."))
        .min(1)
        .optional()
        .describe(
          "Steps that process a client's update before it is sent. With stages the client sends the change of the adapter instead of the adapter. Default: none.",
        ),
      downlink: entries(downCodecs(), "Codec of the changes of the adapter.")
        .optional()
        .describe(
          "Way of the adapter to the clients: the coordinator sends the packed difference to the adapter that they hold (docs/bytes.md). Default: it sends the adapter whole.",
        ),
    })
    .prefault({}),
);
