import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { DATASETS, type NamedDataset } from "./datasets.ts";

/** A dataset of the Hub, as a configuration names it. */
export interface DatasetRef {
  /** As it was written. */
  readonly text: string;
  /** `org/name` on the Hub. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string | undefined;
  /** Undefined: the repository's default. */
  readonly config: string | undefined;
  readonly split: string;
  /** How its rows are prepared, where it is given by its bare name. */
  readonly named: NamedDataset | undefined;
  /** What its records are called by: the repository, and what differs from the default. Says nothing of the revision. */
  readonly label: string;
}

const SHAPE = /^(?<prefix>hf:)?(?<id>[^@?]*)(?:@(?<revision>[^?]*))?(?:\?(?<query>.*))?$/;
const PART = String.raw`[A-Za-z0-9_](?:[\w.-]*\w)?`;
const ID = new RegExp(`^${PART}(/${PART})?$`);
const OWNED = new RegExp(`^${PART}/${PART}$`);
/** A file that holds records, by its ending. */
export const DATA_FILE: RegExp = /\.(parquet|jsonl|ndjson|json|csv|tsv)(\.gz)?$/i;
const KEYS = ["config", "split"];
const DEFAULT_SPLIT = "train";

/**
 * Reads `name[@revision][?config=…&split=…]`, where the name is one of `DATASETS`, or `hf:org/name` for any dataset of the
 * Hub. Undefined for anything else: a path.
 *
 * @throws UserError("data") for a reference that is one, but says something that is none.
 */
export function parseDatasetRef(text: string): DatasetRef | undefined {
  const { prefix, id = "", revision, query } = SHAPE.exec(text)?.groups ?? {};
  const named = Object.hasOwn(DATASETS, id) ? DATASETS[id] : undefined;
  if (prefix === undefined && named === undefined) return undefined;
  if (!ID.test(id)) {
    throw new UserError("data", `${text}: after hf: comes the name of a dataset, and ${JSON.stringify(id)} is none`, {
      hint: "For example: hf:openai/gsm8k@main?config=main&split=train",
    });
  }
  if (revision === "") {
    throw new UserError("data", `${text}: no revision after the @`, { hint: "Name a branch, a tag or a commit." });
  }
  const { config, split } = parameters(text, query ?? "");
  const defaults = prefix === undefined ? named : undefined;
  const repository = defaults?.hub ?? id;
  const ref = {
    text,
    repository,
    revision,
    config: config ?? defaults?.config,
    split: split ?? defaults?.split ?? DEFAULT_SPLIT,
    named: defaults,
  };
  return { ...ref, label: labelOf(ref) };
}

function parameters(text: string, query: string): Partial<Record<"config" | "split", string>> {
  const given: Record<string, string> = {};
  for (const [key, value] of new URLSearchParams(query)) {
    if (!KEYS.includes(key)) {
      const near = nearest(key, KEYS);
      throw new UserError(
        "data",
        `${text}: '${key}' is nothing a dataset is asked for, expected ${KEYS.join(" or ")}`,
        {
          hint: near === undefined ? "For example: ?config=main&split=train" : `Did you mean ${near}?`,
        },
      );
    }
    if (value === "" || Object.hasOwn(given, key)) {
      throw new UserError("data", `${text}: expected one ${key}`, { hint: `For example: ?${key}=train` });
    }
    given[key] = value;
  }
  return given;
}

/** The same for every way of writing what is the same, so that records trained on are known when they are held out. */
function labelOf({ repository, config, split }: Pick<DatasetRef, "repository" | "config" | "split">): string {
  const known = Object.values(DATASETS).find(({ hub }) => hub === repository);
  const said = new URLSearchParams();
  if (config !== undefined && config !== known?.config) said.set("config", config);
  if (split !== (known?.split ?? DEFAULT_SPLIT)) said.set("split", split);
  return said.size === 0 ? repository : `${repository}?${said}`;
}

/** Of an entry that is neither a data file by its ending nor a dataset: what to write, if it looks like a dataset. */
export function datasetHint(text: string): string | undefined {
  const id = text.replace(/[@?].*$/, "");
  if (!OWNED.test(id) || DATA_FILE.test(id)) return undefined;
  const near = nearest(id, Object.keys(DATASETS));
  return `${near === undefined ? "" : `Did you mean ${near}? `}For any dataset of the Hub write hf:${text}.`;
}
