import { scale } from "../tensor/params.ts";
import { type Attack, defineAttack } from "./attack.ts";

/** Sends the adapter as it was received: no change. */
export const freeRider = defineAttack({
  settings: {},
  make: (): Attack => ({ name: "freeRider", colludes: false, change: (own) => scale(own, 0) }),
});
