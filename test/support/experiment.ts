import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import type { OnCount } from "../../src/concurrency/counted-work.ts";
import { prepareExperiment } from "../../src/experiment/prepare.ts";
import { runExperiment } from "../../src/experiment/run.ts";
import type { RunSummary } from "../../src/experiment/results/summary.ts";
import type { RunEvent } from "../../src/federation/events.ts";
import { readConfigFile } from "../../src/node/config-file.ts";
import { nodePlatform } from "../../src/node/platform.ts";
import { openRunFolder } from "../../src/node/run-folder.ts";
import type { Runtime } from "../../src/train/runtime.ts";

export interface Ran {
  readonly folder: string;
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
}

let runs = 0;

export interface RunInOptions {
  /** Name of the run folder; default: a new one. */
  readonly name?: string;
  readonly runtime?: (runtime: Runtime) => Runtime;
  /** Stops the run at the first event of which it is true. */
  readonly stopAt?: (event: RunEvent) => boolean;
  readonly onCount?: OnCount;
}

/** Runs a configuration in this process, into a folder under `folder`. */
export async function runIn(folder: string, config: object, options: RunInOptions = {}): Promise<Ran> {
  const name = options.name ?? `run-${++runs}`;
  const file = path.join(folder, `${name}.yaml`);
  writeFileSync(file, stringify(config));
  const settings = readConfigFile(file);
  const node = nodePlatform({ baseDir: folder, threads: 1 });
  const platform = { ...node, runtime: options.runtime?.(node.runtime) ?? node.runtime };
  const stop = new AbortController();
  const store = await openRunFolder(path.join(folder, name));
  const events: RunEvent[] = [];
  try {
    const prepared = await prepareExperiment(settings, platform);
    const emit = (event: RunEvent): void => {
      events.push(event);
      if (options.stopAt?.(event)) stop.abort();
    };
    const summary = await runExperiment(prepared, platform, store, {
      emit,
      onCount: options.onCount,
      signal: stop.signal,
    });
    return { folder: path.join(folder, name), summary, events };
  } finally {
    store.close();
  }
}

/** sha256 of the adapter file in a folder. */
export function adapterHash(...folder: string[]): string {
  return createHash("sha256")
    .update(readFileSync(path.join(...folder, "adapter_model.safetensors")))
    .digest("hex");
}
