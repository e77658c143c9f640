import type { z } from "zod";
import { nearest } from "../diagnostics/nearest.ts";
import { itemKind } from "../data/items/registry.ts";
import { objectiveOf } from "../train/objective-registry.ts";
import { stagesOf } from "../updates/stage-registry.ts";
import { explainEach, type Problem } from "./explain.ts";
import { mistakesIn } from "./mistakes.ts";
import type { Origin } from "./apply-setting.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import { FEWER } from "../updates/robust/robust-aggregator.ts";
import { unusableAsynchrony } from "./asynchrony.ts";
import { unusableClientPrivacy } from "./client-privacy.ts";
import { refusedCombinations } from "./combinations.ts";
import { benchmarkMetrics, betterWay, measurableMetrics } from "./metric-names.ts";
import { nestingProblem } from "./nesting.ts";
import { unusableSecureAggregation } from "./secure-aggregation.ts";
import { experimentSchema, type ExperimentConfig } from "./schema.ts";

/**
 * Checks a configuration read from YAML or JSON and fills in the defaults. `where` names the file in errors, or the origin
 * of the setting at fault.
 *
 * @throws UserError of kind `config`: every mistake with its place and the nearest legal key or the legal values.
 */
export function parseExperiment(value: unknown, where: string | Origin): ExperimentConfig {
  const unreadable = nestingProblem(value);
  if (unreadable !== undefined) throw mistakesIn(where, [unreadable], 1);
  const parsed = experimentSchema().safeParse(value);
  if (!parsed.success) {
    const { problems, total } = explainEach(parsed.error.issues, value);
    throw mistakesIn(where, problems, total);
  }
  const config = completed(parsed.data);
  const problems = contradictions(config);
  if (problems.length > 0) throw mistakesIn(where, problems, problems.length);
  return config;
}

/** Fills in the defaults that depend on other settings. */
function completed(config: z.output<ReturnType<typeof experimentSchema>>): ExperimentConfig {
  const { training, objective } = config;
  // OpenFedLLM's main_sft.py and main_dpo.py.
  const floor = itemKind(objectiveOf(objective.name, objective).items).isPreference ? 1e-5 : 1e-6;
  const { batchSize, gradientAccumulation, localSteps, learningRate, minLearningRate = floor, ...others } = training;
  const { localEpochs = localSteps === undefined ? 1 : undefined, ...rest } = others;
  const amount = { ...(localSteps !== undefined && { localSteps }), ...(localEpochs !== undefined && { localEpochs }) };
  // Each in a fixed place among the keys: the identity of a run is the text of its configuration.
  return {
    ...config,
    training: { batchSize, gradientAccumulation, ...amount, ...rest, learningRate, minLearningRate },
  };
}

/** A limit, because the records of a step are listed in memory. */
const MOST_STEP_RECORDS = 1_000_000;

