import { build, type Registry } from "../registry/declared.ts";
import { dpo } from "./dpo.ts";
import { hinge } from "./hinge.ts";
import { ipo } from "./ipo.ts";
import { kto } from "./kto.ts";
import { defineObjective, type Objective } from "./objective.ts";
import { orpo } from "./orpo.ts";
import { sft } from "./sft.ts";
import { simpo } from "./simpo.ts";

/** Every objective, by the name a configuration gives it. */
export const OBJECTIVES = {
  sft: defineObjective({ settings: {}, make: () => sft }),
  dpo,
  ipo,
  hinge,
  simpo,
  kto,
  orpo,
} satisfies Registry<[], Objective>;

export type ObjectiveName = keyof typeof OBJECTIVES;

/** Makes the objective of a name. It takes the settings that it reads from `settings`, the configuration's `objective`. */
export function objectiveOf(name: ObjectiveName, settings: object = {}): Objective {
  return build<[], Objective>(OBJECTIVES[name], settings);
}
