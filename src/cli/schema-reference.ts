import { type JsonSchema, propertiesOf, requiredOf, typeText } from "../settings/json-schema.ts";
import { experimentJsonSchema } from "../settings/schema.ts";

/** The description of one setting. */
export interface Setting {
  /** Dotted; `data.clients[].name` is a key of each entry of a list. */
  readonly key: string;
  readonly type: string;
  /** The legal values of an enumeration. */
  readonly legal?: readonly string[] | undefined;
  /** The default as YAML writes it; undefined if there is none. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

export interface SettingSection {
  /** A top-level key, or "" for the settings that are in no section. */
  readonly name: string;
  readonly settings: readonly Setting[];
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

function nested(prefix: string, schema: JsonSchema): Setting[] {
  const required = requiredOf(schema);
  return Object.entries(propertiesOf(schema) ?? {}).flatMap(([key, inner]) =>
    settingsOf(`${prefix}${key}`, inner, required.includes(key)),
  );
}

function settingsOf(key: string, schema: JsonSchema, required: boolean): Setting[] {
  if (schema.properties !== undefined) return nested(`${key}.`, schema);
  const { default: value, description = "" } = schema;
  const legal = schema.enum?.map(String);
  const own = { key, type: typeText(schema), legal, fallback: fallbackText(value), required, description };
  return propertiesOf(schema.items) === undefined ? [own] : [own, ...nested(`${key}[].`, schema.items!)];
}

function fallbackText(value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  if (typeof value === "number" && value > 0 && value < 1e-3) return value.toExponential();
  if (Array.isArray(value)) return `[${value.map((item) => fallbackText(item)).join(", ")}]`;
  return JSON.stringify(value);
}
