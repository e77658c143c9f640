import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { leave } from "../../federation/decline.ts";
import { type AuditLog, openAuditLog } from "../../node/federation/audit-log.ts";
import { type Membership, openMembership } from "../../node/federation/joining.ts";
import { openSite, SITE_FOLDER } from "../../node/federation/site-folder.ts";
import { lockFolder } from "../../node/store/folder-lock.ts";
import { type Command, defineCommand } from "../command.ts";
import { text, toggle } from "../flag.ts";
import { oneLine } from "../views/text-width.ts";
import { confirm } from "../work/confirm.ts";
import { untilReached } from "../work/until-reached.ts";
import { withStatus } from "../work/work.ts";

export const command: Command = defineCommand({
  description:
    "Takes this site out of its federation. The run under way goes on without it from the next round on; an update that was sent still counts. The folder stays as it is, with its adapters and its audit log. Only a new invitation lets the site back in, and never into the same run.",
  flags: {
    site: text("<folder>", "folder of this site").default(SITE_FOLDER),
    yes: toggle("leave without a question"),
    proxy: text("<url>", "HTTP proxy for wss:// addresses (default: HTTPS_PROXY)"),
  },
  examples: [["npx openfedllm leave"], ["npx openfedllm leave --site site-clinic --yes", "without a question"]],
  async run({ site: folder, yes = false, proxy }, context) {
    const site = await openSite(folder);
    const { client, federation } = site.record;
    const name = oneLine(federation.name);
    const unlock = lockFolder(folder);
    try {
      if (!yes) {
        await confirm(
          {
            text: `Leave ${name} for good?`,
            unasked: "there is no terminal to ask on",
            denied: "not left",
            refusal: (why) => new UserError("config", why, { hint: "Run the same command with --yes to leave." }),
          },
          context,
        );
      }
      await withStatus(
        context,
        async (work) => {
          const { status, signal } = work;
          const audit = await openAuditLog(path.join(folder, "audit.jsonl"));
          const membership = await untilReached(work, () =>
            openMembership(site, { onNote: status.note, proxy, signal }),
          );
          try {
            status.say(`leaving ${name}`);
            await work.unlessStopped(leaveRun(client, membership, audit));
            await untilReached(work, () => membership.resign());
            await audit.log({ what: "left", detail: federation.id });
          } finally {
            await membership.close();
          }
        },
        { long: true, endsItself: true },
      );
    } finally {
      unlock();
    }
    context.stdout.write(`${oneLine(client)} has left ${name}; everything in ${folder} stays\n`);
  },
});

/** Takes the site out of the run under way, where there is one. */
async function leaveRun(client: string, membership: Membership, audit: AuditLog): Promise<void> {
  const task = await membership.currentTask();
  if (task !== undefined) await leave(await membership.exchange(task.run, audit), client);
}
