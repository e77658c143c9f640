import { parse } from "yaml";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { DATA_FILE, type DatasetRef } from "./dataset-ref.ts";
import { isRow } from "./row.ts";

/** Files that describe a dataset and hold none of it. */
const ABOUT = new Set(["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "config.json", "state.json"]);
/** The usual names of a split's files and folders. */
const SPLIT_WORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};
/** The folders of the branch `refs/convert/parquet`: `<config>/<split>/0000.parquet`. */
const CONVERTED = /^([^/]+)\/([^/]+)\/\d+\.parquet$/;

/** The files of every split of one configuration. */
type Splits = Readonly<Record<string, readonly string[]>>;

/**
 * Finds the files of a dataset's split among the paths of its repository, as the library `datasets` does: by the YAML head
 * of the README, or else by the names of folders and files. Undefined where the repository has no data file that can be
 * read, and where a program reads its files: the Hub's conversion has what the program makes of them.
 *
 * @throws UserError("data") for a configuration or split that does not exist, and where several could be meant.
 */
export function findSplitFiles(
  paths: readonly string[],
  readme: string | undefined,
  ref: DatasetRef,
): readonly string[] | undefined {
  const data = paths.filter(isData);
  if (data.length === 0) return undefined;
  const configs = readmeConfigs(readme);
  if (configs.length > 0) return ofSplit(splitsOfConfig(choose(configs, ref), data, ref), ref);
  if (programOf(paths, ref) !== undefined) return undefined;
  if (ref.config === undefined) return ofSplit(splitsByName(data), ref);
  const folder = `${ref.config}/`;
  const inFolder = data.filter((path) => path.startsWith(folder));
  if (inFolder.length === 0) throw noConfig(ref, foldersOf(data));
  const splits = splitsByName(inFolder.map((path) => path.slice(folder.length)));
  return ofSplit(splits, ref).map((path) => folder + path);
}

/** Finds the files of a split on the branch `refs/convert/parquet`, where the Hub keeps its conversion of a dataset. */
export function findConvertedFiles(paths: readonly string[], ref: DatasetRef): readonly string[] {
  const configs: Record<string, Record<string, string[]>> = {};
  for (const path of paths.toSorted()) {
    const [, config, split] = CONVERTED.exec(path) ?? [];
    if (config === undefined || split === undefined) continue;
    ((configs[config] ??= {})[split] ??= []).push(path);
  }
  const list = Object.keys(configs).map((name) => ({ name, isDefault: name === "default" }));
  if (list.length === 0) throw nothingToRead(ref);
  const splits = configs[choose(list, ref).name]!;
  if (!Object.hasOwn(splits, ref.split) && Object.hasOwn(splits, `partial-${ref.split}`)) {
    throw new UserError("data", `the Hub has converted only a part of ${ref.repository}'s split ${ref.split}`, {
      hint: `Take that part with ?split=partial-${ref.split}, or give the dataset as files.`,
    });
  }
  return ofSplit(splits, ref);
}

/** Finds the program that was to read a repository's files: it is named as the repository. */
export function programOf(paths: readonly string[], { repository }: DatasetRef): string | undefined {
  const name = `${repository.split("/").at(-1)}.py`;
  return paths.find((path) => path === name);
}

/** The error about a dataset that is a program, where the Hub has no conversion of it. */
export function onlyProgram({ repository, revision }: DatasetRef, program: string): UserError {
  const [where, orElse] =
    revision === undefined
      ? ["the Hub has no conversion of it", ""]
      : [`the Hub converts no single revision (${revision})`, "Leave the revision out. Or d"];
  return new UserError("data", `${repository} is read by a program (${program}), which is not run, and ${where}`, {
    hint: `${orElse || "D"}ownload its files and name those that hold records.`,
  });
}

export function nothingToRead({ repository }: DatasetRef): UserError {
  return new UserError("data", `${repository} holds no data that can be read (parquet, jsonl, json, csv or tsv)`, {
    hint: "Download it in another way and convert it to one of these formats.",
  });
}

function isData(path: string): boolean {
  const parts = path.split("/");
  return DATA_FILE.test(path) && !ABOUT.has(parts.at(-1)!) && !parts.some((part) => /^(\.|__)/.test(part));
}

function foldersOf(paths: readonly string[]): string[] {
  return [...new Set(paths.filter((path) => path.includes("/")).map((path) => path.split("/")[0]!))];
}

interface Config {
  readonly name: string;
  readonly isDefault: boolean;
}

interface ReadmeConfig extends Config {
  /** Patterns by split. Where the split is undefined, the names of the files decide it. */
  readonly dataFiles: readonly { readonly split: string | undefined; readonly patterns: readonly string[] }[];
  readonly dataDir: string;
}

/** `configs:` of the YAML between the first two lines `---`. A head that cannot be read counts as empty. */
function readmeConfigs(readme: string | undefined): ReadmeConfig[] {
  const head = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---/.exec(readme ?? "")?.[1];
  if (head === undefined) return [];
  let meta: unknown;
  try {
    meta = parse(head, { logLevel: "silent" });
  } catch {
    return [];
  }
  const configs = isRow(meta) && Array.isArray(meta["configs"]) ? (meta["configs"] as unknown[]) : [];
  return configs.filter(isRow).map((config) => ({
    name: typeof config["config_name"] === "string" ? config["config_name"] : "default",
    isDefault: config["default"] === true,
    dataFiles: dataFilesOf(config["data_files"]),
    dataDir: typeof config["data_dir"] === "string" ? config["data_dir"].replace(/^\.?\/|\/$/g, "") : "",
  }));
}

function dataFilesOf(value: unknown): ReadmeConfig["dataFiles"] {
  const texts = (given: unknown): string[] => [given].flat().filter((item) => typeof item === "string");
  if (isRow(value)) {
    return Object.entries(value).map(([split, patterns]) => ({ split, patterns: texts(patterns) }));
  }
  const items = [value].flat().filter((item) => item !== undefined && item !== null);
  const splits = items.filter(isRow);
  if (splits.length === 0) return items.length === 0 ? [] : [{ split: undefined, patterns: texts(items) }];
  return splits.map((item) => ({
    split: typeof item["split"] === "string" ? item["split"] : "train",
    patterns: texts(item["path"]),
  }));
}

function choose<T extends Config>(configs: readonly T[], ref: DatasetRef): T {
  const names = configs.map(({ name }) => name);
  if (ref.config !== undefined) {
    const found = configs.find(({ name }) => name === ref.config);
    if (found === undefined) throw noConfig(ref, names);
    return found;
  }
  const found =
    configs.length === 1
      ? configs[0]
      : (configs.find(({ isDefault }) => isDefault) ?? configs.find(({ name }) => name === "default"));
  if (found !== undefined) return found;
  throw new UserError("data", `${ref.repository} has several configurations: ${list(names)}`, {
    hint: `Choose one: hf:${ref.repository}?config=${names[0]}`,
  });
}

function noConfig(ref: DatasetRef, names: readonly string[]): UserError {
  const near = nearest(ref.config!, names);
  return new UserError("data", `${ref.repository} has no configuration ${ref.config}`, {
    hint:
      near !== undefined
        ? `Did you mean ${near}?`
        : names.length === 0
          ? "It has one only: leave config out."
          : `It has ${list(names)}.`,
  });
}

function splitsOfConfig({ dataFiles, dataDir }: ReadmeConfig, data: readonly string[], ref: DatasetRef): Splits {
  const prefix = dataDir === "" ? "" : `${dataDir}/`;
  const matching = (patterns: readonly string[]): string[] => {
    const shapes = patterns.map((pattern) => globShape(prefix + pattern.replace(/^(\.\/)+/, "")));
    return data.filter((path) => shapes.some((shape) => shape.test(path)));
  };
  if (dataFiles.length === 0) {
    const inside = data.filter((path) => path.startsWith(prefix));
    if (inside.length === 0) throw nothingToRead(ref);
    return splitsByName(inside, prefix);
  }
  const [first] = dataFiles;
  if (dataFiles.length === 1 && first!.split === undefined) return { train: matching(first!.patterns) };
  return Object.fromEntries(dataFiles.map(({ split, patterns }) => [split ?? "train", matching(patterns)]));
}

/** Converts a shell pattern: `*` within a folder, `**` through folders, `?`, `[…]`, `{a,b}`. */
function globShape(pattern: string): RegExp {
  const source = pattern.replaceAll(/\*\*\/?|\*|\?|\[[^\]]+\]|\{[^}]*\}|[.+^$()|\\/{}[\]]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.length > 1 && token.startsWith("[")) return token.replace("[!", "[^").replaceAll("\\", "\\\\");
    if (token.length > 1) return `(?:${token.slice(1, -1).split(",").map(escapeShape).join("|")})`;
    return `\\${token}`;
  });
  return new RegExp(`^${source}$`);
}

