import {
  byName,
  type Check,
  type Checked,
  count,
  hash,
  json,
  list,
  measured,
  message,
  nullable,
  oneOf,
  optional,
  text,
} from "../../store/check.ts";

/** Raise it with any change of the messages or keys that an earlier version would misread. */
export const PROTOCOL = 1;

/** The head: how far the run is. It holds no wall-clock time, nor does anything it names: equal runs have equal heads. */
export const runHead = message({
  protocol: count,
  /** Rounds that are done; 0 before the first. */
  round: count,
  /** sha256 of the adapter after that round (safetensors, PEFT's names). */
  adapter: hash,
  /** sha256 of the algorithm's server state after that round. */
  state: hash,
  /** Stands for everything the outcome depends on: settings, data, base. A run goes on under no other. */
  identity: text,
});
export type RunHead = Checked<typeof runHead>;

/** `manifest`: the coordinator's first cell. A participant reads it before it joins. */
export const manifest = message({
  protocol: count,
  algorithm: text,
  /** Names of the clients that are to join, in the order of tables. */
  clients: list(text),
  /** Settings that all parties have to agree on. */
  settings: json,
});
export type Manifest = Checked<typeof manifest>;

/** `member/<client>`: a client joins. Its first one counts. */
export const member = message({
  protocol: count,
  client: text,
  /** Records it trains on: its weight in an average. */
  records: count,
  /** Records it keeps for evaluation. */
  heldOut: count,
  /** Stands for its records: another text means that they changed. */
  data: text,
  /** There where the client keeps its figures: `records` is then 1 for every client, and `heldOut` is 0. */
  figures: optional(oneOf("kept")),
});
export type Member = Checked<typeof member>;

/** `decline/<client>`: a client does not take part, and why. It may join later all the same. */
export const declining = message({ client: text, reason: text });

/** `leave/<client>`: a client takes no part in later rounds. It does not come back. */
export const leaving = message({ client: text });

/** `roster`: the members that the run begins with, settled once, in the order of the manifest. */
export const roster = message({ members: list(member) });
export type Roster = Checked<typeof roster>;

/** `round-0003/members`: what has changed since the round before; absent where nothing has. */
export const membersChange = message({ round: count, joined: list(member), left: list(text) });
export type MembersChange = Checked<typeof membersChange>;

/** `round-0003/open`: the round's task, the same for every client. */
export const roundOpening = message({
  round: count,
  clients: list(text),
  /** For each of `clients`, the rounds before this one that it was drawn for: there its data order goes on. */
  earlierRounds: list(count),
  learningRate: measured,
  /** sha256 of the adapter that training starts from. */
  adapter: hash,
  /** sha256 of the server state that the round begins with. Only the coordinator can use it. */
  state: optional(hash),
  /** sha256 of what the algorithm sends besides the adapter, or null where that is nothing. */
  broadcast: nullable(hash),
  /** Largest norm of an update's change, where it follows the norms of earlier rounds (privacy.client.clip). */
  clip: optional(measured),
  /** The round closes with the first so many usable updates; absent: with those of all `clients`. */
  closesWith: optional(count),
  /**
   * The round may close after so many seconds by the coordinator's clock. A duration: an instant would make equal runs differ.
   * Absent: it waits for all.
   */
  deadlineSeconds: optional(measured),
  /**
   * The adapter is h, which clients hold, and not the global one: what is sent is the difference to the adapter of the round
   * before, packed. A client that does not hold `base` fetches `adapter` whole. Absent: the adapter is the global one.
   */
  downlink: optional(message({ global: hash, base: hash, change: hash })),
  /** Asynchronous: `clients` is empty, each client has a task of its own, and the round closes with so many updates. */
  bufferSize: optional(count),
});
export type RoundOpening = Checked<typeof roundOpening>;

/** `round-0003/task/<client>`: in an asynchronous run, one client is to train from the adapter of the round's opening. */
export const clientTask = message({
  round: count,
  client: text,
  /** Tasks of this client before this one: there its data order goes on. */
  earlierRounds: count,
  /** In a simulation, the time on its clock at which the client answers. */
  due: optional(measured),
});
export type ClientTask = Checked<typeof clientTask>;

/** Figures of a client's training. They travel with its update, all or none: a client under privacy keeps them. */
const trainingFigures = {
  /** Mean training loss over `count` supervised tokens (SFT) or records (preference objectives), nats. */
  loss: measured,
  count,
  /** Further means that the objective measures in training, by name; empty for SFT. */
  metrics: byName(measured),
  steps: count,
  /** Examples and supervised tokens trained on, repeats counted. */
  examples: count,
  supervisedTokens: count,
  seconds: measured,
};

/** The bytes of a client-round by kind, where they are not those of whole tensors in float32. */
const byteLedger = message({
  /** What `bytesUp` and `bytesDown` would be without stages, downlink, encryption and masks. */
  upFloat32: count,
  downFloat32: count,
  /** Of `bytesUp`: what says how the numbers lie in the update. */
  headers: count,
  /** Of `bytesUp`: the numbers under masks of secure aggregation; absent without it. */
  masks: optional(count),
  /** Of `bytesUp`, or beside it in cells: encryption to the coordinator; keys and shares. Absent without. */
  keys: optional(count),
});
export type ByteLedger = Checked<typeof byteLedger>;

