import type { Algorithm, Received, Report, UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { type Params, pick, toFloat32, zerosLike } from "../tensor/params.ts";
import { UNSENT } from "../updates/error-feedback.ts";
import type { Stage } from "../updates/stage.ts";
import { asChange, type EncodedUpdate, sentUpdate, type UpdateContext } from "../updates/wire.ts";
import { problemWith } from "./check-update.ts";
import { updateOfBytes } from "./update-bytes.ts";

/** The bytes of an update, and the groups that the coordinator reads of them where that differs from what was encoded. */
interface SealedUpdate {
  readonly bytes: Uint8Array;
  readonly sent: (() => Groups) | undefined;
}

/** Makes what is sent of the bytes of an update without masks. */
export function readBack(
  bytes: Uint8Array,
  groups: UpdateGroups,
  stages: readonly Stage[],
  context: UpdateContext,
): SealedUpdate {
  const differs = stages.some((stage) => stage.errorFeedback !== undefined);
  return { bytes, sent: differs ? () => updateOfBytes(bytes, groups, stages, context) : undefined };
}

/** The report of a client that learned nothing. */
export function unchanged(update: Groups, { adapter }: Received, memory: Groups): Report {
  const still = Object.entries(update).map(([name, group]) => [
    name,
    name === "adapter" ? pick(adapter, group) : zerosLike(group),
  ]);
  return { update: Object.fromEntries(still) as Groups, memory };
}

/** `report`, or `otherwise` where it has a number that is not finite. */
export function finiteOr(otherwise: Report, report: Report): Report {
  const problem = problemWith(report.update, report.update) ?? problemWith(report.memory, report.memory);
  return problem === undefined ? report : otherwise;
}

interface MemoryBefore {
  /** The memory that the algorithm reports. */
  readonly next: Groups;
  readonly received: Received;
  readonly kept: Groups;
  readonly unsent: Params | undefined;
}

/** The groups of memory that a client keeps of an update: those of its algorithm, and what it has not sent. */
export function memoryAfter(
  { algorithm, stages = [] }: { readonly algorithm: Algorithm; readonly stages?: readonly Stage[] | undefined },
  encoded: EncodedUpdate,
  wire: Groups | undefined,
  context: UpdateContext,
  { next, received, kept, unsent: before }: MemoryBefore,
): Groups {
  if (wire === undefined) return next;
  const groups = asChange(algorithm.update(received.adapter, received.round));
  const { unsent, ...sent } = sentUpdate(encoded, wire, groups, stages, context);
  return {
    ...next,
    ...algorithm.remembered?.(sent.groups, received, kept),
    // Tensors that this round did not send wait for one that does.
    ...(unsent !== undefined && { [UNSENT]: new Map([...(before ?? []), ...toFloat32(unsent)]) }),
  };
}
