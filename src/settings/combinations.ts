import type { Row } from "../data/row.ts";
import type { Problem } from "./explain.ts";
import { type ChoiceName, CHOICES } from "./named-choices.ts";

/** What a configuration may not combine, or what to know of a combination. */
export interface Combination {
  readonly of: readonly [ChoiceName, ChoiceName];
  /** `refused`: the configuration is refused. `noted`: a run says it. `allowed`: the documentation says it. */
  readonly verdict: "refused" | "noted" | "allowed";
  /** The reason, or what becomes of the two: a clause without a capital and a period. */
  readonly because: string;
  /** A way out; with `refused`. */
  readonly hint?: string;
  /** The value that the first choice needs in place of the second. Default: they exclude each other. */
  readonly needs?: string;
}

const refused = (one: ChoiceName, other: ChoiceName, because: string, hint: string, needs?: string): Combination => ({
  of: [one, other],
  verdict: "refused",
  because,
  hint,
  ...(needs !== undefined && { needs }),
});
const noted = (one: ChoiceName, other: ChoiceName, because: string): Combination => ({
  of: [one, other],
  verdict: "noted",
  because,
});
const allowed = (one: ChoiceName, other: ChoiceName, because: string): Combination => ({
  of: [one, other],
  verdict: "allowed",
  because,
});

const USE_NORM_BOUND = "Use federation.aggregator: normBound; the clip of privacy.client is one already.";
const USE_BUCKETS = "federation.buckets: 10 aggregates securely in groups and applies the rule to the groups.";
const TAKE_FEDERATED = "Take fedavg, fedprox, fedavgm, fedadagrad, fedyogi or fedadam.";
const PAPER = "Leave one of them out: fidelity: original repeats the numbers of the original.";
const UNSCORED = "clients keep adapters of their own and give no scores, so nothing is measured after the first round";
const OF_THE_ORIGINAL = "the original has nothing of the kind";
const NOTHING_SENT = "its clients send no updates";

