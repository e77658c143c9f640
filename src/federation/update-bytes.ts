import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { decodeGroups, encodeGroups } from "../store/codec.ts";
import type { Groups } from "../tensor/groups.ts";
import type { PackedPlace, Stage } from "../updates/stage.ts";
import { packed, type UpdateContext, unpacked, wireShape } from "../updates/wire.ts";

/** The bytes of an update: packed by the codec among its stages, else safetensors. */
export function bytesOfUpdate(
  groups: Groups,
  stages: readonly Stage[],
  context: UpdateContext,
): Uint8Array<ArrayBuffer> {
  const { round, client } = context;
  return packed(groups, stages, context) ?? encodeGroups(groups, { kind: "update", round: String(round), client });
}

/**
 * Reads the groups of an update from its bytes. Packed ones have the shape that `groups` and the stages imply; safetensors say
 * their own shape, which is to be checked.
 *
 * @throws UserError of kind `model` for bytes that are no update of this place.
 */
export function updateOfBytes(
  bytes: Uint8Array,
  groups: UpdateGroups,
  stages: readonly Stage[],
  place: PackedPlace,
): Groups {
  return unpacked(bytes, stages, wireShape(groups, stages), place) ?? decodeGroups(bytes, "the update");
}
