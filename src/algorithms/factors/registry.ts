import type { FactorRule } from "./factor-rule.ts";
import { fedsa } from "./fedsa.ts";
import { ffa } from "./ffa.ts";
import { rolora } from "./rolora.ts";

/** Rules for which LoRA factors clients train and send, by their names in a configuration. */
export const FACTOR_RULES = { ffa, rolora, fedsa } satisfies Record<string, FactorRule>;

export type FactorRuleName = keyof typeof FACTOR_RULES;
