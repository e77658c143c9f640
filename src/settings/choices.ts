import { isRow, type Row, valueAt } from "../data/row.ts";

/** A choice that a configuration may make. */
export interface Choice {
  /** Its name in the documentation, in Markdown. */
  readonly title: string;
  /** The setting that makes it, by its dotted key. */
  readonly setting: string;
  /** Its name in a message, such as `federation.aggregator krum`; undefined where the configuration does not make it. */
  readonly made: (config: Row) => string | undefined;
}

/** The choice to set `setting` at all, a section or a value. */
export function set(setting: string): Choice {
  return {
    title: `\`${setting}\``,
    setting,
    made: (config) => (valueAt(config, setting) === undefined ? undefined : setting),
  };
}

/** The choice not to set `setting`. */
export function absent(setting: string): Choice {
  return {
    title: `no \`${setting}\``,
    setting,
    made: (config) => (valueAt(config, setting) === undefined ? "nothing" : undefined),
  };
}

/** The choice of one of `values` for `setting`. `fallback` is its value where it is not set, if its section is there. */
export function chosen(setting: string, values: readonly (string | boolean)[], fallback?: string): Choice {
  const section = setting.split(".").slice(0, -1).join(".");
  return {
    title: `\`${setting}\`: ${values.map((value) => `\`${value}\``).join(", ")}`,
    setting,
    made(config) {
      const got = valueAt(config, setting) ?? (valueAt(config, section) === undefined ? undefined : fallback);
      const value = values.find((each) => each === got);
      return value === undefined ? undefined : `${setting} ${value}`;
    },
  };
}

/** The choice of a stage with one of `names`, and with one of `values` for its setting `key`, where that is given. */
export function stage(
  names: readonly string[],
  key?: string,
  values: readonly (string | boolean | undefined)[] = [],
): Choice {
  const shown = values.filter((value) => value !== undefined).map((value) => ` with \`${key}: ${value}\``);
  return {
    title: `\`federation.stages\`: ${names.map((name) => `\`${name}\``).join(", ")}${shown.join(",")}`,
    setting: "federation.stages",
    made(config) {
      const stages = valueAt(config, "federation.stages");
      const entries = Array.isArray(stages) ? stages.filter(isRow) : [];
      const found = entries.find(
        (entry) =>
          names.some((name) => name === entry["name"]) &&
          (key === undefined || values.some((value) => value === entry[key])),
      );
      return found && `federation.stages ${found["name"] as string}${shown.join("").replaceAll("`", "")}`;
    },
  };
}

/** A choice made without setting one of `settings`. */
export function without(choice: Choice, settings: readonly string[]): Choice {
  const missing = (config: Row): string[] => settings.filter((setting) => valueAt(config, setting) === undefined);
  return {
    title: `${choice.title} without ${settings.map((setting) => `\`${setting}\``).join(" and ")}`,
    setting: choice.setting,
    made(config) {
      const made = choice.made(config);
      const lacks = missing(config);
      return made === undefined || lacks.length === 0 ? undefined : `${made} without ${lacks.join(" and ")}`;
    },
  };
}

/** A choice, unless `other` is set. */
export function unless(choice: Choice, other: string): Choice {
  return {
    ...choice,
    title: `${choice.title}, \`${other}\` not set`,
    made: (config) => (valueAt(config, other) === undefined ? choice.made(config) : undefined),
  };
}
