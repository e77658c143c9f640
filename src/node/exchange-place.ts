import { realpath } from "node:fs/promises";
import path from "node:path";
import { isAccepted, restoreRun } from "../federation/restore.ts";
import { type MirroredStore, mirroredStore } from "../store/mirrored-store.ts";
import type { Store } from "../store/store.ts";
import { directoryStore } from "./store/directory-store.ts";

/**
 * The coordinator's exchange in `place`. Where that is outside the run folder, the run folder keeps the record of the run,
 * an exchange that was lost is restored from it, and the exchange has only what the next round needs.
 *
 * `settled` waits until the record has everything.
 *
 * @param record the store in `recordFolder`, a part of the run folder.
 */
export async function exchangeIn(
  place: string,
  record: Store,
  recordFolder: string,
): Promise<Store & Pick<MirroredStore, "settled">> {
  if ((await realPlace(place)) === (await realPlace(recordFolder))) return { ...record, settled: async () => {} };
  const exchange = directoryStore(place);
  await restoreRun(exchange, record);
  return mirroredStore(exchange, record, (hash, owner) => isAccepted(record, hash, owner));
}

/** A link may lead from one to the other, and deleting in one would delete in both. */
function realPlace(folder: string): Promise<string> {
  return realpath(folder).catch(() => path.resolve(folder));
}
