import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  parse as parseYaml,
} from "yaml";
import { UserError } from "../diagnostics/user-error.ts";
import { nestingProblem } from "../settings/nesting.ts";
import { applySetting, originIn, type PlaceOf } from "../settings/apply-setting.ts";
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
  const { value: config, placeOf } = readSettings(file);
  applySettings(config, settings);
  const { data = {} } = config;
  const isSilent = typeof data === "object" && data !== null && !("clients" in data) && !("train" in data);
  if (clients.length > 0 && isSilent) config["data"] = { ...data, clients: clients.map((name) => ({ name })) };
  return parseExperiment(config, originIn(file, settings, placeOf));
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
  return readSettings(file).value;
}

/** A mapping of settings that was read from a file, and where in the file each stands. */
export interface ReadSettings {
  readonly value: Record<string, unknown>;
  readonly placeOf: PlaceOf;
}

/**
 * Does the same as `readMapping`, and finds the places of settings.
 *
 * @throws UserError of kind `config`.
 */
export function readSettings(file: string): ReadSettings {
  const { plain, placeOf } = parseText(readText(file), file);
  const value = expand(plain, file);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const got = Array.isArray(value) ? "a list" : value === null ? "nothing" : `a ${typeof value}`;
    throw new UserError("config", `${file} holds ${got}, expected a mapping of settings`, { hint: EXAMPLE });
  }
  return { value: value as Record<string, unknown>, placeOf };
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

function parseText(text: string, file: string): { readonly plain: unknown; readonly placeOf: PlaceOf } {
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
  return { plain: value, placeOf: placesIn(document, lineCounter) };
}

/** Finds the places of settings in a document; of one that is not there, the place of what would hold it. */
function placesIn(document: Document.Parsed, lineCounter: LineCounter): PlaceOf {
  return (path, part) => {
    let node: unknown = document.contents;
    let offset: number | undefined;
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find((each) => String(isScalar(each.key) ? each.key.value : each.key) === String(key));
        if (pair === undefined) break;
        offset = startOf(pair.key);
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(key)];
        offset = startOf(node) ?? offset;
      } else break;
      if (part === "value" && key === path.at(-1) && isScalar(node)) offset = startOf(node) ?? offset;
    }
    if (offset === undefined) return undefined;
    const { line, col } = lineCounter.linePos(offset);
    return { line, column: col };
  };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
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
