import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import type { Judgement, JudgementStore } from "../../evaluation/judge/judgement.ts";
import { storageError, syncFolder } from "./durable-file.ts";
import { readJsonLog } from "./json-log.ts";

/**
 * Judgements in a file, one JSON object a line, written through to the disk one by one. A torn last line, of a process that
 * died, is removed; that one judgement is asked for again.
 *
 * @throws UserError("storage") for a file that cannot be read or written, or is damaged before its end.
 */
export async function openJudgements(file: string): Promise<JudgementStore & { close(): Promise<void> }> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const { records, length } = await readJsonLog<Judgement>(file, {
      called: "judgement",
      isRecord: ({ key, text }) => typeof key === "string" && typeof text === "string",
    });
    const kept = new Map(records.map((judgement) => [judgement.key, judgement]));
    const handle = await open(file, "a");
    await handle.truncate(length);
    await syncFolder(path.dirname(file));
    // One after the other, so that no line comes to lie inside another.
    let last: Promise<void> = Promise.resolve();
    const write = async (judgement: Judgement): Promise<void> => {
      try {
        await handle.appendFile(`${JSON.stringify(judgement)}\n`);
        await handle.sync();
        kept.set(judgement.key, judgement);
      } catch (error) {
        throw storageError(file, "write", error);
      }
    };
    return {
      find: (key) => kept.get(key),
      append: (judgement) => (last = last.then(() => write(judgement))),
      close: async () => {
        await last.catch(() => undefined);
        await handle.close();
      },
    };
  } catch (error) {
    throw storageError(file, "write", error);
  }
}
