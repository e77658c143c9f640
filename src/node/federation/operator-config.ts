import path from "node:path";
import { writeAtomically } from "../store/durable-file.ts";
import { guarded } from "../store/durable-folder.ts";
import { accountTokens } from "./accounts.ts";
import type { Federation } from "./federation-folder.ts";
import { operatorConfig } from "./server-config.ts";

/**
 * Writes `operator.conf` into the federation's folder, for a nats-server that somebody else starts: its configuration has to
 * include it. Members that join later reach that server as tokens.
 *
 * @returns the file.
 */
export async function writeOperatorConfig(federation: Federation): Promise<string> {
  const { operatorJwt, accounts } = federation.facts;
  const text = operatorConfig({
    operatorJwt,
    systemAccount: accounts.system,
    accounts: await accountTokens(federation),
  });
  const file = path.join(federation.folder, "operator.conf");
  await guarded(file, "write", () => writeAtomically(file, text, 0o644));
  return file;
}
