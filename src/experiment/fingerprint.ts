import type { BaseModel } from "../model/base-model.ts";
import { sha256 } from "../tensor/sha256.ts";

/** sha256 of the base's weights and architecture. */
export function modelFingerprint({ model }: { readonly model: BaseModel }): Promise<string> {
  return hashOf([model.weights.fingerprint, model.modelConfig]);
}

/** sha256 of a JSON value, whatever the order of its keys. */
export function hashOf(value: unknown): Promise<string> {
  const sorted = (_key: string, item: unknown): unknown =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item;
  return sha256(new TextEncoder().encode(JSON.stringify(value, sorted)));
}
