import { mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import type { Judgement, JudgementStore } from "../evaluation/judgement.ts";
import { errorCode, storageError, syncFolder } from "./durable-file.ts";

/**
 * Judgements in a file, one JSON object a line, written through to the disk one by one. A torn last line, of a process that
 * died, is removed; that one judgement is asked for again.
 *
 * @throws UserError("storage") for a file that cannot be read or written, or is damaged before its end.
 */
export async function openJudgements(file: string): Promise<JudgementStore & { close(): Promise<void> }> {
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const { kept, length } = readAll(file, await readFile(file).catch(orEmpty));
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

function orEmpty(error: unknown): Buffer {
  if (errorCode(error) === "ENOENT") return Buffer.alloc(0);
  throw error;
}

/** The judgements, and how many bytes of the file are whole lines. */
function readAll(file: string, bytes: Buffer): { kept: Map<string, Judgement>; length: number } {
  const kept = new Map<string, Judgement>();
  const length = bytes.lastIndexOf("\n") + 1;
  const lines = bytes.subarray(0, length).toString("utf8").split("\n").slice(0, -1);
  for (const [i, line] of lines.entries()) {
    const judgement = parsed(line);
    if (judgement === undefined) {
      throw new UserError("storage", `${file}, line ${i + 1}, is damaged: it is no judgement.`, {
        hint: "Remove the line: what it held is asked for again.",
      });
    }
    kept.set(judgement.key, judgement);
  }
  return { kept, length };
}

function parsed(line: string): Judgement | undefined {
  try {
    const value = JSON.parse(line) as Partial<Judgement> | null;
    return typeof value?.key === "string" && typeof value.text === "string" ? (value as Judgement) : undefined;
  } catch {
    return undefined;
  }
}
