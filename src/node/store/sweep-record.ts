import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { UserError } from "../../diagnostics/user-error.ts";
import type { StoredRun } from "../../study/stored-run.ts";
import type { Tuning } from "../../study/tuning.ts";
import { storageError, writeAtomically } from "./durable-file.ts";

/** A sweep as its folder records it, for comparisons that are made later. */
export interface SweepRecord {
  /** The runs to compare: their folders in the sweep's, and the names that the sweep file gives them. */
  readonly runs: readonly { readonly folder: string; readonly name: string }[];
  readonly tuning?: Tuning | undefined;
}

const FILE = "sweep.json";

const recordSchema = z.object({
  runs: z.array(z.object({ folder: z.string(), name: z.string() })),
  tuning: z
    .object({
      metric: z.string(),
      over: z.enum(["common", "clients"]).optional(),
      methods: z.array(
        z.object({
          name: z.string(),
          trials: z.array(
            z.object({
              values: z.array(z.tuple([z.string(), z.unknown()])),
              // JSON has no NaN and writes null.
              value: z
                .number()
                .nullable()
                .transform((value) => value ?? Number.NaN)
                .optional(),
            }),
          ),
          chosen: z.number().optional(),
          atEdge: z.array(z.string()),
        }),
      ),
    })
    .optional(),
});

/** Writes the record of a sweep into its folder. @throws UserError of kind `storage`. */
export async function writeSweepRecord(folder: string, record: SweepRecord): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await writeAtomically(path.join(folder, FILE), `${JSON.stringify(record, undefined, 2)}\n`);
  } catch (error) {
    throw storageError(folder, "write", error);
  }
}

/** The record of the sweep that made all these runs; undefined if none did, or some are of elsewhere. */
export function sweepOf(runs: readonly Pick<StoredRun, "folder" | "name">[]): SweepRecord | undefined {
  const folders = new Set(runs.map(({ folder }) => path.dirname(path.resolve(folder))));
  const [folder, ...others] = folders;
  if (folder === undefined || others.length > 0) return undefined;
  const record = readSweepRecord(folder);
  const known = new Set(record?.runs.map((run) => run.folder));
  return runs.every(({ name }) => known.has(name)) ? record : undefined;
}

/** Reads the record of the sweep that made a folder; undefined if none did. @throws UserError of kind `storage` for a damaged one. */
function readSweepRecord(folder: string): SweepRecord | undefined {
  const file = path.join(folder, FILE);
  if (!existsSync(file)) return undefined;
  try {
    return recordSchema.parse(JSON.parse(readFileSync(file, "utf8"))) as SweepRecord;
  } catch (cause) {
    throw new UserError("storage", `${file} is damaged: it is not the record of a sweep`, {
      hint: "Run the sweep's command again to write it; finished runs stay as they are.",
      cause,
    });
  }
}
