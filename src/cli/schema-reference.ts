import { experimentJsonSchema } from "../experiment/schema.ts";

/** One setting, as a person reads about it. */
export interface Setting {
  /** Dotted; `data.clients[].name` is a key of each entry of a list. */
  readonly key: string;
  readonly type: string;
  /** As YAML writes it; undefined where there is none. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

export interface SettingSection {
  /** A top-level key, or "" for the settings that are in no section. */
  readonly name: string;
  readonly settings: readonly Setting[];
}

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** Every setting of a configuration file, by section, in the schema's order. */
export function settingSections(): SettingSection[] {
  const root = experimentJsonSchema() as JsonSchema;
  const loose: Setting[] = [];
  const sections: SettingSection[] = [];
  for (const [name, schema] of Object.entries(root.properties ?? {})) {
    if (schema.properties === undefined)
      loose.push(...settingsOf(name, schema, root.required?.includes(name) ?? false));
    else sections.push({ name, settings: nested(`${name}.`, schema) });
  }
  return loose.length === 0 ? sections : [...sections, { name: "", settings: loose }];
}

function nested(prefix: string, { properties = {}, required = [] }: JsonSchema): Setting[] {
  return Object.entries(properties).flatMap(([key, schema]) =>
    settingsOf(`${prefix}${key}`, schema, required.includes(key)),
  );
}

function settingsOf(key: string, schema: JsonSchema, required: boolean): Setting[] {
  if (schema.properties !== undefined) return nested(`${key}.`, schema);
  const { default: value, description = "" } = schema;
  const own = { key, type: typeText(schema), fallback: fallbackText(value), required, description };
  return schema.items?.properties === undefined ? [own] : [own, ...nested(`${key}[].`, schema.items)];
}

function fallbackText(value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  if (typeof value === "number" && value > 0 && value < 1e-3) return value.toExponential();
  if (Array.isArray(value)) return `[${value.map((item) => fallbackText(item)).join(", ")}]`;
  return JSON.stringify(value);
}

function typeText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => String(value)).join(", ");
  if (schema.const !== undefined) return fallbackText(schema.const) ?? "any";
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  switch (schema.type) {
    case "array":
      return `list of ${schema.items?.properties === undefined ? `${typeText(schema.items ?? {})}s` : "entries"}`;
    case "object":
      return "mapping";
    case "integer":
    case "number":
      return schema.type + range(schema);
    default:
      return schema.type ?? "any";
  }
}

/** A whole number's schema names the safe integers as bounds, which says nothing. */
function says(bound: number | undefined): bound is number {
  return bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const bounds = [];
  if (says(minimum)) bounds.push(`>= ${minimum}`);
  if (says(exclusiveMinimum)) bounds.push(`> ${exclusiveMinimum}`);
  if (says(maximum)) bounds.push(`<= ${maximum}`);
  if (says(exclusiveMaximum)) bounds.push(`< ${exclusiveMaximum}`);
  return bounds.length === 0 ? "" : ` ${bounds.join(", ")}`;
}
