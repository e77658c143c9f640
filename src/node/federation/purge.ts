import { jetstreamManager } from "@nats-io/jetstream";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { isCoordinated, storedRun, type StoredRun, storedRuns } from "../../net/stored-run.ts";
import { publishedRun, withdrawTask } from "../../net/task.ts";
import { purgeRun } from "../../net/uplinks.ts";
import { connectAs } from "./accounts.ts";
import type { Federation } from "./federation-folder.ts";

/** A run on a server, to be deleted there. */
export interface Purge {
  readonly stored: StoredRun;
  /** Deletes it. A run folder that has the record of the run fills the server again. */
  readonly work: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Opens what a run has on a server.
 *
 * @throws UserError("config") for a run that the server does not have, and for one that a coordinator works on.
 */
export async function openPurge(
  federation: Federation,
  run: string,
  server: Parameters<typeof connectAs>[2],
): Promise<Purge> {
  const connection = await connectAs(federation, "coordinator", server);
  try {
    const manager = await jetstreamManager(connection);
    const runs = await storedRuns(manager);
    if (!runs.includes(run)) throw unknownRun(run, runs);
    const isTask = (await publishedRun(manager)) === run;
    if (isTask && (await isCoordinated(connection))) {
      throw new UserError("config", `openfedllm host works on the run ${run} now`, {
        hint: "Stop it first, or let it end.",
      });
    }
    const accounts = (await federation.members()).map(({ account }) => account);
    return {
      stored: await storedRun(manager, run, accounts),
      async work() {
        if (isTask) await withdrawTask(manager);
        await purgeRun(manager, run, accounts);
      },
      close: () => connection.close(),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function unknownRun(run: string, runs: readonly string[]): UserError {
  const near = nearest(run, runs);
  const others = runs.length === 0 ? "It has no run." : `It has ${runs.join(", ")}.`;
  return new UserError("config", `the server has no run ${run}`, {
    hint: near === undefined ? others : `Did you mean '${near}'? ${others}`,
  });
}
