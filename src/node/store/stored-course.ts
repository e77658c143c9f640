import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import type { StoredResult } from "../../evaluation/results.ts";
import type { RunEvent } from "../../federation/events.ts";
import { keys } from "../../federation/protocol/keys.ts";
import { keySegment } from "../../store/store.ts";
import { CourseFold, type RunCourse } from "../../study/run-course.ts";
import { storageError } from "./durable-file.ts";
import { readResults } from "./evaluation-folder.ts";

/** Steps are by far the most lines of a log, and the course needs none. */
const STEP = '{"type":"client-step"';

/**
 * Reads the course of a run from `events.jsonl` of its folder; empty where the file is missing. Lines that are not JSON are left
 * out: a run that was killed may leave half a line.
 *
 * @throws UserError of kind `storage` where the file cannot be read.
 */
export async function readCourse(folder: string): Promise<RunCourse> {
  const fold = new CourseFold();
  const file = path.join(folder, "events.jsonl");
  if (!existsSync(file)) return fold.course();
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.startsWith(STEP)) continue;
      const event = eventOf(line);
      if (event !== undefined) fold.apply(event);
    }
  } catch (error) {
    throw storageError(file, "read", error);
  }
  return fold.course();
}

function eventOf(line: string): RunEvent | undefined {
  try {
    return JSON.parse(line) as RunEvent;
  } catch {
    return undefined;
  }
}

/** A benchmark's result after a round of a run, with intervals. */
export interface RoundResult {
  readonly round: number;
  /** The client whose own adapter was asked. */
  readonly client: string | undefined;
  readonly stored: StoredResult;
}

/** Reads the results of benchmarks that a run folder holds, for the rounds and clients that are named. */
export async function readRoundResults(
  folder: string,
  rounds: readonly number[],
  clients: readonly string[],
): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  const names = new Map(clients.map((client) => [keySegment(client), client]));
  for (const round of rounds) {
    const place = path.join(folder, "benchmarks", keys.round(round));
    if (!existsSync(place) || (await readdir(place)).length === 0) continue;
    for (const stored of await readResults(place)) results.push({ round, client: names.get(stored.model), stored });
  }
  return results;
}
