import { z } from "zod";
import { scale } from "../tensor/params.ts";
import { defineAttack } from "./attack.ts";
import { spreadOf } from "./statistics.ts";

/** Inner product manipulation (Xie et al. 2020, "Fall of empires"): the honest mean, turned round and scaled: −ε·g. */
export const ipm = defineAttack({
  settings: {
    epsilon: z.number().positive().optional().describe("ε of the change −ε·g, g the honest mean. Default: 0.5."),
  },
  make: ({ epsilon = 0.5 }) => ({
    name: "ipm",
    colludes: true,
    change: (_own, { honest }) => scale(spreadOf(honest).mean, -epsilon),
  }),
});
