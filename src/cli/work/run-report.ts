import { existsSync } from "node:fs";
import path from "node:path";
import { writeAtomically } from "../../node/store/durable-file.ts";
import { readCourse, readRoundResults } from "../../node/store/stored-course.ts";
import { readStoredRun } from "../../node/store/stored-runs.ts";
import { runFigures } from "../../study/run-figures.ts";
import { runPage } from "../page/run-page.ts";

/** Name of a run's page in its folder. */
const RUN_REPORT = "report.html";

export function hasRunReport(folder: string): boolean {
  return existsSync(path.join(folder, RUN_REPORT));
}

/**
 * Writes the page of the run in a folder, whole or not at all. Returns its path.
 *
 * @throws UserError of kind `storage` for a damaged run, or where the page cannot be written.
 */
export async function writeRunReport(folder: string, file = path.join(folder, RUN_REPORT)): Promise<string> {
  const run = readStoredRun(folder);
  const course = await readCourse(folder);
  const asked = run.rounds.filter(({ benchmarks }) => benchmarks.length > 0);
  const clients = new Set(asked.flatMap(({ benchmarks }) => benchmarks.flatMap(({ client }) => client ?? [])));
  const results = await readRoundResults(
    folder,
    asked.map(({ round }) => round),
    [...clients],
  );
  const page = runPage({ ...runFigures(run, course), results });
  await writeAtomically(file, page);
  return file;
}

/**
 * Leaves the page of a run that ended, stopped or failed, if it has done rounds. A page that cannot be made is a note, as the
 * run's results are safe without it.
 */
export async function leaveRunReport(folder: string, note: (text: string) => void): Promise<void> {
  // A run that failed before it was bound to its settings has none.
  if (!existsSync(path.join(folder, "config.json"))) return;
  try {
    const run = readStoredRun(folder);
    if (run.rounds.length > 0) await writeRunReport(folder);
  } catch (error) {
    note(`note: no report is written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
