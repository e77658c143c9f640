import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { TrackerName, TrackerSettings } from "../../settings/tracker-settings.ts";
import type { EnvironmentVariables } from "../federation/environment.ts";
import { storageError } from "../store/durable-file.ts";
import { mlflow } from "./mlflow.ts";
import type { Tracker, TrackerKind, TrackerOptions } from "./tracker.ts";
import { webhook } from "./webhook.ts";

/** Every tracker by its key in `output`; settings/tracker-settings.ts has its settings. */
const TRACKERS: { readonly [K in TrackerName]: TrackerKind<NonNullable<TrackerSettings[K]>> } = { mlflow, webhook };

type Chosen = readonly [TrackerKind<unknown>, unknown];

function chosen(output: TrackerSettings): Chosen[] {
  return (Object.keys(TRACKERS) as TrackerName[])
    .filter((name) => output[name] !== undefined)
    .map((name): Chosen => [TRACKERS[name] as TrackerKind<unknown>, output[name]]);
}

/** Checks before a run what its trackers need. @throws UserError of kind `config`. */
export function checkTrackers(output: TrackerSettings, env: EnvironmentVariables = process.env): void {
  for (const [kind, settings] of chosen(output)) kind.check(settings, env);
}

/** Opens the trackers of a run as one. @throws UserError of kind `config` or `storage`. */
export async function openTrackers(output: TrackerSettings, options: TrackerOptions): Promise<Tracker> {
  const kinds = chosen(output);
  const folder = path.join(options.folder, "trackers");
  if (kinds.length > 0) {
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw storageError(folder, "write", error);
    });
  }
  const trackers = await Promise.all(kinds.map(([kind, settings]) => kind.open(settings, options)));
  return {
    take: (event) => trackers.forEach((tracker) => tracker.take(event)),
    begin: () => trackers.forEach((tracker) => tracker.begin()),
    async close() {
      await Promise.all(trackers.map((tracker) => tracker.close()));
    },
  };
}
