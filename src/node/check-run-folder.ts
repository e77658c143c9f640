import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import { type BoundSettings, type Players, pluginsIn, refuseOtherRun } from "../experiment/run-identity.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { storageError } from "./store/durable-file.ts";
import { lockFolder } from "./store/folder-lock.ts";

/** What a run, or a half of one, puts into its folder. */
const OWN: RegExp =
  /^(config\.json|origin\.json|events\.jsonl|metrics\.json|report\.html|memorisation\.(md|json)|judgements\.jsonl|adapters?|best|benchmarks|tensorboard|exchange|clients|lock)(\..*)?$/;
/** The system and editors put these into any folder. */
const HARMLESS = /^(\.DS_Store|Thumbs\.db|desktop\.ini|\.gitkeep|\.gitignore|README\.md)$/;

/**
 * Checks that a run may begin or go on in a folder, before anything is loaded for it. Nothing is made or changed. Returns the
 * settings that the folder is bound to, if it is.
 *
 * @throws UserError: `storage` for a folder that cannot be written, or in which another process works; `config` for a folder
 * that holds other things, or a run with other settings.
 */
export function checkRunPlace(folder: string, run: BoundSettings, players: Players): BoundSettings | undefined {
  const place = path.resolve(folder);
  if (!existsSync(place)) {
    checkParent(folder, path.dirname(place));
    return undefined;
  }
  let names: string[];
  try {
    if (!statSync(place).isDirectory()) throw Object.assign(new Error("not a folder"), { code: "EEXIST" });
    names = readdirSync(place);
    accessSync(place, constants.W_OK);
  } catch (error) {
    throw storageError(folder, "write", error);
  }
  const foreign = names.filter((name) => !OWN.test(name) && !HARMLESS.test(name));
  const bound = boundIn(path.join(place, "config.json"));
  if (bound === "of something else" || (foreign.length > 0 && bound === undefined)) {
    const shown = bound === undefined ? foreign : names;
    const held = `${shown.slice(0, 3).join(", ")}${shown.length > 3 ? ", …" : ""}`;
    throw new UserError("config", `${folder} is not a run folder and not empty: it holds ${held}`, {
      hint: "Give a new folder with --out. Nothing in this one was changed.",
    });
  }
  lockFolder(folder)();
  if (typeof bound !== "object") return undefined;
  refuseOtherRun(bound, run, players);
  return bound;
}

/** Names of the clients of the run that a folder is bound to; undefined where it names none. */
export function boundClients(folder: string): string[] | undefined {
  const bound = boundIn(path.join(folder, "config.json"));
  if (typeof bound !== "object") return undefined;
  // The file may be damaged, or of another version.
  const { data } = bound.config as { readonly data?: { readonly clients?: unknown } | null };
  if (!Array.isArray(data?.clients)) return undefined;
  const names = data.clients.map((client: { readonly name?: unknown } | null) => client?.name);
  return names.every((name) => typeof name === "string") ? names : undefined;
}

/** What a configuration would bind a run folder to on this machine. */
export function boundSettings(config: ExperimentConfig): BoundSettings {
  return { config, threads: config.runtime.threads ?? availableParallelism(), ...pluginsIn(config) };
}

/** Checks the nearest folder there is: the others are made in it. */
function checkParent(folder: string, parent: string): void {
  let nearest = parent;
  while (!existsSync(nearest) && path.dirname(nearest) !== nearest) nearest = path.dirname(nearest);
  try {
    readdirSync(nearest);
    accessSync(nearest, constants.W_OK);
  } catch (error) {
    throw storageError(folder, "write", error);
  }
}

/** The settings that a folder is bound to; undefined where none are, or where the run itself says what is wrong with them. */
function boundIn(file: string): BoundSettings | "of something else" | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
  const { config, threads, plugins, architectures, model_type: model } = (stored ?? {}) as Record<string, unknown>;
  if (architectures !== undefined || typeof model === "string") return "of something else";
  return typeof config === "object" && config !== null && typeof threads === "number"
    ? ({ config, threads, ...(plugins !== undefined && { plugins }) } as BoundSettings)
    : undefined;
}