/** Finds settings that exclude each other. */
function contradictions(config: ExperimentConfig): Problem[] {
  const { data, federation, training, objective } = config;
  const { clients, train, canaries } = data;
  const found: Problem[] = [];
  if ((clients === undefined) === (train === undefined)) {
    found.push({
      message: `give either data.clients or data.train, got ${clients === undefined ? "neither" : "both"}`,
      hint: "With data.clients every client has its own files. With data.train the records of all files are pooled and dealt to federation.clients clients. A federation over a network (openfedllm host) takes its members; invite them first.",
    });
  }
  if (clients !== undefined && data.poolLimit !== undefined) {
    found.push({
      message: "data.poolLimit limits pooled records (data.train), but data.clients gives every client its own files",
      hint: "To limit the records of every client, set data.limit.",
    });
  }
  if (
    train !== undefined &&
    clients === undefined &&
    federation.clients === undefined &&
    data.partition.by !== "field"
  ) {
    found.push({
      message: "federation.clients is missing: data.train needs the number of clients to deal records to",
      hint: "For example: federation: { clients: 4 }",
    });
  }
  if (["dirichlet", "field"].includes(data.partition.by) && train !== undefined && data.partition.field === undefined) {
    found.push({
      message: `data.partition.field is missing: data.partition.by ${data.partition.by} needs the column to deal records by`,
      hint: `For example: partition: { by: ${data.partition.by}, field: topic }`,
    });
  }
  if (clients !== undefined && federation.clients !== undefined && federation.clients !== clients.length) {
    found.push({
      message: `federation.clients is ${federation.clients}, but data.clients lists ${clients.length}`,
      hint: "Remove federation.clients: the number follows from data.clients.",
    });
  }
  const names = clients?.map(({ name }) => name) ?? [];
  const second = names.findIndex((name, i) => names.indexOf(name) < i);
  if (second >= 0) {
    const name = names[second]!;
    found.push({
      message: `data.clients[${names.indexOf(name)}] and data.clients[${second}] are both called "${name}"`,
      hint: "Give every client a different name.",
    });
  }
  if (canaries !== undefined && itemKind(objectiveOf(objective.name, objective).items).isPreference) {
    found.push({
      message: `data.canaries are records with single answers, but objective.name ${objective.name} learns from preferences`,
      hint: "Set objective.name to sft, or remove data.canaries.",
    });
  }
  if (config.evaluation.part !== undefined && config.evaluation.validation === undefined) {
    found.push({
      message: `evaluation.part is ${config.evaluation.part}, but the held-out sets have no parts: evaluation.validation is not set`,
      hint: "Set evaluation.validation to the share of the validation part, such as 0.5, or remove evaluation.part.",
    });
  }
  const { attack } = data;
  if (attack?.clients !== undefined && attack.share !== undefined) {
    found.push({
      message: "give either data.attack.clients or data.attack.share, got both",
      hint: "With clients the hostile clients have names. With share the seed draws them.",
    });
  }
  if (federation.aggregator === "fltrust" && data.root === undefined) {
    found.push({
      message:
        "federation.aggregator is fltrust, and data.root is missing: it trusts what the coordinator trains on itself",
      hint: "Set data.root to a file with some hundred records that you have looked at. Or choose another rule: docs/robustness.md.",
    });
  }
  const stepRecords = training.batchSize * training.gradientAccumulation;
  if (stepRecords > MOST_STEP_RECORDS) {
    found.push({
      message: `training.batchSize times training.gradientAccumulation is ${stepRecords}, expected at most ${MOST_STEP_RECORDS} records in a step`,
      hint: "Lower one of them. For longer training raise training.localEpochs.",
    });
  }
  const { schedule, learningRate, minLearningRate } = training;
  if (schedule === "cosine" && minLearningRate > learningRate) {
    found.push({
      message: `training.minLearningRate (${minLearningRate}) is above training.learningRate (${learningRate})`,
      hint: "Lower training.minLearningRate or raise training.learningRate.",
    });
  }
  found.push(...misplacedCodec(federation.stages));
  const known = clients?.length ?? federation.clients;
  const others = [
    participation(federation, known),
    tooFewForRule(federation, known),
    unusableAsynchrony(config, known),
    unusableBest(config),
    unusableClientPrivacy(config, known),
    unusableSecureAggregation(config, known),
  ];
  return [...found, ...others.filter((problem) => problem !== undefined), ...refusedCombinations(config)].map(withPath);
}

/** Finds a stage that makes bytes before the last: what comes after it would have nothing to work on. */
function misplacedCodec(stages: ExperimentConfig["federation"]["stages"] = []): Problem[] {
  const at = stagesOf(stages.slice(0, -1)).findIndex(({ codec }) => codec !== undefined);
  if (at < 0) return [];
  return [
    {
      message: `federation.stages[${at}] is ${stages[at]!.name}, which makes the bytes that are sent, and stages come after it`,
      hint: "Put it last, and only one of its kind. Only randomk goes before another.",
    },
  ];
}

/** Gives a mistake the place of the setting that its message names first. */
function withPath(problem: Problem): Problem {
  const [named] =
    /\b(?:data|training|federation|privacy|secureAggregation|evaluation|objective)(?:\.\w+|\[\d+\])+/.exec(
      problem.message,
    ) ?? [];
  const path = named?.match(/\w+/g)?.map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { path, ...problem, part: "key" };
}

