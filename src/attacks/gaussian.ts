import { z } from "zod";
import { globalNorm, mapParams, parameterCount } from "../tensor/params.ts";
import { defineAttack } from "./attack.ts";
import { spreadOf } from "./statistics.ts";

/** Sends noise: its deviation is `noise` times the root mean square of the honest clients' mean change. */
export const gaussian = defineAttack({
  settings: {
    noise: z
      .number()
      .positive()
      .optional()
      .describe("Standard deviation of the noise over the root mean square of the honest mean change. Default: 10."),
  },
  make: ({ noise = 10 }) => ({
    name: "gaussian",
    colludes: true,
    change(own, { honest, random }) {
      const { mean } = spreadOf(honest);
      const deviation = (noise * globalNorm(mean)) / Math.sqrt(parameterCount(mean));
      return mapParams(own, () => deviation * random.normal());
    },
  }),
});
