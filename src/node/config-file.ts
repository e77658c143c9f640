import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Document, LineCounter, parseDocument, parse as parseYaml } from "yaml";
import { UserError } from "../diagnostics/user-error.ts";
import { nestingProblem } from "../settings/nesting.ts";
import { applySetting, originIn } from "../settings/apply-setting.ts";
import { parseExperiment } from "../settings/parse.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { nearFile } from "./files.ts";

const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart.yaml", import.meta.url));
const EXAMPLE = `For an example, see ${nearPath(QUICKSTART)}.`;

/**
 * Reads a configuration file (YAML or JSON), replaces `${NAME}` by environment variables, applies
 * `--set key=value` settings in order, and checks the result. `clients`: names for a configuration that says nothing of whose
 * records it trains on.
 *
 * @throws UserError of kind `config`.
 */
export function readConfigFile(
  file: string,
  settings: readonly string[] = [],
  clients: readonly string[] = [],
): ExperimentConfig {
  const config = readMapping(file);
  applySettings(config, settings);
  const { data = {} } = config;
  const isSilent = typeof data === "object" && data !== null && !("clients" in data) && !("train" in data);
  if (clients.length > 0 && isSilent) config["data"] = { ...data, clients: clients.map((name) => ({ name })) };
  return parseExperiment(config, originIn(file, settings));
}

/** Applies `--set key=value` settings in order. @throws UserError of kind `config`. */
export function applySettings(config: Record<string, unknown>, settings: readonly string[]): void {
  for (const setting of settings) applySetting(config, setting, (raw) => expand(parseYaml(raw), "--set"));
}

/**
 * Reads a configuration without checking it, with `${NAME}` replaced.
 *
 * @throws UserError of kind `config`.
 */
export function readMapping(file: string): Record<string, unknown> {
  const value = expand(parseText(readText(file), file), file);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const got = Array.isArray(value) ? "a list" : value === null ? "nothing" : `a ${typeof value}`;
    throw new UserError("config", `${file} holds ${got}, expected a mapping of settings`, { hint: EXAMPLE });
  }
  return value as Record<string, unknown>;
}

function readText(file: string): string {
  let bytes: Uint8Array;
  try {
    const found = statSync(file);
    // A pipe or a device may have no end.
    if (!found.isFile() && !found.isDirectory()) throw new Error("it is not a regular file");
    bytes = readFileSync(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const absent = code === "ENOENT" || code === "ENOTDIR";
    const what = absent ? "there is no such file" : code === "EISDIR" ? "it is a folder" : message;
    const near = absent ? nearFile(file) : undefined;
    throw new UserError("config", `cannot read the configuration ${file}: ${what}`, {
      hint: near === undefined ? EXAMPLE : `Did you mean ${near}?`,
      cause,
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError("config", `${file} is not UTF-8 text, expected YAML or JSON`, { hint: EXAMPLE, cause });
  }
}

function parseText(text: string, file: string): unknown {
  const lineCounter = new LineCounter();
  const document = parsed(text, file, lineCounter);
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    const deep = /call stack/i.test(problem.message) ? "nested too deep" : problem.message;
    const what = problem.code === "MULTIPLE_DOCS" ? "a second document, expected one" : deep;
    throw new UserError("config", `${file}, line ${line}, column ${col}: ${what}`, {
      hint: "Correct the YAML there or in the lines before. Indentation counts.",
    });
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    // Aliases (*name) are resolved only here.
    throw new UserError("config", `${file}: ${(cause as Error).message}`, {
      hint: "Write the value instead of the alias.",
      cause,
    });
  }
  const nesting = nestingProblem(value);
  if (nesting !== undefined) throw new UserError("config", `${file}: ${nesting.message}`, { hint: nesting.hint });
  return value;
}

function parsed(text: string, file: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, logLevel: "error" });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UserError("config", `${file}: the settings are nested too deep`, { hint: EXAMPLE, cause });
  }
}

function expand(value: unknown, where: string): unknown {
  if (typeof value === "string") {
    return value.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
      const found = process.env[name];
      if (found === undefined) {
        throw new UserError("config", `${where} uses \${${name}}, but the environment variable ${name} is not set`, {
          hint: `Set it before the command: ${name}=… openfedllm …`,
        });
      }
      return found;
    });
  }
  if (Array.isArray(value)) return value.map((item) => expand(item, where));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expand(item, where)]));
  }
  return value;
}

/** Shortens a path to one from the working directory, for files in it. */
function nearPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith("..") ? file : relative;
}
