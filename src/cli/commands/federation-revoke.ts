import { revokeMember } from "../../node/federation/invite.ts";
import { type Command, defineCommand } from "../command.ts";
import { federationFlag, withFederation } from "../work/federation.ts";

export const command: Command = defineCommand({
  description:
    "Revokes a member and the invitations that it has not used. A running server closes the member's connections within seconds. If no server is running, the next one refuses the member.",
  argument: { placeholder: "<name>", description: "name of the member" },
  flags: { federation: federationFlag },
  examples: [["npx openfedllm federation revoke clinic"]],
  async run({ federation: folder }, { stdout }, name) {
    await withFederation(folder, async ({ federation, push, later }) => {
      const { wasMember, invitations } = await revokeMember(federation, name, push);
      const what = wasMember
        ? name
        : `${invitations === 1 ? "the invitation" : `${invitations} invitations`} of ${name}`;
      stdout.write(`revoked ${what}; ${later ?? "the server refuses it from now on"}\n`);
    });
  },
});
