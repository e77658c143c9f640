import { z } from "zod";
import { scale } from "../tensor/params.ts";
import { defineAttack } from "./attack.ts";
import { withOtherAnswers } from "./label-flip.ts";

/**
 * Model replacement (Bagdasaryan et al. 2020, "How to backdoor federated learning", equation 3): trains on other answers, and
 * sends the change as many times as there are clients, so that the mean is the hostile model.
 */
export const modelReplacement = defineAttack({
  settings: {
    boost: z
      .number()
      .positive()
      .optional()
      .describe("Factor of the trained change. Default: the number of clients in the round."),
  },
  make: ({ boost }) => ({
    name: "modelReplacement",
    colludes: false,
    records: withOtherAnswers,
    change: (own, { clients }) => scale(own, boost ?? clients),
  }),
});
