import { filterParams, type Params } from "../tensor/params.ts";
import type { LocalRule } from "./local-rule.ts";

/** Gives the tensors that a rule lets train, of an adapter or a gradient: all of it where the rule freezes none. */
export function trainedPart({ frozen }: Pick<LocalRule, "frozen">): (all: Params) => Params {
  return frozen === undefined ? (all) => all : (all) => filterParams(all, (name) => !frozen(name));
}
