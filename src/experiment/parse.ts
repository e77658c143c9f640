import type { z } from "zod";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { keysOf, schemaAt, typeText, type JsonSchema } from "./json-schema.ts";
import { experimentSchema, type ExperimentConfig } from "./schema.ts";

/** What is wrong, as a sentence without its subject, and what to do. */
interface Problem {
  readonly message: string;
  readonly hint?: string | undefined;
}

/**
 * Checks a configuration read from YAML or JSON and fills in the defaults. `where` names the file in errors.
 *
 * @throws UserError of kind `config`: one sentence about the first problem, with the nearest legal key or the legal
 * values; further problems are counted.
 */
export function parseExperiment(value: unknown, where: string): ExperimentConfig {
  const parsed = experimentSchema.safeParse(value);
  const config = parsed.success ? completed(parsed.data) : undefined;
  const problem = config === undefined ? explainAll(parsed.error!.issues, value) : contradiction(config);
  if (problem !== undefined) throw new UserError("config", `${where}: ${problem.message}`, { hint: problem.hint });
  return config!;
}

/** The defaults that depend on other settings. */
function completed(config: z.output<typeof experimentSchema>): ExperimentConfig {
  const { training } = config;
  return { ...config, training: { ...training, minLearningRate: training.minLearningRate ?? 1e-6 } };
}

/** The records of a step are listed in memory. */
const MOST_STEP_RECORDS = 1_000_000;

/** What no setting alone says: that two of them do not go together. */
function contradiction({ data, federation, training }: ExperimentConfig): Problem | undefined {
  const { clients, train } = data;
  if ((clients === undefined) === (train === undefined)) {
    return {
      message: `give either data.clients or data.train, got ${clients === undefined ? "neither" : "both"}`,
      hint: "data.clients lists one entry a client with its own files; data.train pools files and deals them to federation.clients.",
    };
  }
  if (train !== undefined && federation.clients === undefined && data.partition.by !== "field") {
    return {
      message: "federation.clients is missing, the number of clients that data.train is dealt to",
      hint: "For example: federation: { clients: 4 }",
    };
  }
  if (["dirichlet", "field"].includes(data.partition.by) && train !== undefined && data.partition.field === undefined) {
    return {
      message: `data.partition.field is missing, the column that data.partition.by ${data.partition.by} deals records by`,
      hint: `For example: partition: { by: ${data.partition.by}, field: topic }`,
    };
  }
  if (clients !== undefined && federation.clients !== undefined && federation.clients !== clients.length) {
    return {
      message: `federation.clients is ${federation.clients}, but data.clients lists ${clients.length}`,
      hint: "Leave federation.clients out: it follows from data.clients.",
    };
  }
  const names = clients?.map(({ name }) => name) ?? [];
  const second = names.findIndex((name, i) => names.indexOf(name) < i);
  if (second >= 0) {
    const name = names[second]!;
    return {
      message: `data.clients[${names.indexOf(name)}] and data.clients[${second}] are both called "${name}"`,
      hint: "Give every client a name of its own.",
    };
  }
  const stepRecords = training.batchSize * training.gradientAccumulation;
  if (stepRecords > MOST_STEP_RECORDS) {
    return {
      message: `training.batchSize times training.gradientAccumulation is ${stepRecords}, expected at most ${MOST_STEP_RECORDS} records in a step`,
      hint: "Lower one of them; training.localSteps is how many steps there are.",
    };
  }
  const { schedule, learningRate, minLearningRate } = training;
  if (schedule === "cosine" && minLearningRate > learningRate) {
    return {
      message: `training.minLearningRate (${minLearningRate}) is above training.learningRate (${learningRate})`,
      hint: "Lower the one or raise the other.",
    };
  }
  return participation(federation, clients?.length ?? federation.clients);
}

