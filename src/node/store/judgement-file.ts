import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Judgement, JudgementStore } from "../../evaluation/judge/judgement.ts";
import { storageError } from "./durable-file.ts";
import { openJsonLog } from "./json-log.ts";

/**
 * Opens judgements in a file, one JSON object a line. Each judgement is on the disk before the next is written. A last line
 * without its end, of a process that died, is removed; the judge is asked for that one judgement again.
 *
 * @throws UserError("storage") for a file that cannot be read or written, or is damaged before its end.
 */
export async function openJudgements(file: string): Promise<JudgementStore & { close(): Promise<void> }> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const log = await openJsonLog<Judgement>(file, {
      called: "judgement",
      isRecord: ({ key, text }) => typeof key === "string" && typeof text === "string",
    });
    const kept = new Map(log.records.map((judgement) => [judgement.key, judgement]));
    return {
      find: (key) => kept.get(key),
      async append(judgement) {
        await log.append([judgement]);
        kept.set(judgement.key, judgement);
      },
      close: () => log.settled(),
    };
  } catch (error) {
    throw storageError(file, "write", error);
  }
}
