import { UserError } from "../diagnostics/user-error.ts";
import { sha256 } from "../federation/sha256.ts";
import type { Example } from "../train/example.ts";
import type { RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import type { ExperimentConfig } from "./schema.ts";

/** What `config.json` of a run folder holds. */
interface StoredRun {
  readonly config: ExperimentConfig;
  /** sha256 of all training and held-out examples. */
  readonly data: string;
  /** sha256 of the base's weights and architecture. */
  readonly model: string;
}

/**
 * Ties a run store to everything its outcome depends on: settings, data and base model. A new store is given the resolved
 * configuration; one that holds another run is refused. Settings that change nothing in the adapter (threads, which
 * adapters are kept) may differ. Returns the identity.
 *
 * @throws UserError of kind `config` naming the first settings that differ, `storage` for a damaged `config.json`.
 */
export async function bindRun(prepared: Prepared, store: RunStore): Promise<string> {
  const run: StoredRun = {
    config: prepared.config,
    data: await examplesHash(prepared),
    model: await sha256(
      new TextEncoder().encode(JSON.stringify([prepared.model.weights.fingerprint, prepared.model.config])),
    ),
  };
  const stored = (await store.readJson("config.json")) as StoredRun | undefined;
  if (stored === undefined) await store.saveJson("config.json", run);
  else if (typeof stored?.config === "object" && stored.config !== null) refuseOther(stored, run);
  else {
    throw new UserError("storage", "config.json of the run folder is damaged: it holds no configuration", {
      hint: "Put the file back from a copy, or start the run in a new folder.",
    });
  }
  return sha256(new TextEncoder().encode(JSON.stringify([withoutIndifferent(run.config), run.data, run.model])));
}

function refuseOther(stored: StoredRun, run: StoredRun): void {
  const differences = differing(withoutIndifferent(stored.config), withoutIndifferent(run.config));
  if (differences.length === 0 && stored.data !== run.data)
    differences.push("the data (the files' records have changed)");
  if (differences.length === 0 && stored.model !== run.model)
    differences.push("the base model (its weights or its config.json have changed)");
  if (differences.length === 0) return;
  const shown = differences.slice(0, 3).join("; ");
  throw new UserError(
    "config",
    `the run folder holds a run with other settings: ${shown}${differences.length > 3 ? "; …" : ""}`,
    {
      hint: "Choose another folder with --out, or go back to the settings it was started with (its config.json).",
    },
  );
}

function withoutIndifferent({ runtime: _runtime, output: _output, ...config }: ExperimentConfig): object {
  return config;
}

/** `path: before -> now` for every leaf that is not the same. */
function differing(before: unknown, now: unknown, path = ""): string[] {
  if (typeof before === "object" && typeof now === "object" && before !== null && now !== null) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...keys].flatMap((key) =>
      differing(
        (before as Record<string, unknown>)[key],
        (now as Record<string, unknown>)[key],
        path === "" ? key : `${path}.${key}`,
      ),
    );
  }
  return before === now ? [] : [`${path} was ${JSON.stringify(before)}, is ${JSON.stringify(now)}`];
}

async function examplesHash({ clients, common }: Prepared): Promise<string> {
  const sets = [...clients.flatMap(({ train, heldOut }) => [train, heldOut]), common];
  const hashes = await Promise.all(sets.map(async (examples) => sha256(bytesOf(examples))));
  return sha256(new TextEncoder().encode(hashes.join("\n")));
}

function bytesOf(examples: readonly Example[]): Uint8Array {
  const parts = examples.flatMap(({ id, tokens, supervised }) => [
    new TextEncoder().encode(`${id}\n`),
    new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
    supervised,
  ]);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
