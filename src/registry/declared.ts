import { z } from "zod";

/**
 * Settings by key, each with type, default and description. A section is a `z.object` in a `prefault`.
 *
 * Every default becomes part of the identity of every run. So a setting that is added to a released program is
 * `optional()`; `make` knows the default and the description says it.
 */
export type SettingFields = Readonly<Record<string, z.ZodType>>;

/** The values of such settings, defaults filled in. */
export type SettingsOf<F extends SettingFields> = z.output<z.ZodObject<F>>;

/** A thing that a configuration chooses by name: the settings that it reads, and how it is made from them. */
export interface Declared<Fields extends SettingFields, Context extends readonly unknown[], Made> {
  readonly settings: Fields;
  readonly make: (settings: SettingsOf<Fields>, ...context: Context) => Made;
}

/** A declared thing of which the settings are not known, as in a registry. */
export interface AnyDeclared<Context extends readonly unknown[], Made> {
  readonly settings: SettingFields;
  readonly make: (settings: never, ...context: Context) => Made;
}

/** Things by the name that a configuration gives them. */
export type Registry<Context extends readonly unknown[] = never, Made = unknown> = Readonly<
  Record<string, AnyDeclared<Context, Made>>
>;

/**
 * Makes the declared thing. It takes the settings that it reads from `values`; defaults are filled in.
 *
 * @throws ZodError for a value that the declaration does not allow.
 */
export function build<Context extends readonly unknown[], Made>(
  declared: AnyDeclared<Context, Made>,
  values: object,
  ...context: Context
): Made {
  return declared.make(z.object(declared.settings).parse(values) as never, ...context);
}

/** The keys and values of all settings that things of a registry read. */
type AllSettings<R extends Registry> = Intersection<{ [K in keyof R]: SettingsOf<R[K]["settings"]> }[keyof R]>;
type Intersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void ? I : never;

/** The zod fields of `AllSettings`. */
export type AllFields<R extends Registry> = {
  readonly [K in keyof AllSettings<R>]-?: undefined extends AllSettings<R>[K]
    ? z.ZodOptional<z.ZodType<Exclude<AllSettings<R>[K], undefined>>>
    : z.ZodDefault<z.ZodType<AllSettings<R>[K]>>;
};

/**
 * Merges the settings of all things in a registry, each once. A description ends with the names of its readers.
 *
 * @throws Error for a key that two things declare as different settings.
 */
export function fieldsOf<R extends Registry>(registry: R): AllFields<R> {
  return merged(Object.entries(registry).map(([name, { settings }]) => [name, settings])) as AllFields<R>;
}

type Named = readonly [name: string, fields: SettingFields];

function merged(all: readonly Named[]): SettingFields {
  const keys = new Set(all.flatMap(([, fields]) => Object.keys(fields)));
  return Object.fromEntries(
    [...keys].map((key) => {
      const readers = all.filter(([, fields]) => Object.hasOwn(fields, key));
      const sections = readers.flatMap(([name, fields]): Named[] => {
        const inside = sectionOf(fields[key]!);
        return inside === undefined ? [] : [[name, inside]];
      });
      if (sections.length > 0) return [key, z.strictObject(merged(sections)).prefault({})];
      const field = readers[0]![1][key]!;
      const other = readers.find(([, fields]) => fields[key] !== field);
      if (other !== undefined) {
        throw new Error(`${readers[0]![0]} and ${other[0]} declare different settings ${key}: share one declaration`);
      }
      return [key, field.describe(`${field.description} Read by ${readers.map(([name]) => name).join(", ")}.`)];
    }),
  );
}

/** The names of the things that read each setting, by its dotted key. */
export function readersOf(registry: Registry): ReadonlyMap<string, readonly string[]> {
  const readers = new Map<string, string[]>();
  const visit = (name: string, fields: SettingFields, prefix: string): void => {
    for (const [key, field] of Object.entries(fields)) {
      const inside = sectionOf(field);
      if (inside !== undefined) visit(name, inside, `${prefix}${key}.`);
      else readers.set(`${prefix}${key}`, [...(readers.get(`${prefix}${key}`) ?? []), name]);
    }
  };
  for (const [name, { settings }] of Object.entries(registry)) visit(name, settings, "");
  return readers;
}

function sectionOf(field: z.ZodType): SettingFields | undefined {
  const inner = field instanceof z.ZodPrefault ? field.unwrap() : undefined;
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}