const submissionFields = {
  client: text,
  /** sha256 of the adapter it trained from. */
  base: text,
  /** sha256 of the update. */
  update: hash,
  /** Bytes fetched and sent by the client in this round; 0 where the algorithm lets nothing travel. */
  bytesDown: count,
  bytesUp: count,
  ledger: optional(byteLedger),
};

const bareUpdate = message(submissionFields);
const updateWithFigures = message({ ...submissionFields, ...trainingFigures });

/** A client's answer to a round. */
export type SubmittedUpdate = Checked<typeof bareUpdate> &
  Partial<Omit<Checked<typeof updateWithFigures>, keyof typeof submissionFields>>;
const submittedUpdate: Check<SubmittedUpdate> = (value, at) =>
  typeof value === "object" && value !== null && Object.keys(trainingFigures).some((figure) => figure in value)
    ? updateWithFigures(value, at)
    : bareUpdate(value, at);

/** A client's statement that it has no usable update, and why. */
export const refusal = message({ client: text, refused: text });
export type Refusal = Checked<typeof refusal>;

/** `round-0003/update/<client>`. The first one counts, so a refusal stays one when a run resumes. */
export type Submission = SubmittedUpdate | Refusal;
export const submission: Check<Submission> = (value, at) =>
  typeof value === "object" && value !== null && "refused" in value ? refusal(value, at) : submittedUpdate(value, at);

/** `round-0003/close`: the commit point. An update that is not named here is not in the round, however late it arrives. */
export const roundClose = message({
  round: count,
  /**
   * In the order of clients; asynchronous: in that of arrival. Aggregation goes by clients in both. `records` is the weight.
   * An update that answers an earlier round says which, the adapter that it was trained from, and the factor for its change.
   */
  accepted: list(
    message({
      client: text,
      update: hash,
      records: count,
      /** Absent where the client keeps its figures. */
      loss: optional(measured),
      count: optional(count),
      round: optional(count),
      base: optional(hash),
      factor: optional(measured),
    }),
  ),
  refused: list(refusal),
  /** The reason why the round has no aggregate: the adapter stays as it was. Only where updates are masked. */
  failed: optional(text),
});
export type RoundClose = Checked<typeof roundClose>;
export type AcceptedUpdate = RoundClose["accepted"][number];

/** `round-0003/evaluate`: the coordinator asks for scores after round 3. */
export const evaluationRequest = message({
  round: count,
  adapter: hash,
  clients: list(text),
  /** There where validation parts are to be scored too. */
  validation: optional(oneOf("too")),
});
export type EvaluationRequest = Checked<typeof evaluationRequest>;

const scoreFields = {
  /** A client's name, or `common`. */
  set: text,
  /** The client whose own adapter was scored, where clients keep their own; absent: the global one. */
  client: optional(text),
  records: count,
  supervisedTokens: count,
  /** Nats per supervised token for SFT, per record for preference objectives. */
  loss: measured,
  /** `loss` is a mean over this many supervised tokens (SFT) or records (preference objectives). */
  count,
  /** Further means by name: the objective's, those of `evaluation.labels`. */
  metrics: optional(byName(measured)),
};

/** One score of an adapter on a held-out set. */
const evaluationScore = message(scoreFields);
export type EvaluationScore = Checked<typeof evaluationScore>;

/** A score that a site does not give, and why. */
const withheldScore = message({
  /** A client's name. */
  set: text,
  /** The client whose own adapter it would be of, where clients keep their own; absent: the global one. */
  client: optional(text),
  reason: text,
});
export type WithheldScore = Checked<typeof withheldScore>;

const benchmarkFields = {
  benchmark: text,
  /** The client whose own adapter was asked, where clients keep their own; absent: the global one. */
  client: optional(text),
  questions: count,
  metrics: byName(measured),
};

/** An adapter's result on a benchmark. */
const benchmarkScore = message(benchmarkFields);
export type BenchmarkScore = Checked<typeof benchmarkScore>;

/** `round-0003/scores/<client>`: a client's answer to a request for scores. */
export const clientScores = message({
  client: text,
  scores: list(message({ ...scoreFields, seconds: measured })),
  /** Scores on validation parts; absent where none were asked for. */
  validation: optional(list(message({ ...scoreFields, seconds: measured }))),
  benchmarks: optional(list(message({ ...benchmarkFields, seconds: measured }))),
  /** Absent where it gives all that were asked for. */
  withheld: optional(list(withheldScore)),
});
export type ClientScores = Checked<typeof clientScores>;

/** `round-0003/evaluation`: all scores after round 3. Clients in the order of the roster, then the common set. */
export const roundEvaluation = message({
  round: count,
  scores: list(evaluationScore),
  /** Scores on validation parts, which choose the best round; absent where there are none. */
  validation: optional(list(evaluationScore)),
  /** Absent where no benchmark was due. */
  benchmarks: optional(list(benchmarkScore)),
  /** Absent where every site gave its scores. */
  withheld: optional(list(withheldScore)),
});
export type RoundEvaluation = Checked<typeof roundEvaluation>;

/** `round-0003/end`: the run ended after round 3. */
export const runEnd = message({ round: count, adapter: hash });
