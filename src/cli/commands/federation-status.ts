import { UserError } from "../../diagnostics/user-error.ts";
import { FEDERATION_FOLDER } from "../../node/federation/federation-folder.ts";
import { readStatus } from "../../node/federation/status-file.ts";
import { type Command, defineCommand } from "../command.ts";
import { toggle } from "../flag.ts";
import { statusLines } from "../views/federation-text.ts";
import { federationFlag } from "../work/federation.ts";

export const command: Command = defineCommand({
  description:
    "Shows a federation at work: the round, members that are connected, training or awaited, transfers with their speed, the deadline. openfedllm host writes it every second.",
  flags: { federation: federationFlag, json: toggle("print it as JSON") },
  examples: [["npx openfedllm federation status"]],
  async run({ federation: folder, json = false }, { stdout }) {
    const status = await readStatus(folder);
    if (status === undefined) {
      throw new UserError("config", `nothing is known of a federation in ${folder}: no host has run there`, {
        hint: `Start it: openfedllm host CONFIG${folder === FEDERATION_FOLDER ? "" : ` --federation ${folder}`}`,
      });
    }
    stdout.write(json ? `${JSON.stringify(status)}\n` : `${statusLines(status, Date.now()).join("\n")}\n`);
  },
});
