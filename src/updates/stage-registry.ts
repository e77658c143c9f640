import { build, type Registry } from "../registry/declared.ts";
import { clip } from "./clip.ts";
import type { Stage } from "./stage.ts";

/** The stages of an update's way, by the name a person writes. */
export const STAGES = { clip } satisfies Registry<[], Stage>;

export type StageName = keyof typeof STAGES;

/** The stages of `federation.stages`, in the order in which a client applies them. */
export function stagesOf(entries: readonly { readonly name: StageName }[] = []): Stage[] {
  return entries.map((entry) => build<[], Stage>(STAGES[entry.name], entry));
}
