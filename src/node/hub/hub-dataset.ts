import { readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import type { DatasetRef } from "../../data/dataset-ref.ts";
import { DATASETS } from "../../data/datasets.ts";
import type { DatasetFile } from "../../data/file-reader.ts";
import { findConvertedFiles, findSplitFiles, nothingToRead, onlyProgram, programOf } from "../../data/split-files.ts";
import type { Snapshot } from "./hub-snapshot.ts";
import type { Hub } from "./hub.ts";
import { failureBehind, isUnknownRepository } from "./hub-errors.ts";

const README = "README.md";
/** The Hub's branch of converted files, for datasets that are programs or have formats of their own. */
const CONVERTED = "refs/convert/parquet";

export interface FetchedDataset {
  readonly commit: string;
  readonly folder: string;
  readonly files: readonly DatasetFile[];
}

/** Finds the files of a dataset's split and brings them into the cache. @throws UserError("data"). */
export async function fetchDataset(hub: Hub, ref: DatasetRef): Promise<FetchedDataset> {
  let snapshot: Snapshot;
  try {
    snapshot = await hub.snapshot("dataset", ref.repository, ref.revision);
    const readme = snapshot.files.includes(README)
      ? await readFile(path.join(await snapshot.fetch([README], { more: true }), README), "utf8")
      : undefined;
    const files = findSplitFiles(snapshot.files, readme, ref);
    if (files !== undefined) return await fetched(snapshot, files);
  } catch (error) {
    throw withReplacement(error, ref);
  }
  const program = programOf(snapshot.files, ref);
  const unread = program === undefined ? nothingToRead(ref) : onlyProgram(ref, program);
  // The converted branch follows `main`, and no other revision.
  if (ref.revision !== undefined) throw unread;
  const converted = await hub.snapshot("dataset", ref.repository, CONVERTED).catch((error: unknown) => {
    throw failureBehind(error)?.code === "RevisionNotFound" ? unread : error;
  });
  const found = await fetched(converted, findConvertedFiles(converted.files, ref));
  // Without the Hub, this snapshot is needed first too.
  await snapshot.fetch([]);
  return found;
}

async function fetched(snapshot: Snapshot, files: readonly string[]): Promise<FetchedDataset> {
  const folder = await snapshot.fetch(files);
  return {
    commit: snapshot.commit,
    folder,
    files: files.map((name) => ({ name, path: path.join(folder, ...name.split("/")) })),
  };
}

/** Adds a hint to the error about a dataset of the original that is gone: another one with the same rows. */
function withReplacement(error: unknown, { repository }: DatasetRef): unknown {
  const { instead } = Object.values(DATASETS).find(({ hub }) => hub === repository) ?? {};
  if (instead === undefined || !isUnknownRepository(failureBehind(error))) return error;
  const { kind, message } = error as UserError;
  return new UserError(kind, message, {
    hint: `It was removed from the Hub; ${instead} holds the same records.`,
    cause: error,
  });
}
