import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { coordinateExperiment } from "../../experiment/coordinate.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { updateBytes } from "../../experiment/site-task.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import type { FederationMonitor } from "../../federation/status.ts";
import { spanText, timeText } from "../../identity/clock.ts";
import { lockHost } from "../../node/federation/host-lock.ts";
import { openAuditLog } from "../../node/federation/audit-log.ts";
import {
  FEDERATION_FOLDER,
  type Federation,
  initFederation,
  openFederation,
} from "../../node/federation/federation-folder.ts";
import { type HostedServer, startHostedServer } from "../../node/federation/hosted-server.ts";
import { isOpen } from "../../node/federation/invite.ts";
import { type Hosting, openHosting } from "../../node/federation/hosting.ts";
import { isOut } from "../../node/federation/records.ts";
import { startMonitor } from "../../node/federation/monitor-server.ts";
import { keepStatus } from "../../node/federation/status-file.ts";
import type { TlsFiles } from "../../node/federation/server-config.ts";
import { foreignAddresses, readCertificate } from "../../node/federation/tls-files.ts";
import { boundClients, boundSettings, checkRunPlace } from "../../node/check-run-folder.ts";
import { nodePlatform } from "../../node/platform.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { checkTrackers } from "../../node/tracking/registry.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { messagesNeeded } from "../../net/uplinks.ts";
import { type Command, defineCommand, type FlagValues } from "../command.ts";
import { repeated, text, toggle, wholeNumber } from "../flag.ts";
import { statusLine } from "../views/federation-text.ts";
import { jsonView, plainView } from "../views/plain-view.ts";
import { runFacts, someNames } from "../views/run-facts.ts";
import type { RunView } from "../views/run-view.ts";
import { oneLine } from "../views/text-width.ts";
import { addressFlag } from "../work/addresses.ts";
import { leaveRunReport } from "../work/run-report.ts";
import { SOFTWARE } from "../work/software.ts";
import { defaultRunFolder, readRunConfig, writeSummary } from "../work/training.ts";
import { untilReached } from "../work/until-reached.ts";
import { waitingNotes } from "../work/waiting-notes.ts";
import { type Work, withStatus } from "../work/work.ts";
import { setFlag, threadsFlag } from "./shared-flags.ts";

/** Clients that a line about waiting names. */
const NAMED = 8;
/** A member's room on the server: a few updates, and its cells. */
const UPDATES_KEPT = 4;
const UPLINK_FLOOR = 8_000_000;
/** Time between two redrawn lines, milliseconds. */
const REDRAW_MS = 500;
/** Longest wait for members to fetch the result, once the run is over, seconds. */
const LINGER_S = 60;

const flags = {
  federation: text("<folder>", "folder of the federation, which is made if it is missing").default(FEDERATION_FOLDER),
  out: text("<folder>", "run folder (default: runs/<name of the configuration>)"),
  listen: addressFlag("address that the server listens at; other machines need TLS").default(
    { host: "127.0.0.1", port: 4222 },
    "127.0.0.1:4222",
  ),
  tlsCert: text("<file>", "certificate of the server and its chain (PEM)"),
  tlsKey: text("<file>", "key of that certificate (PEM)"),
  websocket: addressFlag(
    "address for members that get out by HTTPS only, such as 0.0.0.0:443; with the same certificate",
  ),
  nats: repeated("<url>", "use this running server or cluster instead of starting one; may be given several times"),
  replicas: wholeNumber("<n>", "copies of everything in a cluster: 1, 3 or 5", { min: 1, max: 5 }).advanced(),
  allowOutdatedServer: toggle(
    "listen where other machines reach it, though the version of nats-server has known security faults",
  ).advanced(),
  preferConnected: toggle(
    "draw members that are connected first; which ones are drawn then depends on the time",
  ).advanced(),
  monitor: text("<host:port>", "address for /healthz, /readyz and /metrics (Prometheus), such as 127.0.0.1:9464"),
  set: setFlag,
  json: toggle("write every event as a line of JSON to stdout, and the summary last"),
  threads: threadsFlag,
};

type HostFlags = FlagValues<typeof flags>;

export const command: Command = defineCommand({
  description:
    "Leads a federation of organisations on machines of their own: starts a server that they reach, waits for them (openfedllm join), and coordinates the run. No record of theirs comes here. Run the same command again to continue a stopped run.",
  argument: {
    placeholder: "<config>",
    description: "configuration file; data.clients names the members that take part (default: all of the federation)",
  },
  flags,
  examples: [
    ["npx openfedllm federation init --name joint"],
    ["npx openfedllm federation invite clinic", "prints an invitation, for clinic alone"],
    ["npx openfedllm host my.yaml"],
    [
      "npx openfedllm host my.yaml --listen 0.0.0.0:4222 --tls-cert server.pem --tls-key server-key.pem",
      "other machines reach it",
    ],
  ],
  async run(given, context, configFile) {
    const { stdout, stderr } = context;
    const { json = false } = given;
    const folder = given.out ?? defaultRunFolder(configFile);
    const baseDir = path.dirname(configFile);
    const live = stderr.live && !json;
    const hosted = await withStatus(
      context,
      async (work) => {
        const { note } = work.status;
        // Lines of the log pass the redrawn line.
        const lines = { ...stderr, write: (written: string) => note(written.replace(/\n$/, "")) };
        const view = json ? jsonView(stdout, lines) : plainView(lines);
        try {
          return await host(configFile, { ...given, folder, baseDir, live, view }, work);
        } finally {
          view.close();
        }
      },
      { live: !json, long: true, endsItself: true },
    );
    writeSummary(hosted.summary, { config: hosted.config, baseDir, folder, json }, context);
  },
});

