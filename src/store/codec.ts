import type { Groups } from "../tensor/groups.ts";
import type { Tensor } from "../tensor/params.ts";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";

/**
 * Updates, broadcasts, server state and client memory as safetensors bytes; a tensor is named `group/name`. The same
 * groups and metadata give the same bytes. An empty group is not kept.
 */
export function encodeGroups(groups: Groups, metadata: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const tensors = Object.entries(groups).flatMap(([group, params]) =>
    Array.from(params, ([name, tensor]) => [`${group}/${name}`, tensor] as const),
  );
  return encodeSafetensors(new Map(tensors), metadata);
}

/** Throws a `UserError` of kind `model` that names `where` for bytes that are not safetensors. */
export function decodeGroups(bytes: Uint8Array, where: string): Groups {
  // No prototype: a foreign update may call a group `constructor`.
  const groups = Object.create(null) as Record<string, Map<string, Tensor>>;
  for (const [name, tensor] of decodeSafetensors(bytes, where)) {
    const slash = name.indexOf("/");
    (groups[name.slice(0, Math.max(0, slash))] ??= new Map()).set(name.slice(slash + 1), tensor);
  }
  return groups;
}

/** JSON in UTF-8. Equal values written by the same code give the same bytes, for keys keep their order. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

export function decodeJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
