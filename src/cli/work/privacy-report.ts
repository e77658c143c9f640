import { existsSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { COMMON_SET } from "../../experiment/records/client-records.ts";
import { loadAdapter } from "../../node/model/adapter-files.ts";
import { writeAtomically } from "../../node/store/durable-file.ts";
import { readCourse } from "../../node/store/stored-course.ts";
import { readCharges, readRecordSpending } from "../../node/store/stored-privacy.ts";
import { readStoredRun } from "../../node/store/stored-runs.ts";
import { clientPrivacyOf } from "../../settings/client-privacy.ts";
import { parseExperiment } from "../../settings/parse.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import type { RunCourse } from "../../study/run-course.ts";
import { plannedRounds, roundsDone, type StoredRun } from "../../study/stored-run.ts";
import { parameterCount } from "../../tensor/params.ts";
import { type PrivacyFacts, privacyMarkdown, privacyPage } from "../page/privacy-page.ts";
import type { ClientFacts } from "../page/privacy-parts.ts";
import { roundsText } from "../views/quantities.ts";

/**
 * Writes the privacy report of the run in a folder, as a page and as Markdown, each whole or not at all. Returns the paths.
 *
 * @throws UserError of kind `config` for a run without privacy, `storage` for a damaged run or a ledger that is not whole.
 */
export async function writePrivacyReport(folder: string, out: string = folder): Promise<readonly string[]> {
  const run = readStoredRun(folder);
  const config = parseExperiment(run.config, path.join(folder, "config.json"));
  const { client, record } = config.privacy ?? {};
  if (client === undefined && record === undefined) {
    throw new UserError(
      "config",
      `The run in ${folder} has neither privacy.client nor privacy.record: nothing was promised to anybody.`,
      {
        hint: "Updates were sent as they are. Set one of them, and look at openfedllm privacy plan before you run.",
      },
    );
  }
  const course = await readCourse(folder);
  const facts: PrivacyFacts = {
    name: run.name,
    subtitle: subtitleOf(run, config),
    adapter: run.finished ? run.adapter : undefined,
    client: client && (await clientFacts(folder, config, course)),
    records: record === undefined ? undefined : await readRecordSpending(folder),
    seen: {
      ownSets: ownSetsOf(run),
      countsSent: [...course.records.values()].some((records) => records > 0),
      length: await adapterLength(path.join(folder, "adapter")),
    },
  };
  const written = [
    [path.join(out, "privacy.html"), privacyPage(facts)],
    [path.join(out, "privacy.md"), privacyMarkdown(facts)],
  ] as const;
  for (const [file, text] of written) await writeAtomically(file, text);
  return written.map(([file]) => file);
}

async function clientFacts(folder: string, config: ExperimentConfig, course: RunCourse): Promise<ClientFacts> {
  const charges = await readCharges(folder, course);
  const began = course.records.size;
  const clients = [...new Set([...course.records.keys(), ...charges.map(({ client }) => client)])];
  const { mechanism, epsilon, delta, expectedClients: divisor } = clientPrivacyOf(config, Math.max(1, began))!;
  return { mechanism, epsilon, delta, divisor, clients, charges };
}

function subtitleOf(run: StoredRun, { federation, model }: ExperimentConfig): string {
  const rounds = roundsText(roundsDone(run), plannedRounds(run));
  return [federation.algorithm, `base ${model.base}`, rounds, run.finished ? "finished" : "not finished"].join(" · ");
}

/** Held-out sets of clients that were scored. */
function ownSetsOf(run: StoredRun): string[] {
  return [...new Set(run.rounds.flatMap(({ heldOut }) => [...heldOut.keys()]))].filter((set) => set !== COMMON_SET);
}

/** Numbers in the final adapter, of which an update has at most as many; undefined where there is none yet. */
async function adapterLength(folder: string): Promise<number | undefined> {
  return existsSync(folder) ? parameterCount((await loadAdapter(folder)).params) : undefined;
}
