import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import type { AnswerFolder } from "../../evaluation/benchmark-task.ts";
import type { AnswerRecord, Graded } from "../../evaluation/run-benchmark.ts";
import type { AnswerSettings, StoredResult } from "../../evaluation/results.ts";
import { storageError, writeAtomically } from "./durable-file.ts";
import { jsonLines, openJsonLog } from "./json-log.ts";

const SETTINGS = "settings.json";
const ANSWERS = "answers.jsonl";
const VERDICTS = "verdicts.jsonl";
const RESULT = "result.json";

/**
 * Opens the folder of a model's answers to a benchmark, `OUT/BENCHMARK/MODEL/`, or makes it. A last line without its end, of a
 * process that was killed, is removed.
 *
 * @throws UserError("config") where it holds answers with other settings.
 */
export async function openAnswerFolder(
  { out, benchmark, model }: { readonly out: string; readonly benchmark: string; readonly model: string },
  settings: AnswerSettings,
): Promise<AnswerFolder> {
  const folder = path.join(out, benchmark, model);
  try {
    await mkdir(folder, { recursive: true });
    await checkSettings(path.join(folder, SETTINGS), settings);
    const log = await openJsonLog<AnswerRecord>(path.join(folder, ANSWERS), {
      called: "answer",
      isRecord: ({ question }) => typeof question === "string",
    });
    return {
      kept: new Map(log.records.map((answer) => [answer.question, answer])),
      append: (answers) => log.append(answers),
      saveVerdicts: (verdicts) => writeAtomically(path.join(folder, VERDICTS), jsonLines(verdicts)),
      async saveResult(result, more) {
        const stored = { benchmark, model, settings, result, ...more };
        await writeAtomically(path.join(folder, RESULT), `${JSON.stringify(stored, undefined, 2)}\n`);
        return stored;
      },
    };
  } catch (error) {
    throw storageError(folder, "write", error);
  }
}

async function checkSettings(file: string, settings: AnswerSettings): Promise<void> {
  if (!existsSync(file)) {
    await writeAtomically(file, `${JSON.stringify(settings, undefined, 2)}\n`);
    return;
  }
  const stored = await readJsonFile<AnswerSettings>(file);
  // Older folders do not store the fidelity; they are taken as they are.
  const kept: AnswerSettings = { fidelity: settings["fidelity"] ?? null, ...stored };
  const other = Object.keys({ ...kept, ...settings }).filter((key) => kept[key] !== settings[key]);
  if (other.length === 0) return;
  const said = other.map((key) => `${key} ${settingText(kept[key])}, now ${settingText(settings[key])}`).join("; ");
  throw new UserError("config", `${path.dirname(file)} holds answers with other settings: ${said}`, {
    hint: "Choose another --out, or remove that folder to answer the questions again.",
  });
}

function settingText(value: string | number | null | undefined): string {
  return value === null || value === undefined ? "none" : String(value);
}

/** Reads every result below an evaluation folder, with benchmarks and models in the order of their names. */
export async function readResults(folder: string): Promise<readonly StoredResult[]> {
  const results: StoredResult[] = [];
  for (const benchmark of await foldersIn(folder)) {
    for (const model of await foldersIn(path.join(folder, benchmark))) {
      const file = path.join(folder, benchmark, model, RESULT);
      if (existsSync(file)) results.push(await readJsonFile<StoredResult>(file));
    }
  }
  return results;
}

/** Reads the verdicts on a model's answers to a benchmark; none where they are missing or damaged. */
export async function readVerdicts(out: string, benchmark: string, model: string): Promise<readonly Graded[]> {
  const text = await readFile(path.join(out, benchmark, model, VERDICTS), "utf8").catch(() => "");
  try {
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Graded);
  } catch {
    return [];
  }
}

async function readJsonFile<T extends object>(file: string): Promise<T> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw storageError(file, "read", error);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // Said below.
  }
  throw new UserError("storage", `${file} is damaged: it holds no JSON object.`, {
    hint: "Remove the file, then run the same command again.",
  });
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
