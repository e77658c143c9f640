import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { FederationStatus, Heartbeat } from "../../federation/status.ts";

type Label = "state" | "client";

/** One value of a metric, or none where it is not known. */
type Sample = readonly [value: number | undefined, labels?: Partial<Record<Label, string>>];

interface Metric<Source> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly Label[];
  /** It only grows while the process runs. */
  readonly counts?: true;
  readonly samples: (source: Source) => readonly Sample[];
}

/** A metric without labels. */
function plain<Source>(name: string, help: string, value: (source: Source) => number | undefined): Metric<Source> {
  return { name, help, samples: (source) => [[value(source)]] };
}

function counter<Source>(name: string, help: string, value: (source: Source) => number): Metric<Source> {
  return { ...plain(name, help, value), counts: true };
}

/** A metric that is 1 for the present state and 0 for the others. */
function states<Source extends { readonly state: State }, State extends string>(
  name: string,
  help: string,
  all: readonly State[],
): Metric<Source> {
  return {
    name,
    help,
    labels: ["state"],
    samples: ({ state }) => all.map((each) => [Number(each === state), { state: each }]),
  };
}

const RUN_STATES = [
  "gathering members",
  "training",
  "evaluating",
  "over",
] as const satisfies FederationStatus["state"][];
const SITE_STATES = [
  "waiting",
  "training",
  "scoring",
  "sending",
  "fetching",
  "done",
] as const satisfies Heartbeat["state"][];

const FEDERATION_METRICS: readonly Metric<FederationStatus>[] = [
  states("openfedllm_run_state", "1 for the state that the run is in", RUN_STATES),
  plain("openfedllm_round", "Round that is under way, or the last one", ({ round }) => round),
  plain("openfedllm_rounds", "Rounds of the run", ({ rounds }) => rounds),
  plain("openfedllm_members", "Members of the federation", ({ members }) => members.length),
  plain(
    "openfedllm_members_connected",
    "Members that were heard of within the last seconds",
    ({ members }) => members.filter(({ connected }) => connected).length,
  ),
  plain(
    "openfedllm_members_declined",
    "Members that declined the task",
    ({ members }) => members.filter(({ declined }) => declined !== undefined).length,
  ),
  {
    name: "openfedllm_member_connected",
    help: "1 for a member that was heard of within the last seconds",
    labels: ["client"],
    samples: ({ members }) => members.map(({ client, connected }) => [Number(connected), { client }]),
  },
  {
    name: "openfedllm_member_step",
    help: "Optimizer step of the round that a member trains",
    labels: ["client"],
    samples: ({ members }) => members.map(({ client, heartbeat }) => [heartbeat?.step, { client }]),
  },
  plain("openfedllm_awaited", "Clients whose answer is missing", ({ awaited }) => awaited.length),
  plain(
    "openfedllm_round_closes_timestamp_seconds",
    "Earliest Unix time that the round may close without those that are late",
    ({ closesAt }) => (closesAt === undefined ? undefined : Date.parse(closesAt) / 1000),
  ),
  counter("openfedllm_bytes_up_total", "Bytes of updates that travelled in this run", ({ bytesUp }) => bytesUp),
  counter("openfedllm_bytes_down_total", "Bytes of adapters that travelled in this run", ({ bytesDown }) => bytesDown),
  counter("openfedllm_refused_updates_total", "Updates of this run that were refused", ({ refused }) => refused),
];

const SITE_METRICS: readonly Metric<Heartbeat>[] = [
  states("openfedllm_site_state", "1 for the state that the site is in", SITE_STATES),
  plain("openfedllm_site_round", "Round that the site works on", ({ round }) => round),
  plain("openfedllm_site_step", "Optimizer step of the round", ({ step }) => step),
  plain("openfedllm_site_steps", "Optimizer steps of the round", ({ steps }) => steps),
  plain(
    "openfedllm_site_transfer_bytes",
    "Bytes of the transfer under way that are done",
    ({ bytesDone }) => bytesDone,
  ),
  plain("openfedllm_site_transfer_size_bytes", "Bytes of the transfer under way", ({ bytesTotal }) => bytesTotal),
  plain(
    "openfedllm_site_transfer_bytes_per_second",
    "Speed of the transfer under way",
    ({ bytesPerSecond }) => bytesPerSecond,
  ),
];

/** Metrics of a federation's coordinator, and of its process, in Prometheus' text format. */
export function federationMetrics(status: () => FederationStatus): Registry {
  return registryOf(FEDERATION_METRICS, status);
}

/** Metrics of a site, and of its process. */
export function siteMetrics(heartbeat: () => Heartbeat): Registry {
  return registryOf(SITE_METRICS, heartbeat);
}

function registryOf<Source>(metrics: readonly Metric<Source>[], read: () => Source): Registry {
  // One of its own: that of the library is shared by all programs of the process.
  const register = new Registry();
  collectDefaultMetrics({ register });
  for (const metric of metrics)
    register.registerMetric(metric.counts ? counterOf(metric, read) : gaugeOf(metric, read));
  return register;
}

function counterOf<Source>({ name, help, samples }: Metric<Source>, read: () => Source): Counter {
  return new Counter({
    name,
    help,
    registers: [],
    collect() {
      this.reset();
      for (const [value] of samples(read())) this.inc(value);
    },
  });
}

function gaugeOf<Source>({ name, help, labels = [], samples }: Metric<Source>, read: () => Source): Gauge<Label> {
  return new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [],
    collect() {
      this.reset();
      // A metric without labels would be 0 now, and one that is not known has no value.
      if (labels.length === 0) this.remove();
      for (const [value, given = {}] of samples(read())) if (value !== undefined) this.set(given, value);
    },
  });
}
