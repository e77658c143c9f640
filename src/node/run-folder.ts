import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import type { RunStore } from "../experiment/ports.ts";
import { saveAdapter } from "./model/adapter-files.ts";
import { directoryStore } from "./store/directory-store.ts";
import { storageError, writeAtomically } from "./store/durable-file.ts";
import { type EventLog, openEventLog } from "./store/event-log.ts";
import { keys } from "../federation/protocol/keys.ts";
import { openAnswerFolder } from "./store/evaluation-folder.ts";
import { lockFolder } from "./store/folder-lock.ts";
import { openTensorBoardFile } from "./store/tensorboard-file.ts";
import { openTrackers } from "./tracking/registry.ts";

export interface RunFolder extends RunStore {
  /** Releases the folder for other processes. */
  close(): void;
}

/**
 * Opens a run in a folder, which is made where it is missing. One process at a time works in it.
 *
 * ```
 * config.json      the resolved configuration the folder is bound to
 * origin.json      where the configuration's paths start
 * events.jsonl     all events, one in each line
 * metrics.json     losses, held-out losses, bytes, seconds, tokens by round and client
 * report.html      the same as a page for people
 * adapters/        the adapter before round 1 and after saved rounds, in PEFT's layout
 * adapter/         the final adapter
 * best/            the best round's adapter, where the configuration asks for it
 * tensorboard/     TensorBoard's event file, where the configuration asks for it
 * exchange/        blobs and cells the rounds are committed in
 * clients/         the private memory of clients, for algorithms that have one
 * private/         the coordinator's secret key and its clients' ledgers, of a run with privacy.client
 * trackers/        what has arrived at MLflow and at the webhook, where the configuration names them
 * lock             the process that works here
 * ```
 *
 * `onNote` gets sentences about trackers (MLflow, webhook). Without it nothing is sent to them: of a run in several
 * processes one tells them.
 *
 * @throws UserError of kind `storage` where it cannot be written, or another process works in it.
 */
export async function openRunFolder(folder: string, onNote?: (note: string) => void): Promise<RunFolder> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw storageError(folder, "write", error);
  }
  const unlock = lockFolder(folder);
  return {
    exchange: directoryStore(path.join(folder, "exchange")),
    clientStore: directoryStore(path.join(folder, "clients"), { ownerOnly: true }),
    coordinatorStore: directoryStore(path.join(folder, "private"), { ownerOnly: true }),
    async openEvents(holds, output) {
      const board = output.tensorboard
        ? await openTensorBoardFile(path.join(folder, "tensorboard"), path.join(folder, "config.json"))
        : undefined;
      let opened: EventLog | undefined;
      try {
        const trackers =
          onNote === undefined ? undefined : await openTrackers(output, { folder, env: process.env, onNote });
        const log = (opened = await openEventLog(path.join(folder, "events.jsonl"), holds, (event) => {
          board?.write(event);
          trackers?.take(event);
        }));
        board?.publish();
        trackers?.begin();
        return {
          emit: (event) => log.emit(event),
          flush: () => log.flush(),
          async close() {
            log.close();
            board?.close();
            await trackers?.close();
          },
        };
      } catch (error) {
        opened?.close();
        board?.close();
        throw error;
      }
    },
    openAnswers: (round, what, settings) =>
      openAnswerFolder({ out: path.join(folder, "benchmarks", keys.round(round)), ...what }, settings),
    async saveAdapter(name, config, adapter, base) {
      const target = path.join(folder, name);
      await saveAdapter(target, config, adapter, base);
      return name;
    },
    async saveJson(name, value) {
      const file = path.join(folder, name);
      try {
        await writeAtomically(file, `${JSON.stringify(value, null, 1)}\n`);
      } catch (error) {
        throw storageError(file, "write", error);
      }
    },
    async readJson(name) {
      const file = path.join(folder, name);
      if (!existsSync(file)) return undefined;
      try {
        return JSON.parse(await readFile(file, "utf8")) as unknown;
      } catch (cause) {
        throw new UserError("storage", `${file} is damaged: it is not JSON`, {
          hint: "Put the file back from a copy, or start the run in a new folder.",
          cause,
        });
      }
    },
    close: unlock,
  };
}
