import { build, type Registry } from "../registry/declared.ts";
import { alie } from "./alie.ts";
import type { Attack } from "./attack.ts";
import { freeRider } from "./free-rider.ts";
import { gaussian } from "./gaussian.ts";
import { ipm } from "./ipm.ts";
import { labelFlip } from "./label-flip.ts";
import { minMax, minSum } from "./min-max.ts";
import { modelReplacement } from "./model-replacement.ts";
import { safetyPoisoning } from "./safety-poisoning.ts";
import { signFlip } from "./sign-flip.ts";

/** The attacks of a simulation, by their names in a configuration. */
export const ATTACKS = {
  labelFlip,
  signFlip,
  gaussian,
  modelReplacement,
  alie,
  ipm,
  minMax,
  minSum,
  freeRider,
  safetyPoisoning,
} satisfies Registry<[], Attack>;

export type AttackName = keyof typeof ATTACKS;

/** Makes the attack of a name. It reads its own settings in `settings`, the section `data.attack`. */
export function attackOf(name: AttackName, settings: object = {}): Attack {
  return build<[], Attack>(ATTACKS[name], settings);
}
