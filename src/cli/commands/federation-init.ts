import path from "node:path";
import { FEDERATION_FOLDER, initFederation, ROOT_KEY } from "../../node/federation/federation-folder.ts";
import { writeOperatorConfig } from "../../node/federation/operator-config.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { shellQuote } from "../shell.ts";

export const command: Command = defineCommand({
  description:
    "Makes the folder of a new federation with new keys. The folder is the operator's: it holds the secrets of the federation, and a copy of it belongs in a safe place.",
  argument: { placeholder: "[folder]", description: `new folder (default: ${FEDERATION_FOLDER})` },
  flags: {
    name: text("<name>", "name of the federation, which members see").required(),
  },
  examples: [
    ['npx openfedllm federation init --name "Hospitals"'],
    ['npx openfedllm federation init /srv/hospitals --name "Hospitals"', "in another folder"],
  ],
  async run({ name }, { stdout }, folder = FEDERATION_FOLDER) {
    const federation = await initFederation(folder, { name });
    const { facts } = federation;
    const config = await writeOperatorConfig(federation);
    const root = path.join(folder, "keys", ROOT_KEY);
    const where = folder === FEDERATION_FOLDER ? "" : ` --federation ${shellQuote(folder)}`;
    stdout.write(
      [
        `made the federation ${name} in ${folder}`,
        `  its id: ${facts.id}`,
        `  root key: ${root}`,
        "    No command needs the root key. Move it to a place that is not connected to a network, and keep a copy.",
        `  for a NATS server of your own: include ${config} in its configuration`,
        "  next:",
        `    openfedllm federation invite NAME --server URL${where}`,
        "",
      ].join("\n"),
    );
  },
});
