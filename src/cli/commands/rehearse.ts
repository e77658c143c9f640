import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { initFederation, openFederation, type Federation } from "../../node/federation/federation-folder.ts";
import { inviteMember } from "../../node/federation/invite.ts";
import { readSite } from "../../node/federation/site-folder.ts";
import { formatInvitation } from "../../identity/invitation.ts";
import { freePort } from "../../node/free-port.ts";
import { readSiteFile } from "../../node/site-file.ts";
import { makePrivateFolder, writeSecret } from "../../node/federation/secret-file.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { keySegment } from "../../store/store.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { type Part, runParts } from "../work/child-processes.ts";
import { defaultRunFolder, readRunConfig } from "../work/training.ts";
import { withStatus } from "../work/work.ts";
import { setFlag, threadsFlag } from "./shared-flags.ts";

const HOST = "127.0.0.1";
/** Hours that the invitations of a rehearsal are open. */
const HOURS = 24;

export const command: Command = defineCommand({
  description:
    "Plays a whole federation on this machine: a real server, the coordinator and every client as processes of their own, with keys, invitations and folders of their own. The adapter is that of run, byte for byte. Run the same command again to continue.",
  argument: {
    placeholder: "<config>",
    description: "configuration file that lists the clients with their files (data.clients), as for run",
  },
  flags: {
    out: text("<folder>", "folder for everything (default: runs/<name of the configuration>-rehearsal)"),
    set: setFlag,
    threads: threadsFlag,
  },
  examples: [["npx openfedllm rehearse examples/quickstart.yaml"]],
  async run({ out, set, threads }, context, configFile) {
    const { stdout, stderr } = context;
    const config = readRunConfig(configFile, set, threads);
    const clients = withFiles(config);
    const folder = out ?? `${defaultRunFolder(configFile)}-rehearsal`;
    const run = path.join(folder, "run");
    await withStatus(
      context,
      async ({ signal, status }) => {
        const federation = await openOrMake(path.join(folder, "federation"), path.basename(folder));
        const server = await serverOf(federation);
        const sites: Part[] = [];
        for (const client of clients) {
          sites.push(
            await sitePart(client, config, { folder, federation, server, baseDir: path.dirname(configFile), threads }),
          );
        }
        status.note(
          `a server and a coordinator at ${server}, and ${clients.length} sites, each in a process of its own; all of it in ${folder}`,
        );
        const host = [
          "host",
          configFile,
          "--federation",
          federation.folder,
          "--out",
          run,
          "--listen",
          new URL(server).host,
        ];
        const changes = set.flatMap((setting) => ["--set", setting]);
        const limits = threads === undefined ? [] : ["--threads", String(threads)];
        await runParts([{ name: "host", args: [...host, ...changes, ...limits] }, ...sites], stderr, signal);
      },
      { live: false, long: true, endsItself: true },
    );
    const file = path.join(run, "adapter", "adapter_model.safetensors");
    if (!existsSync(file)) return;
    const hash = await sha256(await readFile(file));
    const comparable = `; compare it with that of openfedllm run ${configFile}`;
    // Another run has another secret key, and with it other noise.
    const isPrivate = config.privacy?.client !== undefined;
    stdout.write(`the adapter: ${file}\nsha256 ${hash}${isPrivate ? "" : comparable}\n`);
  },
});

interface Place {
  readonly folder: string;
  readonly federation: Federation;
  readonly server: string;
  readonly baseDir: string;
  readonly threads: number | undefined;
}

/** @throws UserError of kind `config` for clients without files of their own. */
function withFiles({ data }: ExperimentConfig): NonNullable<ExperimentConfig["data"]["clients"]> {
  const without = data.clients?.find(({ train }) => train === undefined);
  if (data.clients !== undefined && without === undefined) return data.clients;
  const why =
    without === undefined
      ? "it deals out pooled records (data.train)"
      : `client ${without.name} has no files (data.clients)`;
  throw new UserError("config", `a rehearsal gives every client its own files, but ${why}`, {
    hint: "List every client under data.clients with the files that it trains on.",
  });
}

async function openOrMake(folder: string, name: string): Promise<Federation> {
  return existsSync(folder) ? openFederation(folder) : initFederation(folder, { name });
}

/** The address of the rehearsal's server: that of an earlier start, which the sites know, or a free port. */
async function serverOf(federation: Federation): Promise<string> {
  const known = (await federation.addresses())?.servers[0];
  if (known !== undefined) return known;
  const server = `nats://${HOST}:${await freePort()}`;
  await federation.saveAddresses({ version: 1, servers: [server] });
  return server;
}

/** The command of one site. The first time it gets an invitation and its settings. */
async function sitePart(
  { name, train, heldOut }: NonNullable<ExperimentConfig["data"]["clients"]>[number],
  { data, model }: ExperimentConfig,
  { folder, federation, server, baseDir, threads }: Place,
): Promise<Part> {
  const site = path.join(folder, "sites", keySegment(name));
  const invitation = path.join(folder, "invitations", `${keySegment(name)}.txt`);
  const inSite = (file: string): string => {
    const found = path.resolve(baseDir, file);
    return existsSync(found) ? path.relative(path.resolve(site), found).replaceAll(path.sep, "/") : file;
  };
  const hasJoined = (await readSite(site)) !== undefined;
  if (!hasJoined && !existsSync(invitation)) {
    const made = await inviteMember(federation, { client: name, servers: [server], hours: HOURS });
    await writeSecret(invitation, `${await formatInvitation(made)}\n`);
  }
  const { heldOutRecords, limit, info, fields, format, delimiter, invalid } = data;
  await makePrivateFolder(site);
  await readSiteFile(site, {
    train: [train!].flat().map(inSite),
    ...(heldOut !== undefined && { heldOut: [heldOut].flat().map(inSite) }),
    ...(heldOutRecords > 0 && { heldOutRecords }),
    ...(limit !== undefined && { limit }),
    ...(Object.keys(fields).length > 0 && { fields }),
    ...(info !== undefined && { info: inSite(info) }),
    ...(format !== undefined && { format }),
    ...(delimiter !== undefined && { delimiter }),
    ...(invalid !== undefined && { invalid }),
    base: inSite(model.base),
  });
  const limits = threads === undefined ? [] : ["--threads", String(threads)];
  return { name, args: ["join", ...(hasJoined ? [] : [invitation]), "--site", site, "--yes", ...limits] };
}
