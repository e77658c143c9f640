import path from "node:path";
import type { Memorisation, MemorisationOptions } from "../../memorisation/memorisation.ts";
import { errorCode, storageReason, writeAtomically } from "../../node/store/durable-file.ts";
import { measureRun } from "../../jobs/memorisation.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { checkRunFolder, readStoredExperiment } from "../../node/store/stored-experiment.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { type CommandContext, DEFAULT_COLUMNS } from "./command-context.ts";
import { memorisationTables } from "../tables/memorisation-tables.ts";
import { withModel } from "./model-command.ts";
import { tablesLines, tablesMarkdown } from "../tables/tables-text.ts";

export interface MemorisationFlags extends MemorisationOptions {
  readonly adapter: readonly string[];
  readonly pathsFrom?: string;
  readonly json?: boolean;
  readonly threads?: number;
}

const MARKDOWN = "memorisation.md";
const JSON_FILE = "memorisation.json";

export async function memorisationCommand(
  folder: string,
  { adapter: adapters, pathsFrom, json, threads, ...options }: MemorisationFlags,
  context: CommandContext,
): Promise<void> {
  const { stdout, stderr } = context;
  checkRunFolder(folder);
  const store = await openRunFolder(folder);
  let found: Memorisation;
  try {
    const experiment = await readStoredExperiment(store, folder, pathsFrom);
    const work = { baseDir: experiment.baseDir, long: true };
    found = await withModel(
      context,
      threads,
      ({ platform, status, signal }) => {
        const hooks = { onProgress: status.say, onNote: status.note, signal };
        const run = { config: experiment.config, store, folder, pathsFrom: path.resolve(experiment.baseDir) };
        return measureRun(run, platform, { ...options, adapters }, hooks);
      },
      work,
    );
    await store.saveJson(JSON_FILE, found);
    await writeMarkdown(folder, found);
  } finally {
    store.close();
  }
  stderr.write(`wrote ${MARKDOWN}, ${JSON_FILE} in ${folder}\n`);
  if (json) {
    stdout.write(`${JSON.stringify(found)}\n`);
    return;
  }
  const columns = stdout.columns() ?? DEFAULT_COLUMNS;
  stdout.write(`${tablesLines(memorisationTables(found), { style: stdout.style, columns }).join("\n")}\n`);
}

async function writeMarkdown(folder: string, found: Memorisation): Promise<void> {
  const heading = `Memorisation in ${path.basename(path.resolve(folder))}`;
  try {
    const text = tablesMarkdown(memorisationTables(found, { everyClient: true }), {
      heading,
      warnings: [],
      charts: [],
    });
    await writeAtomically(path.join(folder, MARKDOWN), text);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new UserError("storage", `${MARKDOWN} cannot be written to ${folder}: ${storageReason(error)}`, {
      cause: error,
    });
  }
}
