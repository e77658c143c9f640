import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { DATA_FILE, parseDatasetRef } from "./dataset-ref.ts";
import type { FileReader } from "./file-reader.ts";
import { parseJson } from "./json.ts";
import type { LearnFrom } from "./record.ts";
import type { FieldMap, FieldName } from "./record-fields.ts";
import { isRow, typeName, type Row, type SourcedRow } from "./row.ts";
import { decodeText } from "./text.ts";

/** LLaMA-Factory's `dataset_info.json`: datasets by name, and how each is read. */
export interface DatasetInfo {
  readonly file: string;
  readonly entries: Row;
}

/** Where the records of an entry lie, and what their columns mean. */
export interface InfoSource {
  /** Files, or one dataset of the Hub. */
  readonly paths: readonly string[];
  /** What its records are for. */
  readonly learnFrom: LearnFrom;
  /** Takes so many of the records. */
  readonly samples: number | undefined;
  /** Checks the rows of a file, and writes their turns as they are written elsewhere. */
  readonly prepare: (rows: readonly SourcedRow[]) => PreparedRows;
}

export interface PreparedRows {
  readonly rows: readonly SourcedRow[];
  readonly fields: FieldMap;
}

/** The file's usual name. */
export const DATASET_INFO = "dataset_info.json";

/** Keys that say where the records lie; the first that an entry has counts, and the Hub before all. */
const PLACES = ["hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name", "file_name"] as const;
const KEYS = [
  ...PLACES,
  "formatting",
  "ranking",
  "columns",
  "tags",
  "subset",
  "split",
  "folder",
  "revision",
  "num_samples",
];
const FORMATTINGS = ["alpaca", "sharegpt", "openai"] as const;
/** The part of a record that each column is. */
const PARTS: Readonly<Record<string, FieldName>> = {
  prompt: "instruction",
  query: "input",
  response: "response",
  history: "history",
  messages: "messages",
  system: "system",
  tools: "tools",
  chosen: "chosen",
  rejected: "rejected",
  kto_tag: "label",
};
const MEDIA = ["images", "videos", "audios"];
/** The role that each tag names. */
const ROLE_TAGS: Readonly<Record<string, string>> = {
  user_tag: "user",
  assistant_tag: "assistant",
  observation_tag: "observation",
  function_tag: "function_call",
  system_tag: "system",
};
const TAGS = ["role_tag", "content_tag", ...Object.keys(ROLE_TAGS)];

/** Reads a `dataset_info.json`. @throws UserError("data") for a file that is not one. */
export async function readDatasetInfo(reader: FileReader, file: string): Promise<DatasetInfo> {
  const entries = parseJson(decodeText(await reader.read(file), file), file);
  if (isRow(entries) && Object.values(entries).every(isRow)) return { file, entries };
  const wrong = isRow(entries) ? Object.entries(entries).find(([, entry]) => !isRow(entry)) : undefined;
  throw new UserError(
    "data",
    wrong === undefined
      ? `${file}: ${typeName(entries)}, expected an object of datasets by name`
      : `${file}: "${wrong[0]}" is ${typeName(wrong[1])}, expected a dataset's description`,
    { hint: 'data.info takes LLaMA-Factory\'s dataset_info.json: {"mine": {"file_name": "mine.json"}}.' },
  );
}

/**
 * Finds the records that a name stands for. Undefined for a file, or a dataset of the Hub, that is no entry.
 *
 * @throws UserError("data") for another name, and for an entry that says what cannot be done here.
 */
export async function infoSource(reader: FileReader, info: DatasetInfo, name: string): Promise<InfoSource | undefined> {
  if (!Object.hasOwn(info.entries, name)) {
    if (DATA_FILE.test(name) || parseDatasetRef(name) !== undefined) return undefined;
    const names = Object.keys(info.entries);
    const near = nearest(name, names);
    throw new UserError("data", `${info.file} has no dataset "${name}"`, {
      hint:
        near === undefined
          ? `It has ${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}.`
          : `Did you mean ${near}?`,
    });
  }
  const entry = new Entry(info, name);
  return {
    paths: await entry.paths(reader),
    learnFrom: entry.learnFrom(),
    samples: entry.samples(),
    prepare: entry.preparation(),
  };
}

class Entry {
  readonly #info: DatasetInfo;
  readonly #name: string;
  readonly #entry: Row;

  constructor(info: DatasetInfo, name: string) {
    this.#info = info;
    this.#name = name;
    this.#entry = info.entries[name] as Row;
    this.#refuseUnknown("", this.#entry, KEYS);
    this.#refuseUnknown("columns.", this.#section("columns"), [...Object.keys(PARTS), ...MEDIA]);
    this.#refuseUnknown("tags.", this.#section("tags"), TAGS);
  }

