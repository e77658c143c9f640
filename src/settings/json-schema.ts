import { experimentJsonSchema } from "./schema.ts";

/** The part of JSON Schema that the schema of configurations uses. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly const?: string | number | boolean | null;
  readonly anyOf?: readonly JsonSchema[];
  /** A choice of sections; the key `name` tells them apart. */
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** Finds the part of a schema under a path; undefined for an unknown key. Default: the schema of configurations. */
export function schemaAt(
  path: readonly PropertyKey[],
  whole: JsonSchema = experimentJsonSchema(),
): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((at, part) => {
    if (typeof part === "number") return itemsOf(at);
    const own = propertiesOf(at);
    if (own !== undefined) return Object.hasOwn(own, part) ? own[String(part)] : undefined;
    return typeof at?.additionalProperties === "object" ? at.additionalProperties : undefined;
  }, whole);
}

/** The schema of an entry of a list. A choice of lists has a choice of entries. */
function itemsOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  if (schema?.anyOf === undefined) return schema?.items;
  const choices = schema.anyOf.flatMap(({ items }) => items ?? []);
  return choices.length > 1 ? { anyOf: choices } : choices[0];
}

/**
 * The settings of a section by key; undefined for a schema that is no section. A choice of sections has the settings of
 * all, and the constants of a key are its legal values.
 */
export function propertiesOf(schema: JsonSchema | undefined): Readonly<Record<string, JsonSchema>> | undefined {
  if (schema?.oneOf === undefined) return schema?.properties;
  const all: Record<string, JsonSchema> = {};
  for (const { properties = {} } of schema.oneOf) {
    for (const [key, { const: constant, ...inner }] of Object.entries(properties)) {
      all[key] = constant === undefined ? inner : { ...inner, enum: [...(all[key]?.enum ?? []), constant] };
    }
  }
  return all;
}

/** The keys that a section must have. A choice of sections has the keys that each of them must have. */
export function requiredOf({ oneOf, required = [] }: JsonSchema): readonly string[] {
  const [first, ...others] = oneOf ?? [];
  if (first === undefined) return required;
  return requiredOf(first).filter((key) => others.every((other) => requiredOf(other).includes(key)));
}

/** The keys a mapping may have. */
export function keysOf(schema: JsonSchema | undefined): string[] {
  return Object.keys(propertiesOf(schema) ?? {}).concat((schema?.propertyNames?.enum ?? []).map(String));
}

/** Every setting by its dotted key; a list, or a mapping with keys of any name, is one setting. */
export function settingKeys(schema: JsonSchema = experimentJsonSchema(), prefix = ""): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    inner.properties === undefined ? [`${prefix}${key}`] : settingKeys(inner, `${prefix}${key}.`),
  );
}

/** Describes the values of a setting: `integer >= 1`, `list of strings`, `cosine, constant`. */
export function typeText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(", ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.oneOf !== undefined) return "mapping";
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  switch (schema.type) {
    case "array":
      return `list of ${propertiesOf(schema.items) === undefined ? plural(typeText(schema.items ?? {})) : "entries"}`;
    case "object":
      return "mapping";
    case "integer":
    case "number":
      return schema.type + range(schema);
    default:
      return schema.type ?? "any";
  }
}

/** `integer >= 0` becomes `integers >= 0`. */
function plural(type: string): string {
  return /^(list|integer|number)\b/.test(type) ? type.replace(/^\w+/, "$&s") : `${type}s`;
}

/** False for the safe integers, which the schema of every whole number has as bounds. */
function isLimit(bound: number | undefined): bound is number {
  return bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const bounds = [];
  if (isLimit(minimum)) bounds.push(`>= ${minimum}`);
  if (isLimit(exclusiveMinimum)) bounds.push(`> ${exclusiveMinimum}`);
  if (isLimit(maximum)) bounds.push(`<= ${maximum}`);
  if (isLimit(exclusiveMaximum)) bounds.push(`< ${exclusiveMaximum}`);
  return bounds.length === 0 ? "" : ` ${bounds.join(", ")}`;
}
