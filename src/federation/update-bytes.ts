import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { decodeGroups, encodeGroups } from "../store/codec.ts";
import type { Groups } from "../tensor/groups.ts";
import { toFloat32 } from "../tensor/params.ts";
import { headerByteLength } from "../tensor/safetensors.ts";
import type { PackedPlace, Stage } from "../updates/stage.ts";
import { headerBytes } from "../updates/packed.ts";
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

/** What `bytes` would be without stages: the adapter's tensors as float32 safetensors, and those of the algorithm's groups. */
export function plainBytes(update: Groups, { round, client }: PackedPlace): number {
  const plain = Object.fromEntries(Object.entries(update).map(([group, params]) => [group, toFloat32(params)]));
  return encodeGroups(plain, { kind: "update", round: String(round), client }).length;
}

/** Bytes of an update that are neither numbers nor scales. */
export function updateHeader(bytes: Uint8Array, stages: readonly Stage[], place: PackedPlace): number {
  return stages.at(-1)?.codec === undefined ? headerByteLength(bytes, "the update") : headerBytes(place);
}
