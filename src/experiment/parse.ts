import type { z } from "zod";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { experimentSchema, type ExperimentConfig } from "./schema.ts";

/**
 * Checks a configuration read from YAML or JSON and fills in the defaults. `where` names the file in errors.
 *
 * @throws UserError of kind `config`: one sentence about the first problem, with the nearest legal key or the legal
 * values; further problems are counted.
 */
export function parseExperiment(value: unknown, where: string): ExperimentConfig {
  const parsed = experimentSchema.safeParse(value);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const { message, hint } = explain(issues[0]!, value);
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
    throw new UserError("config", `${where}: ${message}${more}`, hint === undefined ? {} : { hint });
  }
  const config = parsed.data;
  const { clients, train } = config.data;
  if ((clients === undefined) === (train === undefined)) {
    throw new UserError(
      "config",
      `${where}: give either data.clients or data.train, got ${clients === undefined ? "neither" : "both"}`,
      {
        hint: "data.clients lists one entry a client with its own files; data.train pools files and deals them to federation.clients.",
      },
    );
  }
  if (train !== undefined && config.federation.clients === undefined && config.data.partition.by !== "field") {
    throw new UserError("config", `${where}: federation.clients is missing: how many clients data.train is dealt to`);
  }
  if (
    clients !== undefined &&
    config.federation.clients !== undefined &&
    config.federation.clients !== clients.length
  ) {
    throw new UserError(
      "config",
      `${where}: federation.clients is ${config.federation.clients}, but data.clients lists ${clients.length}`,
      {
        hint: "Leave federation.clients out: it follows from data.clients.",
      },
    );
  }
  const { learningRate, minLearningRate } = config.training;
  if (minLearningRate > learningRate) {
    throw new UserError(
      "config",
      `${where}: training.minLearningRate (${minLearningRate}) is above training.learningRate (${learningRate})`,
    );
  }
  return config;
}

function explain(issue: z.core.$ZodIssue, root: unknown): { message: string; hint?: string } {
  const path = issue.path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join("");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const legal = legalKeys(issue.path);
    const near = nearest(key, legal);
    const full = path === "" ? key : `${path}.${key}`;
    const elsewhere = near === undefined ? legalPaths().find((legalPath) => legalPath.endsWith(`.${key}`)) : undefined;
    const guess = near === undefined ? elsewhere : path === "" ? near : `${path}.${near}`;
    return {
      message: `unknown key '${full}'`,
      hint: guess === undefined ? `Legal here: ${legal.join(", ")}.` : `Did you mean '${guess}'?`,
    };
  }
  const got = JSON.stringify(
    issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part], root),
  );
  if (got === undefined) return { message: `'${path}' is missing` };
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const near = nearest(String(JSON.parse(got)), values);
    return {
      message: `'${path}' is ${got}, expected ${values.length === 1 ? values[0] : `one of ${values.join(", ")}`}`,
      ...(near === undefined ? {} : { hint: `Did you mean '${near}'?` }),
    };
  }
  return { message: `'${path}' is ${got}: ${issue.message}` };
}

interface ObjectLike {
  readonly shape: Readonly<Record<string, z.core.$ZodType>>;
}

/** The object schema behind defaults, options and unions, if there is one. */
function objectBehind(schema: unknown): ObjectLike | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  if ("shape" in schema) return schema as ObjectLike;
  const { def } = schema as { def?: { innerType?: unknown; element?: unknown } };
  return objectBehind(def?.innerType) ?? objectBehind(def?.element);
}

function legalKeys(path: readonly PropertyKey[]): string[] {
  let at: ObjectLike | undefined = experimentSchema;
  for (const part of path) if (typeof part === "string") at = objectBehind(at?.shape[part]);
  return Object.keys(at?.shape ?? {});
}

/** Every key of the schema, dotted. */
function legalPaths(schema: ObjectLike = experimentSchema, prefix = ""): string[] {
  return Object.entries(schema.shape).flatMap(([key, inner]) => {
    const object = objectBehind(inner);
    const own = `${prefix}${key}`;
    return object === undefined ? [own] : [own, ...legalPaths(object, `${own}.`)];
  });
}

/**
 * Applies `--set a.b=value` to a configuration before it is checked. The value is what YAML makes of it (`parse`).
 *
 * @throws UserError of kind `config` for a setting without `=`, or one that reaches into something that is no mapping.
 */
export function applySetting(config: Record<string, unknown>, setting: string, parse: (text: string) => unknown): void {
  const at = setting.indexOf("=");
  if (at < 1)
    throw new UserError("config", `--set ${setting}: expected key=value, for example --set training.learningRate=1e-4`);
  const keys = setting.slice(0, at).split(".");
  let object = config;
  for (const key of keys.slice(0, -1)) {
    const next = (object[key] ??= {});
    if (typeof next !== "object" || next === null)
      throw new UserError("config", `--set ${setting}: '${key}' is not a section`);
    object = next as Record<string, unknown>;
  }
  object[keys.at(-1)!] = parse(setting.slice(at + 1));
}
