import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { CLIENT_ADAPTERS } from "../../experiment/results/summary.ts";
import type { AdapterConfig, StoredAdapter } from "../../model/adapter.ts";
import { parsePeftConfig, toPeftConfig } from "../../model/peft-config.ts";
import { hasPatterns, withoutPatterns } from "../../model/peft-patterns.ts";
import { type Params, toFloat32 } from "../../tensor/params.ts";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { storageError, writeAtomically } from "../store/durable-file.ts";
import { nearFile } from "../files.ts";
import { parseHubModel } from "../hub/hub-model.ts";
import { exists, readJson } from "./model-files.ts";

const CONFIG = "adapter_config.json";
const ADAPTER_TENSORS = "adapter_model.safetensors";
const PICKLED = "adapter_model.bin";

/**
 * Reads an adapter as PEFT saves it: tensors as float32, under PEFT's names. `checkAdapter` tells if they fit a model. Throws a `UserError` of kind `model` for a missing or damaged file, or an adapter of a kind that
 * is not supported.
 */
export async function loadAdapter(dir: string): Promise<StoredAdapter> {
  const file = path.join(dir, CONFIG);
  if (!(await exists(file))) throw await noAdapter(dir);
  const json = await readJson(file);
  // Patterns are explained by the tensors; all else that is wrong is said before they are read.
  const named = hasPatterns(json) ? undefined : parsePeftConfig(json, file);
  const tensors = path.join(dir, ADAPTER_TENSORS);
  if (!(await exists(tensors))) {
    if (await exists(path.join(dir, PICKLED))) {
      throw new UserError(
        "model",
        `${path.join(dir, PICKLED)} is a Python pickle, which can run code and is not read`,
        {
          hint: "Load it with a recent PEFT and save it again: that writes adapter_model.safetensors.",
        },
      );
    }
    throw new UserError("model", `no tensors in ${dir}: looked for ${ADAPTER_TENSORS}`, {
      hint: "Copy the whole folder of the adapter.",
    });
  }
  const bytes = await readFile(tensors).catch((cause: unknown) => {
    throw new UserError("model", `${tensors} cannot be read: ${(cause as Error).message}`, {
      hint: "Copy the whole folder of the adapter.",
      cause,
    });
  });
  const params = toFloat32(decodeSafetensors(bytes, tensors));
  const config = named ?? parsePeftConfig(withoutPatterns(json, params, file), file);
  return { config, params, hash: await sha256(bytes) };
}

async function noAdapter(dir: string): Promise<UserError> {
  const message = `no adapter in ${dir}: looked for ${CONFIG}`;
  // A run's folder holds `adapter/`, or an adapter for each client.
  const run = path.basename(dir) === "adapter" && !(await exists(dir)) ? path.dirname(dir) : dir;
  const place = path.basename(dir) === CLIENT_ADAPTERS ? dir : path.join(run, CLIENT_ADAPTERS);
  const clients = foldersWith(place, CONFIG);
  if (clients.length > 0) {
    const shown = clients.slice(0, 4).join(", ");
    return new UserError("model", message, {
      hint: `Each client of this run has an adapter of its own: ${shown}${clients.length > 4 ? ", …" : ""}.`,
    });
  }
  const near = (await exists(dir)) ? undefined : nearFile(dir);
  const inside = (await exists(path.join(dir, "adapter", CONFIG))) ? path.join(dir, "adapter") : near;
  return new UserError("model", message, {
    hint: inside === undefined ? "Give the folder of an adapter that a run or PEFT saved." : `Did you mean ${inside}?`,
  });
}

/** Lists the folders in a folder that hold a file with this name, sorted. */
function foldersWith(folder: string, file: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => path.join(folder, name))
    .filter((inner) => existsSync(path.join(inner, file)));
}

/**
 * Writes an adapter that PEFT loads: `adapter_config.json` and `adapter_model.safetensors`. Each file is replaced as a whole or
 * not at all, the tensors first. So a new folder with a configuration holds a whole adapter. The same adapter
 * gives the same bytes. Throws a `UserError` of kind `storage` where the folder cannot be written.
 */
export async function saveAdapter(dir: string, config: AdapterConfig, params: Params, baseName: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    await writeAtomically(path.join(dir, ADAPTER_TENSORS), encodeSafetensors(toFloat32(params), { format: "pt" }));
    await writeAtomically(path.join(dir, CONFIG), `${JSON.stringify(peftConfig(config, params, baseName), null, 2)}\n`);
  } catch (cause) {
    throw storageError(dir, "write", cause);
  }
}

/** PEFT looks for a base of the Hub by its name alone, and has a key of its own for the revision. */
function peftConfig(config: AdapterConfig, params: Params, baseName: string): Record<string, unknown> {
  const { id = baseName, revision } = parseHubModel(baseName) ?? {};
  return { ...toPeftConfig(config, params, id), ...(revision !== undefined && { revision }) };
}