function escapeShape(text: string): string {
  return text.replaceAll(/[.*+?^$()|\\/{}[\]]/g, String.raw`\$&`);
}

/**
 * Finds splits by names: `data/<split>-00000-of-00001.parquet`, `<split>-00000-of-…`, folders, then files with a split's
 * word in their names. Where no name tells a split, all files are `train`.
 */
function splitsByName(paths: readonly string[], prefix = ""): Splits {
  const data = oneFormat(paths);
  const inner = (path: string): string => path.slice(prefix.length);
  const sharded = group(data, (path) => /^(?:data\/)?([\w.]+)-\d{5}-of-\d{5}/.exec(inner(path))?.[1]);
  if (sharded !== undefined) return sharded;
  const byWord = (text: string): string | undefined =>
    Object.keys(SPLIT_WORDS).find((split) =>
      SPLIT_WORDS[split]!.some((word) => new RegExp(`(^|[-._ 0-9/])${word}([-._ 0-9/]|$)`, "i").test(text)),
    );
  const byFolder = group(data, (path) => byWord(inner(path).split("/").slice(0, -1).join("/")));
  if (byFolder !== undefined) return byFolder;
  // Any split may be asked for by the name of its file: `train_sft.jsonl`.
  const byFile = group(data, (path) => byWord(inner(path).split("/").at(-1)!));
  if (byFile !== undefined) return { ...named(data), ...byFile };
  return { ...named(data), train: data };
}

