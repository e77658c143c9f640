import { kto } from "./kto.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import { orpo } from "./orpo.ts";
import { dpo, hinge, ipo, simpo } from "./pair-objectives.ts";
import { sft } from "./sft.ts";

export type ObjectiveName = "sft" | "dpo" | "ipo" | "hinge" | "kto" | "orpo" | "simpo";

/** Every objective, by the name a configuration gives it. */
export const OBJECTIVES: { readonly [K in ObjectiveName]: (settings: ObjectiveSettings) => Objective } = {
  sft: () => sft,
  dpo,
  ipo,
  hinge,
  kto,
  orpo,
  simpo,
};