/** Whether a round of so many clients (undefined: not known yet) can ever have enough updates. */
export function participation(
  { clientsPerRound, minClients }: ExperimentConfig["federation"],
  clients: number | undefined,
): Problem | undefined {
  const drawn = Math.min(clientsPerRound ?? Infinity, clients ?? Infinity);
  if (minClients <= drawn) return undefined;
  return {
    message: `federation.minClients is ${minClients}, but a round has ${drawn} ${drawn === 1 ? "client" : "clients"}`,
    hint: "Lower federation.minClients, or have more clients in a round.",
  };
}

function explainAll(issues: readonly z.core.$ZodIssue[], root: unknown): Problem {
  const { message, hint } = explain(issues[0]!, root);
  const more = issues.length - 1;
  return {
    message: more === 0 ? message : `${message} (and ${more} more ${more === 1 ? "mistake" : "mistakes"})`,
    hint,
  };
}

function explain(issue: z.core.$ZodIssue, root: unknown): Problem {
  // A record tells of its unknown key by a path that ends with it.
  if (issue.code === "unrecognized_keys") return unknownKey(issue.path, issue.keys[0]!);
  if (issue.code === "invalid_key") return unknownKey(issue.path.slice(0, -1), String(issue.path.at(-1)));
  const got = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part], root);
  if (got === undefined) return missing(issue.path);
  const schema = schemaAt(issue.path) ?? {};
  const message = `${dotted(issue.path)} is ${shown(got)}, expected ${expected(issue, schema)}`;
  if (got === null) return { message, hint: "Give it a value, or remove the key so that its default holds." };
  const near = typeof got === "string" ? nearest(got, schema.enum?.map(String) ?? []) : undefined;
  return { message, hint: near === undefined ? whatCanBeSet(schema) : `Did you mean '${near}'?` };
}

function expected(issue: z.core.$ZodIssue, schema: JsonSchema): string {
  if (issue.code === "too_small" && issue.origin === "array") return "at least one entry";
  if (issue.code === "too_small" && issue.origin === "string") return "a text that is not empty";
  if (issue.code === "too_big" && issue.inclusive) return `at most ${issue.maximum}`;
  const type = typeText(schema);
  return (schema.enum?.length ?? 0) > 1 ? `one of ${type}` : type;
}

function missing(path: readonly PropertyKey[]): Problem {
  const schema = schemaAt(path) ?? {};
  const [inside] = schema.required ?? [];
  if (inside !== undefined) return missing([...path, inside]);
  return { message: `${dotted(path)} is missing`, hint: schema.description ?? whatCanBeSet(schema) };
}

function whatCanBeSet(section: JsonSchema): string | undefined {
  const keys = keysOf(section);
  return keys.length === 0 ? undefined : `What can be set in it: ${keys.join(", ")}.`;
}

function unknownKey(path: readonly PropertyKey[], key: string): Problem {
  const legal = keysOf(schemaAt(path));
  const here = nearest(key, legal);
  // Of two settings with one name the outer one is meant.
  const all = pathsOf(schemaAt([])).sort((a, b) => b.split(".").length - a.split(".").length);
  const everywhere = new Map(all.map((full) => [full.split(".").at(-1)!, full]));
  const guess =
    everywhere.get(key) ??
    (here === undefined ? everywhere.get(nearest(key, everywhere.keys()) ?? "") : dotted([...path, here]));
  return {
    message: `unknown key '${dotted([...path, key])}'`,
    hint: guess === undefined ? `Legal here: ${legal.join(", ")}.` : `Did you mean '${guess}'?`,
  };
}

/** Every key under a part of the schema, as the documentation writes it. */
function pathsOf(schema: JsonSchema | undefined, prefix = ""): string[] {
  return Object.entries(schema?.properties ?? {}).flatMap(([key, inner]) => [
    `${prefix}${key}`,
    ...pathsOf(inner, `${prefix}${key}.`),
    ...pathsOf(inner.items, `${prefix}${key}[].`),
  ]);
}

function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join("");
}

const LONGEST_SHOWN = 60;

function shown(value: unknown): string {
  if (value === null) return "empty (null)";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`;
}
