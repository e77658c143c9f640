import { absent, type Choice, chosen, set, stage, unless, without } from "./choices.ts";

const aggregator = (...names: readonly string[]): Choice => chosen("federation.aggregator", names);
const algorithm = (...names: readonly string[]): Choice => chosen("federation.algorithm", names, "fedavg");
const mechanism = (...names: readonly string[]): Choice => chosen("privacy.client.mechanism", names, "central");

const DISTANCE_RULES = ["krum", "multiKrum", "bulyan", "geometricMedian"];
const CODECS = ["int8", "int4", "ternary", "topk", "randomk"];

const adaptive = algorithm("fedadagrad", "fedyogi", "fedadam");

/** The choices that rows speak of. A setting need not exist: without it nobody makes the choice. */
export const CHOICES = {
  clientPrivacy: set("privacy.client"),
  trustedPrivacy: mechanism("central", "distributed", "ftrl"),
  coordinatorNoise: mechanism("central", "ftrl"),
  distributedNoise: mechanism("distributed"),
  localNoise: mechanism("local"),
  recordPrivacy: set("privacy.record"),
  secure: set("secureAggregation"),
  notSecure: absent("secureAggregation"),

  recordWeights: chosen("federation.weighting", ["records"]),
  byRecords: unless(chosen("federation.weighting", ["records"]), "privacy.client.weightCap"),
  coordinateRules: aggregator("median", "trimmedMean"),
  singleChoice: aggregator("krum", "multiKrum", "bulyan"),
  geometricMedian: aggregator("geometricMedian"),
  trustScores: aggregator("fltrust", "foolsgold"),
  normBound: aggregator("normBound"),
  centredClipping: aggregator("centredClipping"),
  bucketless: unless(aggregator("median", "trimmedMean", ...DISTANCE_RULES, "centredClipping"), "federation.buckets"),
  oneGroupRules: aggregator("median", "trimmedMean", "krum", "bulyan", "geometricMedian", "centredClipping"),
  distanceRules: aggregator(...DISTANCE_RULES),
  robust: aggregator("normBound", "trimmedMean", ...DISTANCE_RULES, "centredClipping", "fltrust", "foolsgold"),

  quantised: stage(["int8", "int4", "ternary"]),
  topk: stage(["topk"]),
  compressed: stage(CODECS),
  noFeedback: stage(["topk"], "errorFeedback", [false]),
  feedback: stage(CODECS.slice(1), "errorFeedback", [undefined, true]),
  downlink: set("federation.downlink"),

  adaptiveServer: without(adaptive, ["federation.server.learningRate", "federation.server.tau"]),
  serverMomentum: algorithm("fedavgm"),
  controlVariates: algorithm("scaffold"),
  factors: set("federation.factors"),
  refactored: aggregator("flexlora"),
  serverSteps: algorithm("fedavgm", "fedadagrad", "fedyogi", "fedadam"),
  alternating: chosen("federation.factors", ["rolora"]),
  personalFactors: chosen("federation.factors", ["fedsa"]),
  nothingSent: algorithm("local", "centralized"),
  own: algorithm("local"),
  asynchronous: chosen("federation.mode", ["async"]),
  late: chosen("federation.lateUpdates", ["next"]),
  overSelected: set("federation.overSelect"),
  attack: set("data.attack"),
  collusion: chosen("data.attack.name", ["gaussian", "alie", "ipm", "minMax", "minSum"]),
  batchReference: chosen("objective.name", ["kto"]),
  batchLikelihood: chosen("objective.likelihood", ["sequence"]),
  original: chosen("fidelity", ["original"]),
} satisfies Record<string, Choice>;

export type ChoiceName = keyof typeof CHOICES;