interface Hosted {
  readonly config: ExperimentConfig;
  readonly summary: RunSummary;
}

interface HostOptions extends HostFlags {
  readonly folder: string;
  readonly baseDir: string;
  readonly live: boolean;
  readonly view: RunView;
}

async function host(configFile: string, options: HostOptions, work: Work): Promise<Hosted> {
  const { folder, baseDir, live, view, threads, set } = options;
  const { status, signal, unlessStopped, reports } = work;
  const federation = await openOrMake(options.federation, status.note);
  const known = await membersToBe(federation);
  if (known.length === 0) status.note(await whyNobody(federation));
  // A run goes on with the clients that it began with, whoever was invited or is gone since.
  const config = readRunConfig(configFile, set, threads, boundClients(folder) ?? known);
  refuseCanaries(config);
  checkTrackers(config.output);
  const tls = await tlsOf(federation, options, status.note);
  checkRunPlace(folder, boundSettings(config), "parties");
  const platform = nodePlatform({ baseDir, threads: config.runtime.threads, ...reports });
  const hooks = {
    part: { role: "coordinator" as const },
    onProgress: status.say,
    onCount: status.counting,
    onNote: status.note,
    signal,
  };
  const prepared = await unlessStopped(prepareExperiment(config, platform, hooks));
  signal.addEventListener("abort", () => status.note("stopping… (press Ctrl-C again to stop at once)"), { once: true });
  const opened = await openRunFolder(folder, status.note);
  const closers: (() => unknown)[] = [() => opened.close(), () => leaveRunReport(folder, status.note)];
  try {
    await keepOrigin(opened, folder, baseDir);
    const server = await openServer(federation, options, tls, status.note);
    closers.push(() => server.stop());
    closers.push(lockHost(federation));
    const audit = await openAuditLog(path.join(federation.folder, "audit.jsonl"));
    const bytes = updateBytes(prepared);
    const hosting = await untilReached(work, () =>
      openHosting({
        federation,
        server,
        run: runName(folder),
        copy: opened.exchange,
        audit,
        software: SOFTWARE,
        who: `${hostname()}, process ${process.pid}`,
        replicas: options.replicas,
        uplinkBytes: UPLINK_FLOOR + UPDATES_KEPT * bytes,
        messages: messagesNeeded(config.federation.rounds, bytes),
        onNote: status.note,
        signal,
      }),
    );
    closers.push(() => hosting.close());
    const { monitor } = hosting;
    const endStatus = keepStatus(federation.folder, () => monitor.snapshot());
    closers.push(endStatus);
    if (options.monitor !== undefined) {
      const place = { status: () => monitor.snapshot(), ready: hosting.isConnected };
      const server = await startMonitor(options.monitor, place);
      closers.push(() => server.stop(0));
    }
    if (live) closers.push(redraw(status.say, monitor));
    await noteStrangers(config, federation, hosting, status.note);
    view.begin(runFacts(prepared, folder));
    const store = { ...opened, exchange: hosting.exchange };
    // Each join has a note of its own.
    const noteWaiting = waitingNotes(view, { tellsJoins: false });
    const summary = await coordinateExperiment(prepared, platform, store, {
      emit(event) {
        monitor.event(event);
        view.event(event);
      },
      onWaiting(what, clients, milliseconds) {
        monitor.await(clients, milliseconds);
        noteWaiting(what, clients);
      },
      onDeclined({ client, reason }) {
        monitor.decline(client, reason);
        view.note(`${oneLine(client)} declines the task: ${oneLine(reason)}`);
      },
      newcomers: config.data.clients === undefined ? hosting.members.active : undefined,
      revoked: hosting.members.revoked,
      departed: hosting.members.departed,
      ...(options.preferConnected === true && { available: () => monitor.connected() }),
      signal,
    });
    await linger(monitor, config, status, signal);
    await hosting.exchange.settled();
    // The run is over whether or not the server still answers.
    await hosting.sweep().catch(() => undefined);
    return { config, summary };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Everyone who is a member, or may become one by an open invitation. */
async function membersToBe(federation: Federation): Promise<string[]> {
  const members = (await federation.members()).filter((member) => !isOut(member));
  return [...new Set([...members.map(({ name }) => name), ...(await invitedNames(federation))])].sort();
}

/** Says that nobody can join: nobody was invited, or the time of each invitation is over by this machine's clock. */
async function whyNobody(federation: Federation): Promise<string> {
  const [now, again] = [new Date(), "openfedllm federation invite NAME"];
  const lapsed = (await federation.invitations()).filter((each) => isOpen(each, new Date(each.created)));
  if (lapsed.length === 0) return `nobody is invited yet: ${again}`;
  const last = new Date(Math.max(...lapsed.map(({ expires }) => Date.parse(expires))));
  const names = [...new Set(lapsed.map(({ client }) => client))].sort();
  return `the invitations of ${someNames(names, NAMED)} expired at ${timeText(last)}, ${spanText(now.getTime() - last.getTime())} ago by this machine's clock (${timeText(now)}): invite them again (${again}), or correct the clock`;
}

async function invitedNames(federation: Federation): Promise<ReadonlySet<string>> {
  const now = new Date();
  const open = (await federation.invitations()).filter((invitation) => isOpen(invitation, now));
  return new Set(open.map(({ client }) => client));
}

/** @throws UserError of kind `config` for canaries: no coordinator adds records to those of a site. */
function refuseCanaries({ data }: ExperimentConfig): void {
  if (data.canaries === undefined) return;
  throw new UserError(
    "config",
    "data.canaries adds invented records to a client's, and a site takes none from others",
    {
      hint: "Remove data.canaries. To measure memorisation, use openfedllm run on records of your own.",
    },
  );
}

async function openOrMake(folder: string, note: (text: string) => void): Promise<Federation> {
  if (existsSync(folder)) return openFederation(folder);
  const name = path.basename(path.resolve(folder));
  const federation = await initFederation(folder, { name });
  note(`made the federation ${name} in ${folder}; invite its members: openfedllm federation invite NAME`);
  return federation;
}

/** Checks the certificate of the server. Undefined where none is given. */
async function tlsOf(
  federation: Federation,
  { tlsCert, tlsKey }: HostOptions,
  note: (text: string) => void,
): Promise<TlsFiles | undefined> {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UserError("config", "--tls-cert and --tls-key go together", { hint: "Give both, or neither." });
  }
  if (tlsCert === undefined) return undefined;
  const tls = { certificate: tlsCert, key: tlsKey! };
  const { servers = [] } = (await federation.addresses()) ?? {};
  const foreign = foreignAddresses(await readCertificate(tls), servers);
  if (foreign.length > 0)
    note(`the certificate ${tlsCert} is not for ${foreign.join(", ")}, where invitations lead: members will refuse it`);
  return tls;
}

async function openServer(
  federation: Federation,
  { nats, listen, websocket, allowOutdatedServer }: HostOptions,
  tls: TlsFiles | undefined,
  note: (text: string) => void,
): Promise<HostedServer> {
  if (nats !== undefined) {
    const { ca } = (await federation.addresses()) ?? {};
    return { connection: { servers: nats, ...(ca !== undefined && { ca }) }, stop: async () => {} };
  }
  return startHostedServer(
    federation,
    {
      listener: { ...listen, tls },
      ...(websocket !== undefined && { websocket: { ...websocket, tls } }),
      allowOutdatedServer,
    },
    note,
  );
}

/** A run is called as its folder, in the characters that a server takes. */
function runName(folder: string): string {
  return path
    .basename(path.resolve(folder))
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .slice(0, 64);
}

/** Names the clients of the configuration that are no members, and those that are invited. */
async function noteStrangers(
  config: ExperimentConfig,
  federation: Federation,
  { members }: Hosting,
  note: (text: string) => void,
): Promise<void> {
  const active = members.active();
  const invited = await invitedNames(federation);
  const strangers = (config.data.clients ?? []).map(({ name }) => name).filter((name) => !active.includes(name));
  const waiting = strangers.filter((name) => invited.has(name));
  const unknown = strangers.filter((name) => !invited.has(name));
  if (waiting.length > 0) note(`invited, and not joined yet: ${someNames(waiting, NAMED)}`);
  if (unknown.length === 0) return;
  note(`not invited yet: ${someNames(unknown, NAMED)}; invite them: openfedllm federation invite NAME`);
}

function redraw(say: (text: string) => void, monitor: FederationMonitor): () => void {
  const timer = setInterval(() => say(statusLine(monitor.snapshot(), Date.now())), REDRAW_MS);
  return () => clearInterval(timer);
}

/** Waits until every connected member has the result, and a minute at most. */
async function linger(
  monitor: FederationMonitor,
  config: ExperimentConfig,
  { note }: Pick<Work["status"], "note">,
  signal: AbortSignal,
): Promise<void> {
  const names = new Set(config.data.clients?.map(({ name }) => name));
  const late = (): readonly string[] =>
    monitor
      .snapshot()
      .members.filter(
        ({ client, connected, heartbeat }) => names.has(client) && connected && heartbeat?.state !== "done",
      )
      .map(({ client }) => client);
  const end = performance.now() + LINGER_S * 1000;
  while (late().length > 0 && !signal.aborted && performance.now() < end) await sleep(REDRAW_MS);
  if (late().length > 0)
    note(`${someNames(late(), NAMED)} did not fetch the result; run this command again to offer it`);
}
