import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { errorCode } from "../../diagnostics/error-code.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { participateInExperiment } from "../../experiment/participate.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { refuseOtherSettings } from "../../experiment/run-identity.ts";
import { siteConfig, siteTask, taskHash } from "../../experiment/site-task.ts";
import type { RunEvent } from "../../federation/events.ts";
import { decline } from "../../federation/decline.ts";
import { awaitManifest } from "../../federation/roster.ts";
import type { Heartbeat } from "../../federation/status.ts";
import { PROTOCOL } from "../../federation/protocol/messages.ts";
import { protocolDifference } from "../../identity/enrolment.ts";
import { INVITATION_PREFIX, parseInvitation } from "../../identity/invitation.ts";
import { type AuditLog, openAuditLog } from "../../node/federation/audit-log.ts";
import { hasConsented, keepConsent } from "../../node/federation/consents.ts";
import { enrol } from "../../node/federation/enrol.ts";
import { type Membership, openMembership } from "../../node/federation/joining.ts";
import { startSiteMonitor } from "../../node/federation/monitor-server.ts";
import { openSite, readSite, SITE_FOLDER, type Site } from "../../node/federation/site-folder.ts";
import type { FederationTask } from "../../net/task.ts";
import { nodePlatform } from "../../node/platform.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { type GivenSite, readSiteFile } from "../../node/site-file.ts";
import { storageReason } from "../../node/store/durable-file.ts";
import { lockFolder } from "../../node/store/folder-lock.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import { reasonsToDecline } from "../../settings/policy.ts";
import type { SiteSettings } from "../../settings/site.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { text, texts, toggle } from "../flag.ts";
import { heartbeatText, taskLines } from "../views/federation-text.ts";
import { counted } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";
import { confirm } from "../work/confirm.ts";
import { SOFTWARE } from "../work/software.ts";
import { trainingNotes } from "../work/training-notes.ts";
import { stopped, untilReached } from "../work/until-reached.ts";
import { type Work, withStatus } from "../work/work.ts";
import { threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Takes part in a federation with the records of this machine. The first time it needs an invitation; later it continues by itself. It shows the task, asks once, then waits, trains and sends updates until the run is over. Text of records never leaves the machine.",
  argument: {
    placeholder: "[invitation]",
    description: "invitation of the coordinator: the line itself, or a file that holds it; only the first time",
  },
  flags: {
    site: text("<folder>", "folder of this site: its key, its settings (site.yaml), its runs").default(SITE_FOLDER),
    data: texts("<file...>", "files to train on; kept in site.yaml the first time"),
    heldOut: texts("<file...>", "files to evaluate on; kept in site.yaml the first time"),
    base: text("<ref>", "own copy of the base model, where the name in the task does not lead to one"),
    yes: toggle("take part without a question"),
    stay: toggle("wait for further runs after the first"),
    proxy: text("<url>", "HTTP proxy for wss:// addresses (default: HTTPS_PROXY)"),
    monitor: text("<host:port>", "address for /healthz, /readyz and /metrics (Prometheus), such as 127.0.0.1:9465"),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm join invitation.txt --data records.jsonl", "the first time"],
    ["npx openfedllm join", "later"],
    ["npx openfedllm join --yes --stay", "as a service, for every run of the federation"],
  ],
  async run(given, context, invitation) {
    const { site: folder, proxy } = given;
    const invited = invitation === undefined ? undefined : await parseInvitation(textOf(invitation));
    if (invited === undefined && (await readSite(folder)) === undefined) {
      throw new UserError("config", `${folder} has not joined a federation yet, and no invitation is given`, {
        hint: "Give the invitation: openfedllm join FILE. The coordinator makes it with openfedllm federation invite NAME.",
      });
    }
    await withStatus(
      context,
      async (work) => {
        const { note, say } = work.status;
        const options = { software: SOFTWARE, onNote: note, proxy, answerWithinMs: COORDINATOR_MS };
        if (invited !== undefined) say(`joining ${oneLine(invited.federation.name)} as ${oneLine(invited.client)}`);
        const joined = await untilReached(work, () =>
          invited === undefined ? openSite(folder) : enrol(invited, folder, options),
        );
        const settings = await readSiteFile(folder, givenSite(given, folder));
        const unlock = lockFolder(folder);
        try {
          const audit = await openAuditLog(path.join(folder, "audit.jsonl"));
          if (invited !== undefined)
            await audit.log({ what: "enrolled", client: joined.record.client, detail: joined.record.federation.id });
          await takePart(joined, settings, audit, { ...given, live: context.stderr.live }, { ...context, work });
        } finally {
          unlock();
        }
      },
      { long: true, endsItself: true },
    );
  },
});

