import { readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../diagnostics/user-error.ts";
import { type Plugin, usePlugin } from "../plugins/plugin.ts";
import { sha256 } from "../tensor/sha256.ts";
import { nearFile } from "./files.ts";

/**
 * Loads a plugin: a JavaScript module whose default export is a function from the library to a `Plugin`. The code runs with
 * the rights of this process. `library` is what the function is given: the exports of `openfedllm/web`.
 *
 * @throws UserError of kind `config` for a file that cannot be read or run, and those of `usePlugin`.
 */
export async function loadPlugin(file: string, library: object): Promise<void> {
  const hash = await sha256(read(file));
  const made = await run(file, library);
  usePlugin(made, { file, sha256: hash });
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const what = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : message;
    const near = code === "ENOENT" ? nearFile(file) : undefined;
    throw new UserError("config", `cannot read the plugin ${file}: ${what}`, {
      hint: near === undefined ? "Give a JavaScript module: --plugin my-algorithm.mjs" : `Did you mean ${near}?`,
      cause,
    });
  }
}

async function run(file: string, library: object): Promise<Plugin> {
  let make: unknown;
  try {
    ({ default: make } = (await import(pathToFileURL(path.resolve(file)).href)) as { readonly default?: unknown });
  } catch (cause) {
    throw failed(file, "cannot be loaded", cause);
  }
  if (typeof make !== "function") {
    const got = make === undefined ? "no default" : `a default that is ${typeof make}`;
    throw new UserError("config", `the plugin ${file} exports ${got}, expected a function as its default`, {
      hint: "For example: export default ({ z }) => ({ algorithms: { … } }). docs/plugins.md shows more.",
    });
  }
  try {
    return await (make as (library: object) => Plugin | Promise<Plugin>)(library);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw failed(file, "fails when it is asked for what it has", cause);
  }
}

function failed(file: string, what: string, cause: unknown): UserError {
  return new UserError(
    "config",
    `the plugin ${file} ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      hint: "Correct the file; --debug shows where.",
      cause,
    },
  );
}