/** What goes with what: the one place that refusals, notes and docs/combinations.md come from. Others go together. */
export const COMBINATIONS: readonly Combination[] = [
  // Privacy for clients
  refused(
    "trustedPrivacy",
    "byRecords",
    "by records, how much one client counts depends on the others",
    "Set it, or give privacy.client.weightCap.",
    "federation.weighting uniform",
  ),
  refused(
    "trustedPrivacy",
    "coordinateRules",
    "one client can move it further than its clipped share of a mean",
    USE_NORM_BOUND,
  ),
  refused("trustedPrivacy", "singleChoice", "one client's update would be published nearly whole", USE_NORM_BOUND),
  refused("trustedPrivacy", "geometricMedian", "one client can move it further than its clipped share", USE_NORM_BOUND),
  refused("trustedPrivacy", "trustScores", "a trust score has no bounded sensitivity", USE_NORM_BOUND),
  refused(
    "trustedPrivacy",
    "centredClipping",
    "its mean is over the updates that came, and each of its steps would cost",
    USE_NORM_BOUND,
  ),
  allowed("trustedPrivacy", "normBound", "the clip of `privacy.client` is one already"),
  noted("localNoise", "distanceRules", "between updates with local noise the distances are those of the noise"),
  refused(
    "coordinatorNoise",
    "secure",
    "the coordinator adds its noise to updates that it can read, and clips them again",
    "Set privacy.client.mechanism: distributed; then the clients add the noise.",
  ),
  refused(
    "distributedNoise",
    "notSecure",
    "the noise of one client alone protects nobody",
    "Add the section secureAggregation, or set privacy.client.mechanism: central.",
    "secureAggregation",
  ),
  refused(
    "clientPrivacy",
    "adaptiveServer",
    "unset, they would follow the noise",
    "Set federation.server.learningRate and federation.server.tau.",
  ),
  noted("clientPrivacy", "serverMomentum", "momentum multiplies the noise too: by 1/(1 − federation.server.beta1)"),
  refused(
    "localNoise",
    "controlVariates",
    "the noise in its control variate would stay in every step that a client takes",
    TAKE_FEDERATED,
  ),
  refused(
    "distributedNoise",
    "controlVariates",
    "no clip bounds the control variates, which are masked beside the adapter",
    TAKE_FEDERATED,
  ),
  allowed(
    "coordinatorNoise",
    "controlVariates",
    "one clip is over the change of the adapter and `privacy.client.controlScale` times that of the control variate",
  ),
  refused(
    "clientPrivacy",
    "asynchronous",
    "a client pays for a round before it opens, and there nobody knows then who will be in it",
    "Leave federation.mode out.",
  ),
  refused(
    "clientPrivacy",
    "late",
    "an update counts in the round that its client has paid for",
    "Leave federation.lateUpdates out.",
  ),
  noted("localNoise", "recordWeights", "a client does not tell how many records it has, so all count alike"),
  noted("personalFactors", "clientPrivacy", UNSCORED),
  allowed("coordinatorNoise", "compressed", "the coordinator clips again what it decoded"),
  allowed("localNoise", "compressed", "the client adds its noise first, so compression costs no privacy"),
  refused("clientPrivacy", "nothingSent", NOTHING_SENT, TAKE_FEDERATED),

  // Privacy for records
  refused(
    "recordPrivacy",
    "batchReference",
    "its reference point is a mean over the batch",
    "Take another objective: with the others a record has a loss of its own.",
  ),
  refused(
    "recordPrivacy",
    "batchLikelihood",
    "its likelihood is a mean over the tokens of the batch",
    "Leave objective.likelihood out: the paper's is a mean over the record's own tokens.",
  ),
  refused(
    "recordPrivacy",
    "recordWeights",
    "by records, a client's weight tells how many records it has",
    "Leave it out: clients whose records are private have equal weights.",
    "federation.weighting uniform",
  ),
  noted("recordPrivacy", "adaptiveServer", "unset, they follow the noise"),
  noted("personalFactors", "recordPrivacy", UNSCORED),
  noted("recordPrivacy", "distanceRules", "between updates with noise the distances are partly those of the noise"),
  refused("recordPrivacy", "own", "nothing leaves a client, so nobody is protected from anybody", TAKE_FEDERATED),

  // Secure aggregation
  refused("secure", "bucketless", "the coordinator sees only the sum", USE_BUCKETS),
  refused(
    "secure",
    "trustScores",
    "the coordinator sees only the sum",
    "Leave one of them out: a trust score is of one client's update.",
  ),
  refused(
    "secure",
    "normBound",
    "the coordinator sees only the sum, and no norm",
    "federation.stages: [{ name: clip, maxNorm: 1 }] lets the clients clip; nobody can check that they do.",
  ),
  refused(
    "secure",
    "quantised",
    "each client has scales of its own, and masked numbers need one grid for all",
    "Leave the stage out: secureAggregation.bits sets the grid, and with it the bytes.",
  ),
  refused(
    "secure",
    "topk",
    "everyone keeps other coordinates",
    "federation.stages: [{ name: randomk }] keeps the same for all.",
  ),
  refused(
    "secure",
    "asynchronous",
    "masks cancel only between clients of the same round",
    "Leave federation.mode out.",
  ),
  refused("secure", "late", "masks cancel only between clients of the same round", "Leave federation.lateUpdates out."),
  refused("secure", "nothingSent", NOTHING_SENT, TAKE_FEDERATED),

  // Robust rules
  refused(
    "controlVariates",
    "oneGroupRules",
    "the server's control variate has to stay the mean of the clients', and the rule leaves some of them out",
    "Take federation.aggregator: mean or normBound, or another algorithm.",
  ),
  refused(
    "controlVariates",
    "trustScores",
    "the server's control variate has to stay the mean of the clients', and the rule weighs them anew",
    "Take federation.aggregator: mean or normBound, or another algorithm.",
  ),

  // LoRA factors
  refused("factors", "nothingSent", NOTHING_SENT, TAKE_FEDERATED),
  refused(
    "alternating",
    "asynchronous",
    "an update of an earlier round has the other factor",
    "Take federation.factors: ffa, or leave federation.mode out.",
  ),
  refused(
    "alternating",
    "late",
    "an update of an earlier round has the other factor",
    "Take federation.factors: ffa, or leave federation.lateUpdates out.",
  ),
  refused(
    "personalFactors",
    "asynchronous",
    "the factor that a client keeps has to be of the round of the one that it is sent",
    "Take federation.factors: ffa, or leave federation.mode out.",
  ),
  refused(
    "personalFactors",
    "late",
    "the factor that a client keeps has to be of the round of the one that it is sent",
    "Take federation.factors: ffa, or leave federation.lateUpdates out.",
  ),

  refused(
    "refactored",
    "serverSteps",
    "momentum and moments are of the factors of earlier rounds, and it chooses the factors anew",
    "Take fedavg or fedprox, or leave federation.aggregator out.",
  ),
  refused(
    "refactored",
    "controlVariates",
    "control variates are of the factors of earlier rounds, and it chooses the factors anew",
    "Take fedavg or fedprox, or leave federation.aggregator out.",
  ),
  refused(
    "refactored",
    "factors",
    "with one factor sent there is no product to combine, and the mean of that factor is exact",
    "Leave one of them out.",
  ),
  refused(
    "refactored",
    "late",
    "an update of an earlier round is a change of other factors",
    "Leave federation.lateUpdates out.",
  ),
  refused(
    "refactored",
    "asynchronous",
    "an update of an earlier round is a change of other factors",
    "Leave federation.mode out.",
  ),
  refused(
    "refactored",
    "secure",
    "the coordinator sees only the sum of the factors",
    "Take federation.factors: ffa: its mean is exact.",
  ),
  refused(
    "refactored",
    "clientPrivacy",
    "noise is on the mean of the factors, and it needs each of them",
    "Take federation.factors: ffa: its mean is exact.",
  ),
  refused("original", "refactored", OF_THE_ORIGINAL, PAPER),

  // Attacks, in simulations
  refused(
    "attack",
    "asynchronous",
    "hostile clients act after the honest ones of their round",
    "Leave federation.mode out.",
  ),
  refused(
    "attack",
    "overSelected",
    "hostile clients act after the honest ones of their round",
    "Leave federation.overSelect out.",
  ),
  refused(
    "collusion",
    "secure",
    "its clients read what the honest ones sent, which is masked",
    "Take labelFlip, signFlip, modelReplacement, freeRider or safetyPoisoning.",
  ),
  refused(
    "collusion",
    "clientPrivacy",
    "its clients read what the honest ones sent, which is encrypted",
    "Take labelFlip, signFlip, modelReplacement, freeRider or safetyPoisoning.",
  ),

  // Compression
  noted("topk", "coordinateRules", "most clients send 0 for a coordinate, and zeros win the median"),
  noted("topk", "distanceRules", "distances are then those of which coordinates were kept"),
  noted("feedback", "coordinateRules", "a client's memory of what it did not send is no part of a median"),
  noted("feedback", "distanceRules", "a client that was left out sends more the next time, and looks further away"),
  noted("topk", "noFeedback", "what a client does not send is lost, and the run may not converge"),

  refused(
    "downlink",
    "asynchronous",
    "a difference is to the adapter of the round before, and each client goes on from a round of its own",
    "Leave federation.downlink out, or federation.mode.",
  ),
  allowed("downlink", "controlVariates", "the server's control variate goes down whole, the adapter packed"),

  // Fidelity
  refused("original", "clientPrivacy", OF_THE_ORIGINAL, PAPER),
  refused("original", "recordPrivacy", OF_THE_ORIGINAL, PAPER),
  refused("original", "secure", OF_THE_ORIGINAL, PAPER),
  refused("original", "robust", OF_THE_ORIGINAL, PAPER),
  refused("original", "factors", OF_THE_ORIGINAL, PAPER),
  refused("original", "compressed", OF_THE_ORIGINAL, PAPER),
  refused("original", "downlink", OF_THE_ORIGINAL, PAPER),
];

/** A combination as a configuration makes it. */
interface Made extends Combination {
  readonly names: readonly [string, string];
}

function madeBy(config: Row, verdict: Combination["verdict"]): Made[] {
  return COMBINATIONS.flatMap((combination) => {
    if (combination.verdict !== verdict) return [];
    const [one, other] = combination.of.map((name) => CHOICES[name].made(config));
    return one === undefined || other === undefined ? [] : [{ ...combination, names: [one, other] as const }];
  });
}

/** Finds the choices of a configuration that exclude each other. A value that is not set is the default. */
export function refusedCombinations(config: object): Problem[] {
  return madeBy(config as Row, "refused").map(({ of, names: [one, other], because, hint, needs }) => ({
    message:
      needs === undefined
        ? `${one} and ${other} exclude each other: ${because}`
        : `${one} needs ${needs}, got ${other.split(" ").at(-1)}: ${because}`,
    hint,
    path: CHOICES[of[1]].setting.split("."),
  }));
}

/** Notes on the choices of a configuration that work together and have a drawback, or less effect than it seems. */
export function notedCombinations(config: object): string[] {
  return madeBy(config as Row, "noted").map(({ names: [one, other], because }) => `${one} with ${other}: ${because}`);
}