/** Finds a rule that needs more updates than a round has clients. `known`: the number of clients, where it is known. */
function tooFewForRule(federation: ExperimentConfig["federation"], known: number | undefined): Problem | undefined {
  if (federation.aggregator === undefined || known === undefined) return undefined;
  const clients = Math.min(known, federation.clientsPerRound ?? known);
  const size = aggregatorOf(federation.aggregator, federation).fewest?.(clients);
  if (size === undefined || size.has >= size.needs) return undefined;
  return {
    message: `federation.aggregator: ${federation.aggregator} with f ${size.hostile} needs ${size.needs} ${size.what}, and a round has ${size.has}`,
    hint: FEWER,
  };
}

/** Finds a mistake in the choice of a best round. A metric with a slash is one of a benchmark. */
function unusableBest(config: ExperimentConfig): Problem | undefined {
  const { best, earlyStopping, every } = config.evaluation;
  const { metric, over } = best;
  const measurable = [...measurableMetrics(config), ...benchmarkMetrics(config)];
  if (metric !== undefined && !measurable.includes(metric)) {
    const near = nearest(metric, measurable);
    return {
      message: `evaluation.best.metric is "${metric}", which this run does not measure`,
      hint: near === undefined ? `Metrics of this run: ${measurable.join(", ")}.` : `Did you mean '${near}'?`,
    };
  }
  if (metric !== undefined && betterWay(metric) === undefined) {
    return {
      message: `evaluation.best.metric is "${metric}", but a higher or lower value of it is not better`,
      hint: `Use one of ${measurable.filter(betterWay).join(", ")}.`,
    };
  }
  if (over === "common" && config.data.heldOut === undefined && metric?.includes("/") !== true) {
    return {
      message: 'evaluation.best.over is "common", but there is no common held-out set (data.heldOut)',
      hint: "Set data.heldOut, or set evaluation.best.over to clients.",
    };
  }
  const unscored = unscoredBest(config);
  if (unscored !== undefined) return unscored;
  if (earlyStopping.patience !== undefined && every === 0) {
    return {
      message:
        "evaluation.earlyStopping.patience counts evaluations, but evaluation.every is 0: there are none between the first round and the last",
      hint: "For example: evaluation: { every: 1 }",
    };
  }
  return undefined;
}

/** Finds a best round that would be chosen by scores which clients with privacy do not give. */
function unscoredBest({ evaluation, privacy, data, federation }: ExperimentConfig): Problem | undefined {
  const { metric, over } = evaluation.best;
  const chooses = metric !== undefined || evaluation.earlyStopping.patience !== undefined;
  const section = privacy?.client === undefined ? "privacy.record" : "privacy.client";
  if (!chooses || (privacy?.client ?? privacy?.record) === undefined) return undefined;
  const setting = metric === undefined ? "evaluation.earlyStopping.patience" : "evaluation.best.metric";
  if (federation.factors === "fedsa") {
    return {
      message: `${setting} chooses by scores, and with ${section} nobody scores the adapters that federation.factors fedsa leaves with the clients`,
      hint: "Leave it out: each client can score its own adapter when the run is over. Or take federation.factors: ffa.",
    };
  }
  if (metric?.includes("/") !== true && (over === "clients" || data.heldOut === undefined)) {
    return {
      message: `${setting} chooses by scores on clients' held-out records, and with ${section} clients give none`,
      hint: "Set data.heldOut to a common held-out set and leave evaluation.best.over out, or leave evaluation.best and evaluation.earlyStopping out.",
    };
  }
  return undefined;
}

/** Finds a minimum of updates that no round can reach. `clients` is undefined while their number is unknown. */
export function participation(
  { clientsPerRound, minClients }: ExperimentConfig["federation"],
  clients: number | undefined,
): Problem | undefined {
  const drawn = Math.min(clientsPerRound ?? Infinity, clients ?? Infinity);
  if (minClients <= drawn) return undefined;
  return {
    message: `federation.minClients is ${minClients}, but a round has ${drawn} ${drawn === 1 ? "client" : "clients"}`,
    hint: "Lower federation.minClients, or raise the number of clients in a round.",
  };
}