interface JoinFlags {
  readonly site: string;
  readonly data?: readonly string[];
  readonly heldOut?: readonly string[];
  readonly base?: string;
  readonly yes?: boolean;
  readonly stay?: boolean;
  readonly proxy?: string;
  readonly threads?: number;
  readonly monitor?: string;
}

interface Playing extends JoinFlags {
  /** True on a terminal that redraws a line. */
  readonly live: boolean;
}

type Here = CommandContext & { readonly work: Work };

async function takePart(
  joined: Site,
  settings: SiteSettings,
  audit: AuditLog,
  flags: Playing,
  here: Here,
): Promise<void> {
  const { status, signal } = here.work;
  const { client, federation } = joined.record;
  const membership: Membership = await untilReached(here.work, () =>
    openMembership(joined, {
      onNote: status.note,
      proxy: flags.proxy,
      signal,
      onTransfer({ direction, done, total, bytesPerSecond }) {
        const state = direction === "up" ? ("sending" as const) : ("fetching" as const);
        const heartbeat = { state, bytesDone: done, bytesTotal: total, bytesPerSecond };
        membership.tell(done < total ? heartbeat : { state: "waiting" });
        if (flags.live) status.say(heartbeatText(heartbeat));
      },
    }),
  );
  const server =
    flags.monitor === undefined
      ? undefined
      : await startSiteMonitor(flags.monitor, { heartbeat: membership.heartbeat, ready: membership.isConnected });
  try {
    let after: string | undefined;
    do {
      status.note(`${oneLine(client)}: member of ${oneLine(federation.name)}; waiting for its task`);
      const task = await membership.task(after).catch((error: unknown) => {
        throw signal.aborted ? stopped(error) : error;
      });
      refuseOtherProtocol(task);
      const { run } = task;
      await playRun(run, membership, settings, audit, flags, here);
      after = run;
    } while (flags.stay === true);
  } finally {
    await server?.stop(0);
    await membership.close();
  }
}

/** @throws UserError of kind `config` where the coordinator is of a version that this one does not understand. */
function refuseOtherProtocol(task: FederationTask): void {
  if (task.protocol === PROTOCOL) return;
  const difference = protocolDifference(task, { software: SOFTWARE, protocol: PROTOCOL });
  throw new UserError("config", oneLine(difference), {
    hint: "This site and what it has sent stay as they are; run the same command again after the update.",
  });
}

/** Longest wait for the coordinator before it is asked again, milliseconds. */
const COORDINATOR_MS = 8000;
async function playRun(
  run: string,
  membership: Membership,
  settings: SiteSettings,
  audit: AuditLog,
  { site: folder, yes = false, threads }: JoinFlags,
  { work, stdout, ...context }: Here,
): Promise<void> {
  const { status, signal, unlessStopped, reports } = work;
  const { client, federation, servers } = membership.site().record;
  const exchange = await membership.exchange(run, audit);
  const manifest = await awaitManifest(exchange, signal).catch((error: unknown) => {
    throw signal.aborted ? stopped(error) : error;
  });
  const site = threads === undefined ? settings : { ...settings, runtime: { threads } };
  const config = siteConfig(manifest, site, client);
  const platform = nodePlatform({ baseDir: folder, threads: config.runtime.threads, ...reports });
  const hooks = {
    part: { role: "participant" as const, clients: [client] },
    onProgress: status.say,
    onCount: status.counting,
    signal,
    onNote: status.note,
  };
  const prepared = await unlessStopped(prepareExperiment(config, platform, hooks));
  // Before anyone is asked: the lines below say that the base is the federation's.
  await refuseOtherSettings(prepared, manifest.settings, "participant");
  const task = siteTask(prepared, client, manifest);
  const reasons = reasonsToDecline(settings, task);
  if (reasons.length > 0) {
    const reason = reasons.join("; ");
    await audit.log({ what: "declined", run, detail: reason });
    await decline(exchange, client, reason);
    throw new UserError("config", `${client} declines the task of ${federation.name}: ${reason}`, {
      hint: `The coordinator sees the reason. Change \`allow\` in ${path.join(folder, "site.yaml")} to take part.`,
    });
  }
  const lines = taskLines({ federation: federation.name, key: federation.key, server: servers[0]!, client }, task);
  await consent(lines, { run, hash: await taskHash(manifest), folder, yes, audit, status }, context);
  const store = await openRunFolder(path.join(folder, "runs", run));
  try {
    await keepOrigin(store, path.join(folder, "runs", run), folder);
    const notes = trainingNotes(status, config.data.maxLength);
    const heartbeatOf = trainingHeartbeats(config.privacy !== undefined);
    const ended = await participateInExperiment(prepared, platform, store, exchange, {
      emit(event) {
        const heartbeat = heartbeatOf(event);
        if (heartbeat !== undefined) membership.tell(heartbeat);
        notes(event);
      },
      onScoring: (round, state) =>
        membership.tell(state === "begun" ? { state: "scoring", round } : { state: "waiting" }),
      onJoined: () => status.note(`${oneLine(client)}: joined the run ${oneLine(run)}`),
      onCount: status.counting,
      mayBeNew: true,
      limits: {
        scores: settings.allow.scores,
        minScoreRecords: settings.allow.minScoreRecords,
        maxSeconds: settings.allow.maxHours && settings.allow.maxHours * 3600,
      },
      signal,
    });
    const saved = ended.adapters.map((name) => path.join(folder, "runs", run, name)).join(", ");
    membership.tell({ state: "done" });
    await audit.log({ what: "ended", run, detail: `${ended.rounds} rounds` });
    stdout.write(`The run is over after ${counted(ended.rounds, "round")}; saved ${saved}\n`);
  } finally {
    store.close();
  }
}

