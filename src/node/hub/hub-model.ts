import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { TOOL_TEMPLATE } from "../../model/base-model.ts";
import type { Snapshot } from "./hub-snapshot.ts";
import type { Hub } from "./hub.ts";
import { readJson } from "../model/model-files.ts";

export interface HubModelRef {
  /** `org/name` */
  readonly id: string;
  readonly revision: string | undefined;
}

const HUB_ID = /^(?:hf:(?<alone>[\w-][\w.-]*)|(?:hf:)?(?<id>[\w-][\w.-]*\/[\w-][\w.-]*))(?:@(?<revision>[\w./+-]+))?$/;

const CONFIG = "config.json";
const TOKENIZER = "tokenizer.json";
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** The files of a model that are read, besides its weights. */
const DESCRIPTION = [
  CONFIG,
  "generation_config.json",
  TOKENIZER,
  "tokenizer_config.json",
  "chat_template.jinja",
  TOOL_TEMPLATE,
];

/** Reads `org/name[@revision]`, with `hf:` before it or not; undefined for anything else. */
export function parseHubModel(ref: string): HubModelRef | undefined {
  const groups = HUB_ID.exec(ref)?.groups;
  return groups && { id: (groups["id"] ?? groups["alone"])!, revision: groups["revision"] };
}

/**
 * Fetches the files that describe a model, after a check that the repository holds all that is needed. Throws a `UserError` of
 * kind `model`, also for a repository without safetensors.
 */
export async function fetchModelDescription(hub: Hub, { id, revision }: HubModelRef): Promise<Snapshot> {
  const snapshot = await hub.snapshot("model", id, revision);
  const has = (file: string): boolean => snapshot.files.includes(file);
  if (!has(CONFIG)) {
    throw new UserError("model", `model ${id} of the Hub has no ${CONFIG}, so it is not a model of transformers`, {
      hint: has("adapter_config.json")
        ? "It is an adapter: give its base model."
        : "Choose a repository in the format of transformers.",
    });
  }
  if (!has(SINGLE) && !has(INDEX)) {
    const pickled = snapshot.files.some((file) => file.endsWith(".bin"));
    throw new UserError(
      "model",
      `model ${id} of the Hub has no ${SINGLE}${pickled ? ", only pickled .bin weights" : ""}`,
      {
        hint: pickled
          ? "Look for a revision or copy with safetensors. Or save the model again with save_pretrained(…, safe_serialization=True) and give that folder."
          : "Choose a repository with safetensors.",
      },
    );
  }
  if (!has(TOKENIZER)) {
    throw new UserError("model", `model ${id} of the Hub has no ${TOKENIZER}`, {
      hint: "Save its tokenizer with a recent version of transformers, which writes tokenizer.json, and give that folder.",
    });
  }
  await snapshot.fetch(DESCRIPTION.filter(has), { more: true });
  return snapshot;
}

/** Fetches a model's weights: the one safetensors file, or the shards of its index. */
export async function fetchModelWeights(snapshot: Snapshot, { id }: HubModelRef): Promise<void> {
  if (snapshot.files.includes(SINGLE)) {
    await snapshot.fetch([SINGLE]);
    return;
  }
  await snapshot.fetch([INDEX], { more: true });
  const { weight_map: map = {} } = (await readJson(path.join(snapshot.folder, INDEX))) as { weight_map?: object };
  const shards = [...new Set(Object.values(map) as unknown[])].filter((shard) => typeof shard === "string").sort();
  const missing = shards.find((shard) => !snapshot.files.includes(shard));
  if (missing !== undefined) {
    throw new UserError("model", `${missing} of model ${id} is missing, but ${INDEX} names it`, {
      hint: "Choose another revision of the repository, or a complete copy.",
    });
  }
  await snapshot.fetch(shards);
}
