import { readBy } from "../settings/read-by.ts";
import { isReadIn, type Leaves } from "./settings.ts";

/** Texts of settings for columns and labels. A structured value is a few words that tell it from the key's other values. */
export interface SettingTexts {
  /** `proxMu`; `objective` for objective.name; more of the key if two would have the same name. */
  heading(key: string): string;
  /** – for a setting that is not set, or has no effect. */
  cell(key: string, leaves: Leaves): string;
  /** `fedprox, proxMu 0.01`: a number needs its key, the name of an algorithm does not. */
  label(keys: readonly string[], leaves: Leaves): string;
  /** Meanings of the letters. */
  readonly legend: readonly string[];
}

const MISSING = "–";
const CLIENTS = "data.clients";
/** Longest list of the entries of a structured value; a longer list is cut. */
const LONGEST_LIST = 32;

/** Texts for settings of runs that lie in these folders. */
export function settingTexts(
  keys: readonly string[],
  runs: readonly { readonly folder: string; readonly leaves: Leaves }[],
): SettingTexts {
  const letters = new Map(keys.map((key) => [key, lettersOf(key, runs)]));
  const headings = headingsOf(keys);
  const heading = (key: string): string => headings.get(key) ?? headingOf(key);
  const letterOf = (key: string, value: unknown): string | undefined =>
    letters.get(key)?.get(JSON.stringify(value))?.letter;
  const cell = (key: string, leaves: Leaves): string => {
    const value = leaves.get(key);
    // Most optional settings are off if they are not set. These have a default, which depends on their reader.
    if (value === undefined && Object.hasOwn(readBy(), key) && isReadIn(leaves, key)) return "default";
    return letterOf(key, value) ?? valueText(key, value);
  };
  return {
    heading,
    cell,
    label(all, leaves) {
      const read = all.filter((key) => isReadIn(leaves, key));
      const shown = read.length === 0 ? all : read;
      return shown
        .map((key) => {
          const value = leaves.get(key);
          const structured = typeof value === "object" && (shown.length === 1 || key === CLIENTS);
          const says = (typeof value === "string" || structured) && letterOf(key, value) === undefined;
          return says ? cell(key, leaves) : `${heading(key)} ${cell(key, leaves)}`;
        })
        .join(", ");
    },
    legend: keys.flatMap((key) => {
      const of = [...(letters.get(key) ?? new Map<string, Letter>()).values()];
      if (of.length === 0) return [];
      return [`${heading(key)}: ${of.map(({ letter, folder }) => `${letter} as in ${folder}`).join(", ")}.`];
    }),
  };
}

interface Letter {
  readonly letter: string;
  /** Folder of the first run with the value. */
  readonly folder: string;
}

/** Letters for structured values of which two would be written alike. */
function lettersOf(
  key: string,
  runs: readonly { readonly folder: string; readonly leaves: Leaves }[],
): ReadonlyMap<string, Letter> {
  const first = new Map<string, { readonly value: unknown; readonly folder: string }>();
  for (const { folder, leaves } of runs) {
    const value = leaves.get(key);
    const json = JSON.stringify(value);
    if (!first.has(json)) first.set(json, { value, folder });
  }
  const texts = new Set([...first.values()].map(({ value }) => valueText(key, value)));
  if (texts.size === first.size) return new Map();
  return new Map(
    [...first]
      .filter(([, { value }]) => value !== undefined)
      .map(([json, { folder }], i) => [json, { letter: i < 26 ? String.fromCodePoint(65 + i) : `#${i + 1}`, folder }]),
  );
}

/** Keys that are ambiguous alone. They get the name of their section. */
function headingOf(key: string, parts = 1): string {
  const path = key.split(".");
  const own = path.length > 1 && ["name", "by"].includes(path.at(-1)!) ? path.slice(0, -1) : path;
  return own.slice(-parts).join(".");
}

function headingsOf(keys: readonly string[]): ReadonlyMap<string, string> {
  const short = keys.map((key) => headingOf(key));
  return new Map(
    keys.map((key, i) => [
      key,
      short.indexOf(short[i]!) === short.lastIndexOf(short[i]!) ? short[i]! : headingOf(key, 2),
    ]),
  );
}

/** Texts of the values of one setting, its numbers in one format. */
export function valueTexts(key: string, values: readonly unknown[]): string[] {
  const isSmall = values.some((value) => typeof value === "number" && value > 0 && value < 1e-3);
  return values.map((value) => (isSmall && typeof value === "number" ? exponential(value) : valueText(key, value)));
}

function exponential(value: number): string {
  return value === 0 ? "0" : value.toExponential().replace("e+", "e");
}

/** A setting's value as a person writes it; of lists and mappings only the gist: `2 clients (clinic, bank)`. */
export function valueText(key: string, value: unknown): string {
  if (value === undefined) return MISSING;
  if (typeof value === "string") return value;
  if (typeof value === "number") return value > 0 && value < 1e-3 ? value.toExponential() : String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Array.isArray(value)
    ? value.map((entry: unknown) => entryText(entry))
    : Object.entries(value).map(([name, entry]) => `${name}: ${entryText(entry)}`);
  const list = entries.join(", ");
  if (key === CLIENTS) return `${entries.length} client${entries.length === 1 ? "" : "s"} (${firstOf(entries)})`;
  return list.length <= LONGEST_LIST && entries.length > 0 ? list : `${entries.length} entries`;
}

/** Shows a client by its name. */
function entryText(entry: unknown): string {
  if (typeof entry !== "object" || entry === null) return String(entry);
  return "name" in entry ? String(entry.name) : "…";
}

function firstOf(entries: readonly string[]): string {
  let list = entries[0] ?? "";
  for (const entry of entries.slice(1)) {
    if (`${list}, ${entry}`.length > LONGEST_LIST) return `${list}, …`;
    list += `, ${entry}`;
  }
  return list;
}