interface ConsentOptions {
  readonly run: string;
  /** Stands for the settings of the task. */
  readonly hash: string;
  readonly folder: string;
  readonly yes: boolean;
  readonly audit: AuditLog;
  readonly status: Work["status"];
}

/** Shows the task and asks once. A task of the same settings is not asked about again. */
async function consent(
  lines: readonly string[],
  { run, hash, folder, yes, audit, status }: ConsentOptions,
  { stderr }: Pick<CommandContext, "stderr">,
): Promise<void> {
  for (const line of lines) status.note(line);
  if (await hasConsented(folder, hash)) return;
  if (!yes) {
    await confirm(
      {
        text: "Take part?",
        unasked: "there is no terminal to ask for consent",
        denied: "not taken part",
        refusal: (why) => new UserError("config", why, { hint: "Run the same command with --yes to take part." }),
      },
      { stderr },
    );
  }
  await audit.log({ what: "consented", run, detail: `task ${hash}${yes ? " (--yes)" : ""}` });
  await keepConsent(folder, hash);
}

/** Makes heartbeats of a client's training from its events. Of a private run they tell no steps: those follow from the records. */
function trainingHeartbeats(isPrivate: boolean): (event: RunEvent) => Heartbeat | undefined {
  let steps = 0;
  return (event) => {
    if (event.type === "client-start") steps = event.steps;
    else if (event.type !== "client-step") return undefined;
    const step = event.type === "client-step" ? event.step : 0;
    const { round } = event;
    return { state: "training", round, ...(!isPrivate && { step, steps }) };
  };
}

/** The invitation's text: the argument itself, or the file that it names. */
function textOf(invitation: string): string {
  if (invitation.startsWith(INVITATION_PREFIX)) return invitation;
  try {
    return readFileSync(invitation, "utf8");
  } catch (cause) {
    const why = errorCode(cause) === "ENOENT" ? "there is no such file" : storageReason(cause);
    throw new UserError("config", `cannot read the invitation ${oneLine(invitation)}: ${why}`, {
      hint: `Give the file of the invitation, or its line, which begins with ${INVITATION_PREFIX}`,
      cause,
    });
  }
}

/** The settings that flags give. Paths of the working directory become paths of the site's folder. */
function givenSite({ data, heldOut, base }: JoinFlags, folder: string): GivenSite {
  const inFolder = (file: string): string =>
    existsSync(file) ? path.relative(path.resolve(folder), path.resolve(file)).replaceAll(path.sep, "/") : file;
  return {
    ...(data !== undefined && { train: data.map(inFolder) }),
    ...(heldOut !== undefined && { heldOut: heldOut.map(inFolder) }),
    ...(base !== undefined && { base: inFolder(base) }),
  };
}
