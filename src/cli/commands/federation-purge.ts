import { existsSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { startNatsServer } from "../../node/federation/nats-server.ts";
import { localConnection } from "../../node/federation/server-address.ts";
import { openPurge } from "../../node/federation/purge.ts";
import { freePort } from "../../node/free-port.ts";
import { type Command, defineCommand } from "../command.ts";
import { text, toggle } from "../flag.ts";
import { counted, formatBytes } from "../views/quantities.ts";
import { confirm } from "../work/confirm.ts";
import { federationFlag, type OpenedFederation, withFederation } from "../work/federation.ts";

export const command: Command = defineCommand({
  description:
    "Deletes from the server of a federation all that one run has left there: its cells, blobs and head, and what members sent for it. Run folders, sites and other runs stay. The run of a host that is at work is refused. Where no server is running, that of the folder is started for it.",
  argument: { placeholder: "<run>", description: "name of the run: that of its run folder" },
  flags: {
    federation: federationFlag,
    nats: text("<url>", "the server, where it is neither of this machine nor in the invitations"),
    yes: toggle("delete without a question"),
  },
  examples: [
    ["npx openfedllm federation purge joint"],
    ["npx openfedllm federation purge joint --yes", "without a question"],
  ],
  async run({ federation: folder, nats, yes = false }, context, run) {
    await withFederation(folder, async (opened) => {
      const server = await reach(opened, nats);
      try {
        const purge = await openPurge(opened.federation, run, server.connection);
        try {
          const { blobs, bytes, cells, members } = purge.stored;
          const what = `${counted(blobs, "blob")} (${formatBytes(bytes)}) and ${counted(cells, "cell")} of the run ${run}, from the coordinator and ${counted(members, "member")}`;
          if (!yes) {
            await confirm(
              {
                text: `Delete ${what} from the server?`,
                unasked: "there is no terminal to ask on",
                denied: "nothing was deleted",
                refusal: (why) => new UserError("config", why, { hint: `With --yes this deletes ${what}.` }),
              },
              context,
            );
          }
          await purge.work();
          context.stdout.write(`deleted ${what}\n`);
        } finally {
          await purge.close();
        }
      } finally {
        await server.stop();
      }
    });
  },
});

interface ReachedServer {
  readonly connection: NonNullable<OpenedFederation["place"]>;
  readonly stop: () => Promise<void>;
}

/** The server that runs, or else that of the folder, on a port that no member knows. */
async function reach({ federation, place }: OpenedFederation, nats: string | undefined): Promise<ReachedServer> {
  const stop = async (): Promise<void> => {};
  if (nats !== undefined) return { connection: { servers: [nats], ca: (await federation.addresses())?.ca }, stop };
  if (place !== undefined) return { connection: place, stop };
  if (!existsSync(path.join(federation.folder, "server"))) {
    throw new UserError("config", "no server was reached, and none has run in this folder", {
      hint: "Name the server with --nats.",
    });
  }
  const server = await startNatsServer(federation, { listener: { port: await freePort() } });
  return { connection: { ...(await localConnection(server.address)), proxy: false }, stop: () => server.stop() };
}
