import { readFileSync } from "node:fs";
import path from "node:path";
import { LineCounter, parseDocument, parse as parseYaml } from "yaml";
import { UserError } from "../diagnostics/user-error.ts";
import { applySetting, parseExperiment } from "../experiment/parse.ts";
import type { ExperimentConfig } from "../experiment/schema.ts";

/**
 * Reads a configuration file (YAML, of which JSON is a part), replaces `${NAME}` by environment variables, applies
 * `--set key=value` settings in order, and checks the result.
 *
 * @throws UserError of kind `config`.
 */
export function readConfigFile(file: string, settings: readonly string[] = []): ExperimentConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const what =
      code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : (cause as Error).message;
    throw new UserError("config", `cannot read the configuration ${file}: ${what}`, {
      hint: "See examples/quickstart.yaml for a configuration to start from.",
      cause,
    });
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    throw new UserError("config", `${file}, line ${line}, column ${col}: ${problem.message}`);
  }
  const value = expand(document.toJS(), file) as Record<string, unknown> | null;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UserError("config", `${file} holds no mapping of settings`, { hint: "See examples/quickstart.yaml." });
  }
  for (const setting of settings) applySetting(value, setting, (raw) => expand(parseYaml(raw), "--set"));
  return parseExperiment(value, path.basename(file));
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
