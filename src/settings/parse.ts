import type { z } from "zod";
import { UserError } from "../diagnostics/user-error.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { objectiveOf } from "../train/objective-registry.ts";
import { explainAll, type Problem } from "./explain.ts";
import { benchmarkMetrics, betterWay, measurableMetrics } from "./metric-names.ts";
import { experimentSchema, type ExperimentConfig } from "./schema.ts";

/**
 * Checks a configuration read from YAML or JSON and fills in the defaults. `where` names the file in errors.
 *
 * @throws UserError of kind `config`: one sentence about the first problem, with the nearest legal key or the legal
 * values; further problems are counted.
 */
export function parseExperiment(value: unknown, where: string): ExperimentConfig {
  const parsed = experimentSchema.safeParse(value);
  const config = parsed.success ? completed(parsed.data) : undefined;
  const problem = config === undefined ? explainAll(parsed.error!.issues, value) : contradiction(config);
  if (problem !== undefined) throw new UserError("config", `${where}: ${problem.message}`, { hint: problem.hint });
  return config!;
}

/** The defaults that depend on other settings. */
function completed(config: z.output<typeof experimentSchema>): ExperimentConfig {
  const { training, objective } = config;
  // OpenFedLLM's main_sft.py and main_dpo.py.
  const floor = objectiveOf(objective.name, objective).items === "example" ? 1e-6 : 1e-5;
  const { learningRate, minLearningRate = floor, ...others } = training;
  // Always in the same place, so that a configuration that is printed and read again is printed alike.
  return { ...config, training: { ...others, learningRate, minLearningRate } };
}

/** The records of a step are listed in memory. */
const MOST_STEP_RECORDS = 1_000_000;

/** What no setting alone says: that two of them do not go together. */
function contradiction(config: ExperimentConfig): Problem | undefined {
  const { data, federation, training, objective } = config;
  const { clients, train, canaries } = data;
  if ((clients === undefined) === (train === undefined)) {
    return {
      message: `give either data.clients or data.train, got ${clients === undefined ? "neither" : "both"}`,
      hint: "data.clients lists one entry a client with its own files; data.train pools files and deals them to federation.clients.",
    };
  }
  if (clients !== undefined && data.poolLimit !== undefined) {
    return {
      message: "data.poolLimit is for pooled records (data.train), but data.clients lists files of each client's own",
      hint: "data.limit is how many records each client uses.",
    };
  }
  if (train !== undefined && federation.clients === undefined && data.partition.by !== "field") {
    return {
      message: "federation.clients is missing, the number of clients that data.train is dealt to",
      hint: "For example: federation: { clients: 4 }",
    };
  }
  if (["dirichlet", "field"].includes(data.partition.by) && train !== undefined && data.partition.field === undefined) {
    return {
      message: `data.partition.field is missing, the column that data.partition.by ${data.partition.by} deals records by`,
      hint: `For example: partition: { by: ${data.partition.by}, field: topic }`,
    };
  }
  if (clients !== undefined && federation.clients !== undefined && federation.clients !== clients.length) {
    return {
      message: `federation.clients is ${federation.clients}, but data.clients lists ${clients.length}`,
      hint: "Leave federation.clients out: it follows from data.clients.",
    };
  }
  const names = clients?.map(({ name }) => name) ?? [];
  const second = names.findIndex((name, i) => names.indexOf(name) < i);
  if (second >= 0) {
    const name = names[second]!;
    return {
      message: `data.clients[${names.indexOf(name)}] and data.clients[${second}] are both called "${name}"`,
      hint: "Give every client a name of its own.",
    };
  }
  if (canaries !== undefined && objectiveOf(objective.name, objective).items !== "example") {
    return {
      message: `data.canaries are answers to learn, but objective.name ${objective.name} learns from preferences`,
      hint: "Plant canaries with objective.name sft, or leave data.canaries out.",
    };
  }
  const stepRecords = training.batchSize * training.gradientAccumulation;
  if (stepRecords > MOST_STEP_RECORDS) {
    return {
      message: `training.batchSize times training.gradientAccumulation is ${stepRecords}, expected at most ${MOST_STEP_RECORDS} records in a step`,
      hint: "Lower one of them; training.localSteps is how many steps there are.",
    };
  }
  const { schedule, learningRate, minLearningRate } = training;
  if (schedule === "cosine" && minLearningRate > learningRate) {
    return {
      message: `training.minLearningRate (${minLearningRate}) is above training.learningRate (${learningRate})`,
      hint: "Lower the one or raise the other.",
    };
  }
  return participation(federation, clients?.length ?? federation.clients) ?? unusableBest(config);
}

/** What is wrong with choosing a best round. A metric with a slash is a benchmark's. */
function unusableBest(config: ExperimentConfig): Problem | undefined {
  const { best, earlyStopping, every } = config.evaluation;
  const { metric, over } = best;
  const measurable = [...measurableMetrics(config), ...benchmarkMetrics(config)];
  if (metric !== undefined && !measurable.includes(metric)) {
    const near = nearest(metric, measurable);
    return {
      message: `evaluation.best.metric is "${metric}", which this run does not measure`,
      hint: near === undefined ? `It measures ${measurable.join(", ")}.` : `Did you mean '${near}'?`,
    };
  }
  if (metric !== undefined && betterWay(metric) === undefined) {
    return {
      message: `evaluation.best.metric is "${metric}", of which neither more nor less is better`,
      hint: `Take ${measurable.filter(betterWay).join(", ")}.`,
    };
  }
  if (over === "common" && config.data.heldOut === undefined && metric?.includes("/") !== true) {
    return {
      message: 'evaluation.best.over is "common", but there is no common held-out set (data.heldOut)',
      hint: "Set data.heldOut, or take evaluation.best.over: clients.",
    };
  }
  if (earlyStopping.patience !== undefined && every === 0) {
    return {
      message:
        "evaluation.earlyStopping.patience counts evaluations, but evaluation.every is 0: there are none on the way",
      hint: "For example: evaluation: { every: 1 }",
    };
  }
  return undefined;
}

/** Whether a round of so many clients (undefined: not known yet) can ever have enough updates. */
export function participation(
  { clientsPerRound, minClients }: ExperimentConfig["federation"],
  clients: number | undefined,
): Problem | undefined {
  const drawn = Math.min(clientsPerRound ?? Infinity, clients ?? Infinity);
  if (minClients <= drawn) return undefined;
  return {
    message: `federation.minClients is ${minClients}, but a round has ${drawn} ${drawn === 1 ? "client" : "clients"}`,
    hint: "Lower federation.minClients, or have more clients in a round.",
  };
}
