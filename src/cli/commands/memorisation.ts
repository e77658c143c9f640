import path from "node:path";
import { measureRun } from "../../jobs/measure-run.ts";
import type { Memorisation } from "../../memorisation/memorisation.ts";
import { nodePlatform } from "../../node/platform.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { storageError, writeAtomically } from "../../node/store/durable-file.ts";
import { checkRunFolder, readStoredExperiment } from "../../node/store/stored-experiment.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { type Flag, repeated, text, toggle, wholeNumber } from "../flag.ts";
import { memorisationTables } from "../tables/memorisation-tables.ts";
import { tablesLines, tablesMarkdown } from "../tables/tables-text.ts";
import { withStatus } from "../work/work.ts";
import { threadsFlag } from "./shared-flags.ts";

const MARKDOWN = "memorisation.md";
const JSON_FILE = "memorisation.json";

const count = (placeholder: string, description: string, byDefault: number): Flag<number> =>
  wholeNumber(placeholder, description, { min: 1 }).default(byDefault);

export const command: Command = defineCommand({
  description:
    "Measures how much the adapters of a run remember of their training data: the exposure of planted secrets (data.canaries), the share of records that can be extracted, and the share of answers that is copied from training records.",
  argument: { placeholder: "<run>", description: "run folder, of a finished or a stopped run" },
  flags: {
    adapter: repeated("<folder>", "adapter to measure instead of the run's own; may be given several times").default(
      [],
      "none",
    ),
    pathsFrom: text("<folder>", "folder that the paths of the run's configuration are relative to, if it has moved"),
    records: count("<n>", "number of training records, and of held-out records, drawn for each client", 32),
    prefixTokens: count("<k>", "number of tokens of an answer that the model gets", 8).advanced(),
    suffixTokens: count("<m>", "number of tokens that the model must continue exactly as in the record", 16).advanced(),
    ngramTokens: count("<n>", "length of a copied sequence, in tokens", 8).advanced(),
    maxNewTokens: count("<n>", "longest answer, in tokens", 48).advanced(),
    candidates: count("<n>", "largest number of other secrets to rank a secret among", 10_000).advanced(),
    json: toggle("write all results as JSON"),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm memorisation runs/canaries"],
    ["npx openfedllm memorisation runs/canaries --adapter runs/canaries/adapters/round-0002 --records 100"],
  ],
  async run({ adapter: adapters, pathsFrom, json, threads, ...options }, context, folder) {
    const { stdout, stderr } = context;
    checkRunFolder(folder);
    const store = await openRunFolder(folder);
    let found: Memorisation;
    try {
      const experiment = await readStoredExperiment(store, folder, pathsFrom);
      const { baseDir } = experiment;
      found = await withStatus(
        context,
        ({ status, signal, reports }) => {
          const hooks = { onProgress: status.say, onCount: status.counting, onNote: status.note, signal };
          const platform = nodePlatform({ threads, baseDir, ...reports });
          const run = { config: experiment.config, store, folder, pathsFrom: path.resolve(baseDir) };
          return measureRun(run, platform, { ...options, adapters }, hooks);
        },
        { long: true },
      );
      await store.saveJson(JSON_FILE, found);
      await writeMarkdown(folder, found);
    } finally {
      store.close();
    }
    stderr.write(`wrote ${MARKDOWN}, ${JSON_FILE} in ${folder}\n`);
    if (json === true) {
      stdout.write(`${JSON.stringify(found)}\n`);
      return;
    }
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    stdout.write(`${tablesLines(memorisationTables(found), { style: stdout.style, columns }).join("\n")}\n`);
  },
});

async function writeMarkdown(folder: string, found: Memorisation): Promise<void> {
  const heading = `Memorisation in ${path.basename(path.resolve(folder))}`;
  const text = tablesMarkdown(memorisationTables(found, { everyClient: true }), { heading, warnings: [], charts: [] });
  const file = path.join(folder, MARKDOWN);
  try {
    await writeAtomically(file, text);
  } catch (error) {
    throw storageError(file, "write", error);
  }
}