  async paths(reader: FileReader): Promise<readonly string[]> {
    const place = PLACES.find((key) => isGiven(this.#entry[key]));
    if (place === undefined) throw this.#fault("has no file_name and no hf_hub_url", "Add one of them.");
    if (place === "hf_hub_url") return [this.#hubRef()];
    if (place !== "file_name") {
      const why = place === "script_url" ? "programs are not run" : "that place is not read";
      throw this.#fault(
        `is at ${place}: ${why}`,
        "Give file_name, or hf_hub_url for a dataset of the Hugging Face Hub.",
      );
    }
    const name = this.#text(place)!;
    for (const key of ["subset", "folder", "revision"]) {
      if (isGiven(this.#entry[key])) throw this.#fault(`has ${key}, which only a dataset of the Hub has`, "Remove it.");
    }
    const split = this.#text("split") ?? "train";
    if (split !== "train") throw this.#fault(`has the split ${split} of a file`, "A file has no splits: remove it.");
    const folder = this.#info.file.replace(/[^/\\]*$/, "");
    const path = /^([/\\]|[A-Za-z]:)/.test(name) ? name : folder + name;
    if (/\.[A-Za-z]\w*$/.test(name) || reader.list === undefined) return [path];
    const files = (await reader.list(path))
      .filter((file) => DATA_FILE.test(file.name))
      .map((file) => `${path}/${file.name}`);
    if (files.length > 0) return files;
    throw this.#fault(`names ${path}, which holds no file of records`, "Name a file, or a folder with some.");
  }

  learnFrom(): LearnFrom {
    if (this.#isRanking()) return "preferences";
    return isGiven(this.#section("columns")?.["kto_tag"]) ? "ratings" : "answers";
  }

  samples(): number | undefined {
    const samples = this.#entry["num_samples"];
    if (!isGiven(samples)) return undefined;
    if (Number.isSafeInteger(samples) && (samples as number) > 0) return samples as number;
    throw this.#fault(`has num_samples ${JSON.stringify(samples)}`, "Give a whole number, 1 or more.");
  }

  preparation(): InfoSource["prepare"] {
    const formatting = this.#text("formatting") ?? "alpaca";
    if (!FORMATTINGS.some((each) => each === formatting)) {
      const near = nearest(formatting, FORMATTINGS);
      const message = `has formatting "${formatting}", expected ${FORMATTINGS.join(", ")}`;
      throw this.#fault(message, near === undefined ? "Write the records in one of them." : `Did you mean ${near}?`);
    }
    const columns = this.#columns(formatting === "alpaca");
    const isRanking = this.#isRanking();
    if (isRanking && !("chosen" in columns && "rejected" in columns)) {
      throw this.#fault("is ranking, but columns has no chosen and rejected", "Name both columns.");
    }
    const tags = formatting === "alpaca" ? {} : (this.#section("tags") ?? {});
    const named = this.#section("columns");
    return (rows) => {
      if (named !== undefined) this.#checkColumns(rows, columns);
      const has = (column: string): boolean => rows.some(({ fields }) => Object.hasOwn(fields, column));
      // Without columns, the usual ones count where they are there.
      const fields = fieldsOf(named === undefined && !has("input") ? { ...columns, query: false } : columns, isRanking);
      const turned = ["messages", "chosen", "rejected"].flatMap((key) => columns[key] ?? []);
      return {
        rows: Object.keys(tags).length === 0 ? rows : rows.map((row) => withRoles(row, turned, tags)),
        fields,
      };
    };
  }

  /** Columns that count, by LLaMA-Factory's names for them. */
  #columns(isAlpaca: boolean): Record<string, string> {
    const named = this.#section("columns");
    for (const key of MEDIA) {
      if (isGiven(named?.[key]))
        throw this.#fault(`has columns.${key}: only text is learnt here`, "Take another dataset.");
    }
    if (named === undefined) {
      return isAlpaca ? { prompt: "instruction", query: "input", response: "output" } : { messages: this.#turns() };
    }
    const columns = Object.fromEntries(
      Object.entries(named).flatMap(([key, column]) => {
        if (!isGiven(column)) return [];
        if (typeof column === "string") return [[key, column]];
        throw this.#fault(`has columns.${key} ${typeName(column)}, expected the name of a column`, "Write it as text.");
      }),
    );
    const [needed, other] = isAlpaca ? ["prompt", "messages"] : ["messages", "prompt"];
    if (columns[needed] === undefined) {
      const formatting = isAlpaca ? "alpaca" : "sharegpt";
      const hint =
        columns[other] === undefined
          ? `Name the column of ${needed}.`
          : `Is its formatting ${isAlpaca ? "sharegpt" : "alpaca"}?`;
      throw this.#fault(`has formatting ${formatting}, but columns has no ${needed}`, hint);
    }
    return columns;
  }

  #turns(): string {
    return this.#entry["formatting"] === "openai" ? "messages" : "conversations";
  }

  #hubRef(): string {
    const [url, subset, folder] = [this.#text("hf_hub_url")!, this.#text("subset"), this.#text("folder")];
    if (subset !== undefined && folder !== undefined) {
      throw this.#fault("has both subset and folder", "Keep the one that the repository has.");
    }
    const query = new URLSearchParams();
    const config = subset ?? folder;
    if (config !== undefined) query.set("config", config);
    const split = this.#text("split");
    if (split !== undefined) query.set("split", split);
    const revision = this.#text("revision");
    return `hf:${url}${revision === undefined ? "" : `@${revision}`}${query.size === 0 ? "" : `?${query}`}`;
  }

  #isRanking(): boolean {
    const { ranking = false } = this.#entry;
    if (typeof ranking === "boolean") return ranking;
    throw this.#fault(`has ranking ${JSON.stringify(ranking)}`, "Write true or false.");
  }

  #checkColumns(rows: readonly SourcedRow[], columns: Readonly<Record<string, string>>): void {
    if (rows.length === 0) return;
    const there = new Set(rows.flatMap(({ fields }) => Object.keys(fields)));
    for (const [key, column] of Object.entries(columns)) {
      if (there.has(column)) continue;
      const near = nearest(column, there);
      throw this.#fault(
        `has columns.${key} "${column}", a column that ${rows[0]!.source.file} lacks`,
        near === undefined
          ? `Its columns are ${[...there].slice(0, 10).join(", ")}.`
          : `The nearest column is "${near}".`,
      );
    }
  }

  #text(key: string): string | undefined {
    const value = this.#entry[key];
    if (!isGiven(value)) return undefined;
    if (typeof value === "string") return value;
    throw this.#fault(`has ${key} ${typeName(value)}`, "Write it as text.");
  }

  #section(key: "columns" | "tags"): Readonly<Record<string, unknown>> | undefined {
    const value = this.#entry[key];
    if (!isGiven(value)) return undefined;
    if (isRow(value)) return value;
    throw this.#fault(`has ${key} ${typeName(value)}, expected an object`, `For example: {"${key}": {}}`);
  }

  #refuseUnknown(before: string, section: Row | undefined, legal: readonly string[]): void {
    const unknown = Object.keys(section ?? {}).find((key) => !legal.includes(key));
    if (unknown === undefined) return;
    const near = nearest(unknown, legal);
    const message = `has ${before}${unknown}, which is not known`;
    throw this.#fault(
      message,
      near === undefined ? `Known are ${legal.join(", ")}.` : `Did you mean ${before}${near}?`,
    );
  }

  #fault(problem: string, hint: string): UserError {
    return new UserError("data", `${this.#info.file}: the dataset "${this.#name}" ${problem}`, { hint });
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The parts of a record. What an entry does not name counts for nothing, whatever columns there are. */
function fieldsOf(columns: Readonly<Record<string, string | false>>, isRanking: boolean): FieldMap {
  const answers = ["messages", "response", "chosen", "rejected"].some((key) => typeof columns[key] === "string");
  // A prompt alone is a text to learn whole.
  if (!answers) return { text: columns["prompt"]!, messages: false, instruction: false, prompt: false };
  const parts = Object.entries(PARTS).map(([key, part]) => [part, columns[key] ?? false]);
  return {
    ...Object.fromEntries(parts),
    prompt: false,
    completion: false,
    ...(isRanking ? { response: false } : { chosen: false, rejected: false }),
  };
}

/** Writes the turns of a row as ShareGPT or OpenAI writes them. */
function withRoles(row: SourcedRow, columns: readonly string[], tags: Row): SourcedRow {
  const { role_tag: role = "from", content_tag: content = "value" } = tags as Readonly<Record<string, string>>;
  const roles = new Map(
    Object.entries(ROLE_TAGS).flatMap(([tag, name]) => (isGiven(tags[tag]) ? [[tags[tag], name]] : [])),
  );
  const turn = (given: unknown): unknown => {
    if (!isRow(given)) return given;
    const { [role]: who, [content]: said, ...others } = given;
    const named = roles.get(who) ?? who;
    return role === "role" ? { ...others, role: named, content: said } : { ...others, from: named, value: said };
  };
  const turned = columns.map((column) => {
    const value = row.fields[column];
    return [column, Array.isArray(value) ? value.map(turn) : turn(value)];
  });
  return { ...row, fields: { ...row.fields, ...Object.fromEntries(turned) } };
}
