import { z } from "zod";
import { scale } from "../tensor/params.ts";
import { defineAttack } from "./attack.ts";

/** Sends the trained change backwards: −κ·Δ. */
export const signFlip = defineAttack({
  settings: { factor: z.number().positive().optional().describe("κ of the change −κ·Δ that is sent. Default: 4.") },
  make: ({ factor = 4 }) => ({ name: "signFlip", colludes: false, change: (own) => scale(own, -factor) }),
});
