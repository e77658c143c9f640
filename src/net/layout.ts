import { UserError } from "../diagnostics/user-error.ts";

/** Bytes of a blob's chunk: below every server's default payload, and enough for a fast line. */
export const CHUNK_BYTES: number = 512 * 1024;

/** Time for one answer, milliseconds. */
export const ANSWER_MS: number = 30_000;

/** The same where there may be nobody to answer, milliseconds. */
export const ANYBODY_MS: number = 5000;

export const STREAMS = { cells: "FL_CELLS", blobs: "FL_BLOBS", head: "FL_HEAD" } as const;

/** The server's error code for a stream that is not there. */
export const NO_STREAM = 10059;

/** The stream of a member's cells. @param account the public key of its account. */
export function uplinkStream(account: string): string {
  return `UP_${account}`;
}

/** The stream of a member's blobs: the server frees a file once all in it is deleted, and cells are never deleted. */
export function uplinkBlobs(account: string): string {
  return `UB_${account}`;
}

/** Where the subjects of one run begin, without the last dot: the coordinator's, a member's, and a member's local names. */
export function coordinatorRun(run: string): string {
  return `fl.all.r.${checkRun(run)}`;
}

export function uplinkRun(account: string, run: string): string {
  return `fl.u.${account}.r.${checkRun(run)}`;
}

export function localRun(service: "up" | "get.own" | "get.cells" | "get.blobs" | "get.head", run: string): string {
  return `${service}.r.${checkRun(run)}`;
}

/** The subject of a cell under the subject of its run. */
export function cellSubject(runSubject: string, key: string): string {
  return `${runSubject}.c.${key.replaceAll("/", ".")}`;
}

/** The key of a cell's subject under the subject of its run. */
export function cellKey(runSubject: string, subject: string): string {
  return subject.slice(runSubject.length + 3).replaceAll(".", "/");
}

/** The subject of a part of a blob: a chunk, counted from 0, or the count of bytes as text. The size is written last. */
export function blobSubject(runSubject: string, hash: string, part: number | "size"): string {
  return `${runSubject}.b.${hash}.${part}`;
}

export function headSubject(runSubject: string): string {
  return `${runSubject}.head`;
}

export function leadSubject(run: string): string {
  return `fl.s.${checkRun(run)}.lead`;
}

/** The subject of the coordinator's hints, and a member's local name for it. */
export function hintSubject(run: string): string {
  return `fl.eall.${checkRun(run)}`;
}

export function localHintSubject(run: string): string {
  return `ev.${checkRun(run)}`;
}

function checkRun(run: string): string {
  if (/^[\w-]{1,64}$/.test(run)) return run;
  throw new UserError("config", `"${run}" is not the name of a run: expected 1 to 64 letters, digits, - or _`);
}
