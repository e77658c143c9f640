import { algorithmOf } from "../algorithms/registry.ts";
import type { Problem } from "./explain.ts";
import type { ExperimentConfig } from "./schema.ts";

/** Finds settings of `federation` that updates of earlier rounds cannot work with. `clients` is undefined while unknown. */
export function unusableAsynchrony(
  { federation, fidelity }: ExperimentConfig,
  clients: number | undefined,
): Problem | undefined {
  const { algorithm: name, mode, bufferSize, concurrency, lateUpdates, minClients } = federation;
  const asynchronous = mode === "async";
  const setting = asynchronous ? "federation.mode async" : "federation.lateUpdates next";
  if (!asynchronous && lateUpdates !== "next") return undefined;
  const algorithm = algorithmOf(name, federation, fidelity);
  const reason =
    algorithm.data === "pooled"
      ? "it has one client, and nobody is ahead of it"
      : algorithm.federated
        ? algorithm.keepsMemory === true
          ? "the control variates of server and clients have to be of the same round"
          : undefined
        : "its clients send no updates";
  if (reason !== undefined) {
    return {
      message: `${setting} does not work with federation.algorithm ${name}: ${reason}`,
      hint: "Take fedavg, fedprox, fedavgm, fedadagrad, fedyogi or fedadam, or leave the setting out.",
    };
  }
  if (!asynchronous) return undefined;
  if (lateUpdates !== undefined || federation.overSelect !== undefined || federation.clientsPerRound !== undefined) {
    const other = (["lateUpdates", "overSelect", "clientsPerRound"] as const).find(
      (key) => federation[key] !== undefined,
    );
    return {
      message: `federation.${other} is a setting of synchronous rounds, and federation.mode is async`,
      hint: "Mode async has federation.bufferSize and federation.concurrency, and takes old updates by federation.staleness.",
    };
  }
  if (bufferSize === undefined) {
    return {
      message: "federation.bufferSize is missing: a round of federation.mode async closes with so many updates",
      hint: "For example: federation: { mode: async, bufferSize: 4 }",
    };
  }
  if (clients !== undefined && bufferSize > clients) {
    return {
      message: `federation.bufferSize is ${bufferSize}, but there are ${clients} clients, each with one update at a time`,
      hint: "Lower federation.bufferSize.",
    };
  }
  if (minClients > bufferSize) {
    return {
      message: `federation.minClients is ${minClients}, but a round closes with ${bufferSize} updates (federation.bufferSize)`,
      hint: "Lower federation.minClients, or raise federation.bufferSize.",
    };
  }
  if (concurrency !== undefined && concurrency < bufferSize) {
    return {
      message: `federation.concurrency is ${concurrency}, less than federation.bufferSize ${bufferSize}`,
      hint: "Raise federation.concurrency: with fewer clients at work every update in the buffer is fresh.",
    };
  }
  return undefined;
}

/** Notes on settings of deadlines and staleness without an effect. */
export function inertAsynchrony({ federation }: ExperimentConfig): string[] {
  const { mode, lateUpdates, staleness, maxStaleness, bufferSize, concurrency } = federation;
  const { extendDeadline, roundDeadline, overSelect, clientsPerRound } = federation;
  const takesOld = mode === "async" || lateUpdates === "next";
  return [
    ...Object.entries({ staleness, maxStaleness })
      .filter(([, value]) => value !== undefined && !takesOld)
      .map(([key]) => `federation.${key} has no effect without federation.mode async or federation.lateUpdates next`),
    ...Object.entries({ bufferSize, concurrency })
      .filter(([, value]) => value !== undefined && mode !== "async")
      .map(([key]) => `federation.${key} has no effect without federation.mode async`),
    ...(extendDeadline !== undefined && roundDeadline === undefined
      ? ["federation.extendDeadline has no effect without federation.roundDeadline"]
      : []),
    ...(overSelect !== undefined && overSelect > 1 && clientsPerRound === undefined
      ? ["federation.overSelect has no effect without federation.clientsPerRound: all clients take part in every round"]
      : []),
  ];
}
