import type { FederationStatus, Heartbeat, MemberStatus } from "../../federation/status.ts";
import type { SiteTask } from "../../experiment/site-task.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { counted, formatBytes, formatCount, formatDuration, formatLearningRate } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

type PrivacySettings = NonNullable<ExperimentConfig["privacy"]>;

/** The party that asks, as the person at a site sees it. */
export interface Asker {
  readonly federation: string;
  /** The key that signs the coordinator's messages. */
  readonly key: string;
  readonly server: string;
  readonly client: string;
}

/** Lines that say what a site is asked to do, by whom, and what will leave the machine. */
export function taskLines({ federation, key, server, client }: Asker, task: SiteTask): string[] {
  const { model, adapter, federation: rules, training, objective, evaluation, privacy } = task.config;
  const targets = Array.isArray(adapter.targets) ? adapter.targets.join(", ") : adapter.targets;
  const rate = formatLearningRate(training.learningRate);
  const sets =
    task.heldOut === 0
      ? "none: this site holds no records out"
      : `means and counts over ${counted(task.heldOut, "held-out record")}, at ${evaluation.every === 0 ? "the first and the last round" : `every ${evaluation.every === 1 ? "" : `${evaluation.every}th `}round`}`;
  const update =
    task.updateBytes === 0
      ? undefined
      : `an update of ${formatBytes(task.updateBytes)} (${counted(task.tensors, "tensor")})`;
  const leaves =
    privacy?.client === undefined && privacy?.record === undefined
      ? [
          "- once: the number of records, of held-out records, and a hash of them",
          update === undefined
            ? "- each round: the training loss, steps, tokens and seconds (algorithm local: no update)"
            : `- each round: ${update}; the training loss, steps, tokens and seconds`,
          `- scores: ${sets}`,
        ]
      : [`- each round: ${[update, ...protections(privacy)].join(", ")}`, "- scores: none, and no other figures"];
  return [
    `The federation ${oneLine(federation)} (${oneLine(server)}, key ${key.slice(0, 12)}…) asks ${oneLine(client)} to:`,
    `- train ${oneLine(model.base)} (weights ${task.baseFingerprint.slice(0, 12)}…: verified)`,
    `- ${objective.name}, LoRA rank ${adapter.rank} on ${oneLine(targets)}: ${counted(task.tensors, "tensor")}, ${formatCount(task.parameters)} numbers`,
    `- ${counted(rules.rounds, "round")} of ${rules.algorithm}, ${counted(task.localSteps, "step")} each, learning rate ${rate}`,
    ...(task.startsFrom === undefined
      ? []
      : [`- from the adapter ${task.startsFrom.slice(0, 12)}…: verified when it comes`]),
    `- on ${counted(task.records, "record")} of this site; no text of them leaves it`,
    "What leaves this machine:",
    ...leaves,
  ];
}

function protections({ client, record }: PrivacySettings): string[] {
  return [
    ...(record === undefined
      ? []
      : [`made with noise in each step of training, each record within ε ${record.epsilon} over the whole run`]),
    ...(client === undefined ? [] : [protection(client)]),
  ];
}

function protection({ mechanism, epsilon }: NonNullable<PrivacySettings["client"]>): string {
  const budget = `within ε ${epsilon} over the whole run`;
  if (mechanism === "distributed") {
    return `clipped, with a share of the noise, under masks: the coordinator reads sums only, ${budget}`;
  }
  return mechanism === "local"
    ? `clipped, with noise of this site's own, ${budget}`
    : `clipped, readable for the coordinator only, who adds noise to the sum ${budget}`;
}

/** `clinic: step 3 of 6`, `bank: sends 5.1 of 10.2 MB, 1.2 MB/s, 4s left`, `workshop: not connected`. */
function memberText({ client, connected, declined, heartbeat }: MemberStatus): string {
  const name = oneLine(client);
  if (declined !== undefined) return `${name}: declined: ${oneLine(declined)}`;
  if (!connected) return `${name}: not connected`;
  return `${name}: ${heartbeatText(heartbeat!)}`;
}

export function heartbeatText({ state, step, steps, bytesDone, bytesTotal, bytesPerSecond }: Heartbeat): string {
  if (state === "training" && step !== undefined && steps !== undefined) return `step ${step} of ${steps}`;
  if ((state !== "sending" && state !== "fetching") || bytesDone === undefined || bytesTotal === undefined)
    return state;
  const verb = state === "sending" ? "sends" : "fetches";
  const left =
    bytesPerSecond === undefined || bytesPerSecond <= 0
      ? ""
      : `, ${formatBytes(bytesPerSecond)}/s, ${formatDuration((bytesTotal - bytesDone) / bytesPerSecond)} left`;
  return `${verb} ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}${left}`;
}

/** One line for a live view: the round, each member that is awaited, and the deadline. */
export function statusLine(
  { state, round, rounds, awaited, members, closesAt }: FederationStatus,
  now: number,
): string {
  const where = state === "training" ? `round ${round} of ${rounds}` : state;
  const late = members.filter(({ client }) => awaited.includes(client)).map(memberText);
  const closes =
    closesAt === undefined ? "" : `; closes in ${formatDuration(Math.max(0, Date.parse(closesAt) - now) / 1000)}`;
  return `${where}${late.length === 0 ? "" : `: ${late.join("; ")}`}${closes}`;
}

/** The status of a federation in lines, for `federation status`. */
export function statusLines(status: FederationStatus, now: number): string[] {
  const { federation, run, members, bytesUp, bytesDown, refused, updatedAt } = status;
  const age = (now - Date.parse(updatedAt)) / 1000;
  const old = age < 10 ? "" : ` (as of ${formatDuration(age)} ago: no host is running)`;
  const connected = members.filter((member) => member.connected).length;
  return [
    `${oneLine(federation)}, run ${oneLine(run)}${old}`,
    statusLine({ ...status, members: [] }, now),
    `${connected} of ${counted(members.length, "member")} connected; ${formatBytes(bytesUp)} received, ${formatBytes(bytesDown)} sent; ${counted(refused, "update")} refused`,
    ...members.map((member) => `  ${memberText(member)}${awaitedText(member, status)}`),
  ];
}

function awaitedText({ client }: MemberStatus, { awaited }: FederationStatus): string {
  return awaited.includes(client) ? " (awaited)" : "";
}
