import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { DATASETS, type NamedDataset } from "./datasets.ts";

/** A dataset of the Hub, as a configuration names it. */
export interface DatasetRef {
  /** The reference as it was written. */
  readonly text: string;
  /** `org/name` on the Hub. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly revision: string | undefined;
  /** Undefined: the repository's default. */
  readonly config: string | undefined;
  readonly split: string;
  /** The preparation of its rows, where it is given by its bare name. */
  readonly named: NamedDataset | undefined;
  /** The name that its records are called by: the repository, and the parts that are not the default; never the revision. */
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
 * Parses `name[@revision][?config=…&split=…]`. The name is one of `DATASETS`, or `hf:org/name` for any dataset of the Hub.
 * Returns undefined for anything else, which is a path.
 *
 * @throws UserError("data") for a reference with a bad name, revision or parameter.
 */
export function parseDatasetRef(text: string): DatasetRef | undefined {
  const { prefix, id = "", revision, query } = SHAPE.exec(text)?.groups ?? {};
  const named = Object.hasOwn(DATASETS, id) ? DATASETS[id] : undefined;
  if (prefix === undefined && named === undefined) return undefined;
  if (!ID.test(id)) {
    throw new UserError("data", `${text}: expected the name of a dataset after hf:, got ${JSON.stringify(id)}`, {
      hint: "For example: hf:openai/gsm8k@main?config=main&split=train",
    });
  }
  if (revision === "") {
    throw new UserError("data", `${text}: expected a revision after the @`, {
      hint: "Name a branch, a tag or a commit.",
    });
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
      throw new UserError("data", `${text}: unknown parameter '${key}', expected ${KEYS.join(" or ")}`, {
        hint: near === undefined ? "For example: ?config=main&split=train" : `Did you mean ${near}?`,
      });
    }
    if (value === "" || Object.hasOwn(given, key)) {
      throw new UserError("data", `${text}: expected one value for ${key}`, { hint: `For example: ?${key}=train` });
    }
    given[key] = value;
  }
  return given;
}

/** Makes one label for all references to the same rows, so that a held-out record that is trained on is recognised. */
function labelOf({ repository, config, split }: Pick<DatasetRef, "repository" | "config" | "split">): string {
  const known = Object.values(DATASETS).find(({ hub }) => hub === repository);
  const said = new URLSearchParams();
  if (config !== undefined && config !== known?.config) said.set("config", config);
  if (split !== (known?.split ?? DEFAULT_SPLIT)) said.set("split", split);
  return said.size === 0 ? repository : `${repository}?${said}`;
}

/** The hint for an entry that looks like a dataset, but is none of `DATASETS`; undefined for one that does not look so. */
export function datasetHint(text: string): string | undefined {
  const id = text.replace(/[@?].*$/, "");
  if (!OWNED.test(id) || DATA_FILE.test(id)) return undefined;
  const near = nearest(id, Object.keys(DATASETS));
  return `${near === undefined ? "" : `Did you mean ${near}? `}For any dataset of the Hub, write hf:${text}.`;
}