function named(data: readonly string[]): Splits {
  return Object.fromEntries(data.map((path) => [path.split("/").at(-1)!.replace(DATA_FILE, ""), [path]]));
}

/** Groups paths by the key that `keyOf` gives for them; undefined where it gives none. */
function group(paths: readonly string[], keyOf: (path: string) => string | undefined): Splits | undefined {
  const groups: Record<string, string[]> = {};
  for (const path of paths) {
    const key = keyOf(path);
    if (key !== undefined) (groups[key] ??= []).push(path);
  }
  return Object.keys(groups).length === 0 ? undefined : groups;
}

/** Takes the files of the most frequent format: a repository may hold its data in two. */
function oneFormat(paths: readonly string[]): string[] {
  const formatOf = (path: string): string => DATA_FILE.exec(path)![1]!.toLowerCase().replace("ndjson", "jsonl");
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(formatOf(path), (counts.get(formatOf(path)) ?? 0) + 1);
  const [most] = [...counts].toSorted(([a, m], [b, n]) => n - m || rank(a) - rank(b));
  return paths.filter((path) => formatOf(path) === most![0]).toSorted();
}

function rank(format: string): number {
  return ["parquet", "jsonl", "json", "csv", "tsv"].indexOf(format);
}

function ofSplit(splits: Splits, ref: DatasetRef): readonly string[] {
  const files = Object.hasOwn(splits, ref.split) ? splits[ref.split]!.toSorted() : [];
  if (files.length === 0) {
    const names = Object.keys(splits).filter((name) => splits[name]!.length > 0);
    const near = nearest(ref.split, names);
    throw new UserError("data", `${ref.repository} has no split ${ref.split}`, {
      hint: near === undefined ? `It has ${list(names)}.` : `Did you mean ${near}?`,
    });
  }
  checkShards(files, ref);
  return files;
}

/** Throws unless all files named `…-00002-of-00005` are there: a cache may hold only some. */
function checkShards(files: readonly string[], { repository }: DatasetRef): void {
  const shape = /^(.*)-\d{5}-of-(\d{5})/;
  const counts = new Map<string, number>();
  for (const file of files) {
    const [, name, total] = shape.exec(file) ?? [];
    if (name !== undefined) counts.set(`${name}-of-${total}`, (counts.get(`${name}-of-${total}`) ?? 0) + 1);
  }
  for (const [name, count] of counts) {
    const total = Number(name.slice(-5));
    if (count >= total) continue;
    throw new UserError("data", `${repository}: only ${count} of the ${total} files ${name.slice(0, -9)}-… are there`, {
      hint: "Download it again while the Hub can be reached.",
    });
  }
}

function list(names: readonly string[]): string {
  return `${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}`;
}
