import { build, type Registry } from "../registry/declared.ts";
import { clip } from "./clip.ts";
import { int4 } from "./int4.ts";
import { int8 } from "./int8.ts";
import { randomk } from "./randomk.ts";
import type { Stage } from "./stage.ts";
import { ternary } from "./ternary.ts";
import { topk } from "./topk.ts";

/** The stages that make an update smaller, by their names in a configuration. */
export const CODECS = { int8, int4, ternary, topk, randomk } satisfies Registry<[], Stage>;

/** The stages that an update can go through, by their names in a configuration. */
export const STAGES = { clip, ...CODECS } satisfies Registry<[], Stage>;

export type StageName = keyof typeof STAGES;

/** Makes the stages of `federation.stages`, in the order in which a client applies them. */
export function stagesOf(entries: readonly { readonly name: StageName }[] = []): Stage[] {
  return entries.map((entry) => build<[], Stage>(STAGES[entry.name], entry));
}

/**
 * Makes the codec of `federation.downlink`. What it loses is in the next difference, so it rounds to nearest as one with error
 * feedback does.
 */
export function downlinkOf(entry: { readonly name: keyof typeof CODECS } | undefined): Stage | undefined {
  return entry && build<[], Stage>(CODECS[entry.name], { ...entry, errorFeedback: true });
}
